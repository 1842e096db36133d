"""The tree as frontends see it: nodes, listings, pages, open files, extended attributes."""
