"""What is inside a file, byte by byte: without torch, without running anything that the file names."""
