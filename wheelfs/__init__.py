"""wheelfs: a read-only mount of Python wheels, fetched lazily, kept deduplicated, there when the network is not."""

__version__ = "0.1.0"
