"""Large results in large pages: for a fresh tensor of 80 MB, faults of small pages take longer than writing it."""

import ctypes
import mmap

from torch import Tensor

_PAGE = 2**21


def in_large_pages(tensor: Tensor) -> Tensor:
    """Ask the system for large pages where a fresh ``tensor`` will be written, and return it.

    Advice only: whether it is taken changes no value. Small tensors, other devices and systems that know no such advice
    are left alone.

    Examples:
        >>> import torch
        >>> in_large_pages(torch.zeros(3))
        tensor([0., 0., 0.])
    """
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is None or not tensor.is_cpu:
        return tensor
    begin = -(-tensor.data_ptr() // _PAGE) * _PAGE
    end = (tensor.data_ptr() + tensor.numel() * tensor.element_size()) // _PAGE * _PAGE
    if begin < end:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), advice)
    return tensor
