"""Decisions of the proxy of ``wheelfs run``: the command's environment, which hosts are answered here, where requests lead."""
