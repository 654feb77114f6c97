"""Indexing: what an index does to a tensor, in both libraries."""
