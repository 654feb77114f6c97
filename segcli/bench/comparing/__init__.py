"""Two runs side by side: what became slower, and how sure that is."""
