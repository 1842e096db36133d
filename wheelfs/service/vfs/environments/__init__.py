"""Mounted environments as directories: their nodes, and what opening a file of one gives."""
