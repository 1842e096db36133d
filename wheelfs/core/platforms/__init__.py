"""Machines, platforms and Pythons that files may be for."""
