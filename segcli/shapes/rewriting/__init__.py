"""Finds the steps of an expression at which PyTorch and NumPy part, and writes them so that both mean the same."""
