"""LMDB environments, the writer thread, and what the file system below must be."""
