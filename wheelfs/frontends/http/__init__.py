"""The HTTP face of the tree: a simple repository for pip, uv, poetry and other machines; the only importer of the HTTP server."""
