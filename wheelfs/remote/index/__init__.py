"""Indexes over HTTP and in directories."""
