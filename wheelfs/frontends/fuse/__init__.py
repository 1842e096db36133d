"""The tree as a FUSE file system; the only importer of pyfuse3."""
