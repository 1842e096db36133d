"""Partly fetched files."""
