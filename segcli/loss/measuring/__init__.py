"""What is measured of a pair of files; here torch is imported where a module begins."""
