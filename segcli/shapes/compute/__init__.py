"""Arithmetic, comparison and functions of each element, with broadcasting and promotion of dtypes."""
