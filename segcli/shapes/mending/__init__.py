"""Finds an expression that works, where PyTorch raises: what people write after they have understood the error."""
