"""Looking up and writing elements by positions and masks."""
