"""From requirements and lock files to wheels."""
