"""Where concurrency lives: repository, fetching, reading, and the tree that the frontends show."""
