"""Shares: gateways and object shares."""
