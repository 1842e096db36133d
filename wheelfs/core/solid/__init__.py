"""Members kept as what they inflate to: which may be, how they are arranged, and how their data is made again."""
