"""The proxy of ``wheelfs run``: connections of one command, answered from the store or passed on."""
