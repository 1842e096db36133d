"""Projects of the configured indexes: pages, metadata, tracking, and what a view shows of them."""
