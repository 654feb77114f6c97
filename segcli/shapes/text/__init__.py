"""How an expression and what its names stand for are read."""
