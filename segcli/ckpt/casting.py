"""Floating tensors in another dtype: the storages' bytes are converted on their way, the pickle says what they are now.

Ties, views, offsets and strides stay, since a storage keeps its number of elements. Integers, bools, complex and
quantized tensors stay as they are, the scales of the last among them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from segcli.ckpt.tensors import Holdings, StoredTensor, holdings, listed, matches, storages_below
from segcli.elements.converting import convert_elements
from segcli.elements.decoding import FLOATS
from segcli.elements.encoding import LARGEST
from segcli.errors import SegcliError, nearest
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.node_walk import storages_in
from segcli.formats.payload import Computed, Payload, Stretch
from segcli.formats.pickle_nodes import Call, Global, Group, Node
from segcli.formats.rebuilt_tensor import rebuilt_tensor
from segcli.formats.stored_storage import StoredStorage

_CLASSES = {dtype: name for name, dtype in STORAGE_DTYPES.items() if name != "UntypedStorage"}
# Where a call that rebuilds a tensor says its dtype. Source: ``torch/_utils.py`` of pytorch 2.13.
_DTYPE_ARGUMENT = {
    "torch._utils._rebuild_tensor_v3": 6,
    "torch._utils._rebuild_meta_tensor_no_storage": 0,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": 1,
}
_UNCASTABLE = ("torch._utils._rebuild_wrapper_subclass", "torch._utils._rebuild_device_tensor_from_numpy")


@dataclass(frozen=True)
class Overflow:
    """Elements that are infinite in the new dtype, and were not before.

    Attributes:
        keys: The tensors that share the storage.
        elements: How many elements.
        value: The first of them.
    """

    keys: tuple[str, ...]
    elements: int
    value: float


@dataclass(frozen=True)
class Casting:
    """A checkpoint's storages in another dtype.

    Attributes:
        dtype: The dtype that they have.
        storages: What all of them are now, by key; the bytes of those that were cast are computed as they are written.
        payloads: The bytes of all of them.
        cast: The keys of the tensors that were cast.
        left: The keys of floating tensors that have the dtype already or are kept as they are.
        bytes_before: What the cast storages took.
        bytes_after: What they take.
        overflows: What became infinite; filled while the payloads are written.
    """

    dtype: str
    storages: dict[str, StoredStorage]
    payloads: dict[str, Payload]
    cast: tuple[str, ...]
    left: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    overflows: list[Overflow] = field(default_factory=list)


def cast(checkpoint: Checkpoint, dtype: str, *, keep: Sequence[str] = (), allow_overflow: bool = False) -> Casting:
    """Cast every floating tensor of a checkpoint, as ``tensor.to(dtype)`` would.

    ``checkpoint.root`` is changed in place: assembled afterwards, it names the storages as they are now.

    Args:
        checkpoint: The open checkpoint.
        dtype: ``float64``, ``float32``, ``float16`` or ``bfloat16``.
        keep: Globs of keys that stay as they are.
        allow_overflow: Whether elements may become infinite; else writing them fails.

    Raises:
        SegcliError: For another dtype, for a storage of which only some tensors shall be cast, for tensors that only
            wrap others.

    Examples:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> from segcli.formats.checkpoint import open_checkpoint
        >>> path = Path(tempfile.mkdtemp()) / "model.pth"
        >>> torch.save({"weight": torch.ones(3), "steps": torch.tensor(7)}, path)
        >>> with open_checkpoint(path) as checkpoint:
        ...     casting = cast(checkpoint, "bfloat16")
        ...     casting.cast, casting.payloads["0"].size, next(casting.payloads["0"].pieces()).hex(" ", 2)
        (('weight',), 6, '803f 803f 803f')
    """
    if dtype not in LARGEST:
        message = f"unknown dtype {dtype!r}, expected {', '.join(LARGEST)}"
        raise SegcliError(message, hint=nearest(dtype, list(LARGEST)))
    holds = holdings(checkpoint)
    chosen = _choose(checkpoint, holds, dtype, tuple(keep))
    _rename_dtypes([holds.tensors[key].node for key in chosen.tensors], dtype)
    _rename_storages(checkpoint, chosen.storages, dtype)
    overflows: list[Overflow] = []
    storages = dict(checkpoint.storages)
    payloads: dict[str, Payload] = {}
    for key, stored in checkpoint.storages.items():
        payloads[key] = stored.elements
        if key in chosen.storages:
            before = chosen.storages[key]
            count = stored.bytes // ITEM_BYTES[before]
            storages[key] = StoredStorage(key, dtype, stored.location, count * ITEM_BYTES[dtype], stored.data)
            tell = None if allow_overflow else partial(refuse_overflow, checkpoint.source.name, dtype)
            source = _Source(stored.data, count, before, dtype, checkpoint.byteorder)
            pieces = partial(_pieces, source, chosen.keys[key], overflows, tell)
            payloads[key] = Computed(count * ITEM_BYTES[dtype], pieces)
    return Casting(
        dtype=dtype,
        storages=storages,
        payloads=payloads,
        cast=chosen.tensors,
        left=chosen.left,
        bytes_before=sum(checkpoint.storages[key].bytes for key in chosen.storages),
        bytes_after=sum(payloads[key].size for key in chosen.storages),
        overflows=overflows,
    )


@dataclass
class _Choice:
    """The storages to cast with their dtypes, the keys of the tensors on each, and which tensors are cast or left."""

    storages: dict[str, str]
    keys: dict[str, tuple[str, ...]]
    tensors: tuple[str, ...]
    left: tuple[str, ...]


def _choose(checkpoint: Checkpoint, holds: Holdings, dtype: str, keep: tuple[str, ...]) -> _Choice:
    storages: dict[str, str] = {}
    keys: dict[str, list[str]] = {}
    kept: dict[str, str] = {}
    tensors, left = [], []
    for key, tensor in holds.tensors.items():
        quantized = {storage.key for storage, is_quantized in storages_below(tensor.node) if is_quantized}
        is_kept = matches(key, keep)
        is_cast = tensor.header.dtype in FLOATS and not (is_kept or tensor.header.dtype == dtype)
        if is_cast:
            _check_castable(checkpoint, key, tensor)
        changed = is_cast and not tensor.parts
        for part in tensor.parts:
            storage = str(part.storage)
            if is_kept or storage in quantized or part.dtype not in FLOATS:
                kept[storage] = key
            elif storages.setdefault(storage, part.dtype) != part.dtype:
                message = f"{key} in {checkpoint.source.name} shares its memory with tensors of another dtype"
                raise SegcliError(message, hint="load it with torch, clone these tensors, and save it again")
            elif part.dtype != dtype:
                keys.setdefault(storage, []).append(key)
                changed = True
        if changed:
            tensors.append(key)
        elif tensor.header.dtype in FLOATS:
            left.append(key)
    _check_shared(checkpoint, keys, kept)
    storages = {storage: before for storage, before in storages.items() if storage in keys}
    return _Choice(storages, {storage: tuple(found) for storage, found in keys.items()}, tuple(tensors), tuple(left))


def _check_castable(checkpoint: Checkpoint, key: str, tensor: StoredTensor) -> None:
    calls = [node.path for node in _calls(tensor.node)]
    if any(path in _UNCASTABLE for path in calls):
        message = f"{key} in {checkpoint.source.name} is no plain tensor, but one of a class that wraps others"
        raise SegcliError(message, hint=f"cast it with torch, or keep it: --keep-dtype '{key}'")


def _check_shared(checkpoint: Checkpoint, keys: dict[str, list[str]], kept: dict[str, str]) -> None:
    for storage, cast_keys in keys.items():
        if storage in kept:
            message = (
                f"{kept[storage]} in {checkpoint.source.name} is kept, and shares its memory with {listed(cast_keys)}"
            )
            raise SegcliError(message, hint=f"keep these, too: --keep-dtype '{cast_keys[0]}'")


def _calls(node: Node) -> Iterator[Call]:
    done: set[int] = set()
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Call | Group) and id(node) not in done:
            done.add(id(node))
            if isinstance(node, Call):
                yield node
            nodes += node.arguments if isinstance(node, Call) else node.items


def _rename_dtypes(tensors: Sequence[Node], dtype: str) -> None:
    """Name the new dtype where the calls that rebuild tensors name one."""
    for tensor in tensors:
        for call in _calls(tensor):
            place = _DTYPE_ARGUMENT.get(call.path)
            if place is None or not isinstance(call.args, Group):
                continue
            header = rebuilt_tensor(call)
            if header and header.dtype in FLOATS:
                call.args.items[place] = Global("torch", dtype)


def _rename_storages(checkpoint: Checkpoint, storages: dict[str, str], dtype: str) -> None:
    """Let every mention of a storage name its new class; an untyped one counts bytes."""
    for storage in storages_in(checkpoint.root):
        if storage.key in storages:
            count = checkpoint.storages[storage.key].bytes // ITEM_BYTES[storages[storage.key]]
            if storage.type_name == "UntypedStorage":
                storage.numel = count * ITEM_BYTES[dtype]
            else:
                kind = storage.id.items[1]
                module = kind.module if isinstance(kind, Global) else "torch"
                storage.type_name = _CLASSES[dtype]
                storage.id.items[1] = Global(module, storage.type_name)
            storage.id.items[4] = storage.numel


@dataclass(frozen=True)
class _Source:
    """Elements that shall be converted."""

    data: Stretch
    count: int
    before: str
    after: str
    byteorder: str


def _pieces(
    source: _Source, keys: tuple[str, ...], overflows: list[Overflow], refuse: Callable[[Overflow], None] | None
) -> Iterator[bytes]:
    """Yield converted bytes; tell of overflow once all is read, so that the message has the whole count."""
    found: list[tuple[int, float]] = []
    dtypes = source.before, source.after
    yield from convert_elements(
        source.data, source.count, dtypes, source.byteorder, lambda count, value: found.append((count, value))
    )
    if found:
        overflow = Overflow(keys, sum(count for count, _ in found), found[0][1])
        if refuse:
            refuse(overflow)
        overflows.append(overflow)


def refuse_overflow(name: str, dtype: str, overflow: Overflow) -> None:
    """Refuse numbers that another dtype does not hold.

    Args:
        name: How messages call the file.
        dtype: The other dtype.
        overflow: The numbers.

    Raises:
        SegcliError: Always.
    """
    plural = "s" if overflow.elements > 1 else ""
    message = (
        f"{listed(list(overflow.keys))} in {name}: {overflow.elements:,} element{plural}, the first {overflow.value:g}"
    )
    message += f", would be infinite in {dtype}, whose largest number is {LARGEST[dtype]:g}"
    hint = "bfloat16 reaches as far as float32; or keep such tensors: --keep-dtype GLOB; or allow it: --allow-overflow"
    raise SegcliError(message, hint=hint)
