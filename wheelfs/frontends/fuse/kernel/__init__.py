"""The machine side of FUSE: fusermount3, mount tables, connections, what the kernel lets us set."""
