"""Following, filling and cleaning shares."""
