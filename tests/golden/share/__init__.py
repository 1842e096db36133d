"""Shares as earlier builds wrote them; `make` tells how."""
