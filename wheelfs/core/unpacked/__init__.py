"""Which wheel an unpacked distribution was, and what of it is still there."""
