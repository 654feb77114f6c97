"""Joining and cutting tensors, and making new ones."""
