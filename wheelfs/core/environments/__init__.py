"""Where the members of wheels lie in a mounted environment."""
