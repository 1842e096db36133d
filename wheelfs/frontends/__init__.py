"""Thin adapters between the tree and the programs that use it; no policy lives here."""
