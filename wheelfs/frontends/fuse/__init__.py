"""The FUSE face of the tree, and the life cycle of a mount; the only importer of pyfuse3."""
