"""Thin adapters without policy: they show the tree to kernels and clients."""
