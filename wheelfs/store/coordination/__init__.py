"""Locks and leases between the processes on one store."""
