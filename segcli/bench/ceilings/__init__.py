"""The most that this machine was seen to do: bytes a second, FLOPs a second, and the least that a call takes."""
