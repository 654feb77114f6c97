"""Runs as one page, and as charts, that can be kept and sent."""
