"""Work on many pairs: over processes, over time that may end early, and added up."""
