"""The chunks environment: blocks, chunks, recipes and sealed files."""
