"""Where pairs of files come from, and how they are read."""
