"""Arithmetic on the elements of stored tensors, a piece at a time. The only importer of numpy below the rooms.

Nothing is loaded whole: a piece of some hundred thousand elements is read, looked at and forgotten.
"""
