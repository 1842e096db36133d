"""Local state: the only importer of lmdb."""
