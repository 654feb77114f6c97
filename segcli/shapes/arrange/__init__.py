"""The same elements in another order or shape, and questions about a shape."""
