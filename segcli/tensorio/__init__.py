"""Loads tensors that users saved, memory-mapped where the format lets it. The only caller of torch.load.

What a file is, its first bytes say, not its name. Nothing is unpickled but tensors and plain containers of them.
"""

from segcli.tensorio.loading import load_tensor
from segcli.tensorio.reference import PICTURE_SUFFIXES, STANDARD_INPUT, SUFFIXES, split_reference

__all__ = ["PICTURE_SUFFIXES", "STANDARD_INPUT", "SUFFIXES", "load_tensor", "split_reference"]
