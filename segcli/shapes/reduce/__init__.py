"""Reductions, and functions along an axis."""
