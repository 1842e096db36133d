"""Requests of the kernel, answered from the tree: handlers, attributes, inodes, errnos, invalidation."""
