"""Writes a checkpoint's tensors as a safetensors file: dotted keys, every tensor's elements in order and in full."""

from collections.abc import Callable, Iterator
from functools import partial

from segcli.ckpt.conversion.byte_order import reversed_units, unit_of
from segcli.ckpt.conversion.checksums import check, checked_pieces
from segcli.ckpt.conversion.request import Request
from segcli.ckpt.conversion.state_tensors import StateTensor, StateTensors
from segcli.ckpt.conversion.ties import TIES, ties_of
from segcli.ckpt.tensors import listed
from segcli.elements.strides import stream
from segcli.errors import SegcliError
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Computed
from segcli.formats.safetensors_write import OutTensor, code_of, write_safetensors

# What torch's tools look for.
_MADE_FOR = {"format": "pt"}


def to_safetensors(request: Request, state: StateTensors) -> int:
    """Write a safetensors file; what a zip's checksums say is compared on the way, since it has none.

    Raises:
        SegcliError: For a dtype that the format does not have, a checksum that is wrong, numbers that a dtype which was
            asked for does not hold, and as `write_safetensors`.
    """
    dtypes = {tensor.key: tensor.dtype for tensor in state.tensors}
    unknown = [f"{key} ({dtype})" for key, dtype in dtypes.items() if code_of(dtype) is None]
    if unknown:
        message = f"{request.checkpoint.source.name} has tensors of dtypes that safetensors has not: {listed(unknown)}"
        raise SegcliError(message, hint="keep them in a .pth, or leave them out first: segcli ckpt strip --drop KEY")
    checked: set[str] = set()
    tensors = [_written(request, tensor, dtypes[tensor.key], checked) for tensor in state.tensors]
    ties = ties_of(state.tensors)
    metadata = {**_MADE_FOR, **({TIES: ties} if ties else {})}
    return write_safetensors(request.file, tensors, metadata, request.advance)


def _written(request: Request, tensor: StateTensor, dtype: str, checked: set[str]) -> OutTensor:
    view = tensor.view
    pieces = partial(_pieces, request, tensor, checked)
    size = view.count * ITEM_BYTES[dtype]
    if dtype != view.dtype:
        data = request.tried(Computed(size, partial(_cast, request, tensor, dtype, pieces)))
    else:
        data = request.data(Computed(size, pieces))
    return OutTensor(tensor.key, dtype, view.shape, data)


def _pieces(request: Request, tensor: StateTensor, checked: set[str]) -> Iterator[bytes]:
    """Yield a tensor's elements; the storage's checksum is compared with them, or before, once."""
    view, name = tensor.view, request.checkpoint.source.name
    stored = request.checkpoint.storages[tensor.placed.storage.key]
    unit = unit_of(view.dtype, view.byteorder)
    if view.is_dense and view.count * view.item_bytes == stored.bytes:
        checked.add(stored.key)
        yield from (reversed_units(piece, unit) for piece in checked_pieces(name, stored))
        return
    if stored.key not in checked:
        checked.add(stored.key)
        check(name, stored)
    yield from (reversed_units(piece, unit) for piece in stream(view))


def _cast(request: Request, tensor: StateTensor, dtype: str, pieces: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Yield the elements in another dtype; tell of overflow once all is read, so that the message has all of it."""
    from segcli.ckpt.casting import Overflow, refuse_overflow
    from segcli.elements.converting import convert_pieces

    found: list[tuple[int, float]] = []
    dtypes = (tensor.view.dtype, dtype)
    yield from convert_pieces(pieces(), dtypes, "little", lambda count, value: found.append((count, value)))
    if found:
        overflow = Overflow((tensor.key,), sum(count for count, _ in found), found[0][1])
        if not request.allow_overflow:
            refuse_overflow(request.checkpoint.source.name, dtype, overflow)
        request.overflows.append(overflow)
