"""Removing what is not needed: eviction of wheels and collection of chunks."""
