"""Decisions about projects: ownership, index scopes, tracking."""
