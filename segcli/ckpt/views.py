"""Where the elements of a checkpoint's tensors lie, proved to lie in their storages."""

from segcli.elements.strides import View
from segcli.errors import SegcliError
from segcli.formats.byte_source import damaged
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.rebuilt_tensor import PACKED_DTYPES
from segcli.formats.tensor_header import TensorHeader

# How many times as many elements as its storage a tensor may have whose elements overlap, and how many it always may.
_MOST_OVERLAP = 64
_FEW_ELEMENTS = 2**20


def view_of(checkpoint: Checkpoint, key: str, part: TensorHeader) -> View:
    """Return where a part's elements lie.

    A part of which several elements share a byte, or whose dtype is unknown, comes as its storage's bytes.

    Args:
        checkpoint: The open checkpoint.
        key: How messages call the tensor.
        part: One of its parts.

    Raises:
        SegcliError: Where they reach beyond the storage, or overlap so often that reading them has no end.
    """
    if part.storage is None or part.offset is None or part.stride is None:
        message = f"{key} in {checkpoint.source.name} has no values of its own"
        raise SegcliError(message)
    stored = checkpoint.storages[part.storage]
    item_bytes = ITEM_BYTES.get(part.dtype, 0)
    if not item_bytes or part.dtype in PACKED_DTYPES:
        return View(stored.data, "uint8", "little", 1, 0, (stored.bytes,), (1,))
    has = stored.bytes // item_bytes
    steps = [(size, step) for size, step in zip(part.shape, part.stride, strict=True) if step]
    reached = part.offset + sum((size - 1) * step for size, step in steps) + 1
    if 0 not in part.shape and reached > has:
        what = f"{key} reaches element {reached - 1:,} of storage {part.storage}, which has {has:,}"
        raise damaged(checkpoint.source.name, what)
    shown = 1
    for size, _ in steps:
        shown *= size
    if 0 not in part.shape and shown > max(_MOST_OVERLAP * has, _FEW_ELEMENTS):
        message = f"{key} in {checkpoint.source.name} has {shown:,} elements that overlap in a storage of {has:,}"
        raise SegcliError(message, hint="no checkpoint needs as many: do not load this file")
    order = checkpoint.byteorder
    return View(stored.data, part.dtype, order, item_bytes, part.offset, part.shape, part.stride)
