"""Mounted environments: made of stored wheels, and shown as directories that Python runs from."""
