"""The programs that use the tree: what they are about to do, and what is fetched before they ask for it."""
