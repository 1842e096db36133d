"""Paths in the mount, views and what they hide."""
