"""Moves a checkpoint from one of torch's formats into another: the pickle is written anew, the values are copied.

What writes which stands in `CROSSINGS`.
"""

from collections.abc import Iterator
from functools import partial

from segcli.ckpt.assembly import Assembly, assemble
from segcli.ckpt.conversion.byte_order import reversed_units, unit_of
from segcli.ckpt.conversion.checksums import check, checked_pieces
from segcli.ckpt.conversion.prepared import Crossing
from segcli.ckpt.conversion.request import Request
from segcli.ckpt.tensors import listed
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.checkpoint_tree import list_entries
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.legacy_write import LegacyStorage, write_legacy
from segcli.formats.node_walk import containers
from segcli.formats.payload import Computed, Payload, inline
from segcli.formats.pickle_nodes import Call, Storage
from segcli.formats.pickle_write import LOWEST_PROTOCOL
from segcli.formats.sniff import Kind
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_tar import TorchTar
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT
from segcli.formats.zip_write import torch_records, write_zip

# What torch calls a zip's records by where it writes into no named file.
_PREFIX = "archive"
_DATA = "data/"
_NESTED = "torch._utils._rebuild_nested_tensor"


def source_classes(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the classes whose source code a checkpoint holds; only legacy and tar files have a place for it."""
    return checkpoint.layout.sources if isinstance(checkpoint.layout, TorchLegacy | TorchTar) else ()


def to_zip(request: Request) -> int:
    """Write a zip checkpoint with torch's own layout; one that was a zip keeps its name, alignment and other records.

    Raises:
        SegcliError: For what stands behind the end of a legacy file, for a checksum that is wrong where values are
            computed from others, and as `assemble`.
    """
    checkpoint = request.checkpoint
    _refuse_rest(checkpoint)
    assembly = _assembled(request, is_legacy=False)
    storages = [_checked(request, key) for key in assembly.keys]
    if isinstance(checkpoint.layout, TorchZip):
        layout = checkpoint.layout
        records = _records(request, layout, assembly.pickle, storages)
        return write_zip(request.file, layout.prefix, records, layout.alignment, request.advance)
    new = torch_records(assembly.pickle, storages, alignment=DEFAULT_ALIGNMENT, byteorder=checkpoint.byteorder)
    return write_zip(request.file, _PREFIX, new, DEFAULT_ALIGNMENT, request.advance)


def to_legacy(request: Request) -> int:
    """Write a legacy checkpoint; what a zip's checksums say is compared on the way, since a legacy file has none.

    Raises:
        SegcliError: For a storage that torch could not read there, or whose checksum is wrong, and as `to_zip`.
    """
    checkpoint = request.checkpoint
    _refuse_rest(checkpoint)
    _refuse_nested(checkpoint)
    assembly = _assembled(request, is_legacy=True)
    storages = [_legacy_storage(request, key) for key in assembly.keys]
    protocol = max(checkpoint.protocol, LOWEST_PROTOCOL)
    written = write_legacy(request.file, assembly.pickle, storages, protocol, request.advance)
    # The writer counts the bytes that it is given.
    return written + sum(storage.data.size for storage in storages) * request.hollow


# What writes a format of torch's from any other, and from itself where its pickle must be written anew.
CROSSINGS: dict[Kind, Crossing] = {Kind.ZIP: to_zip, Kind.LEGACY: to_legacy}


def _assembled(request: Request, *, is_legacy: bool) -> Assembly:
    checkpoint = request.checkpoint

    def location(storage: Storage) -> str:
        if is_legacy and storage.type_name == "UntypedStorage":
            message = (
                f"storage {storage.key} in {checkpoint.source.name} is untyped, as those of float8, uint16, uint32"
            )
            message += " and uint64 are, and torch.load cannot read it from a legacy file"
            raise SegcliError(message, hint="convert without --format legacy: zip checkpoints hold all dtypes")
        return request.new_tag(storage.location.decoded())

    return assemble(checkpoint.root, checkpoint.protocol, location, is_legacy=is_legacy)


def _records(
    request: Request, layout: TorchZip, pickle: bytes, storages: list[Payload]
) -> Iterator[tuple[str, Payload]]:
    """Yield the records of a zip with another pickle and other storages, and all else as it was."""
    left = [(f"{_DATA}{index}", storage) for index, storage in enumerate(storages)]
    for name, data in layout.contents(request.checkpoint.source):
        if name == PICKLE_NAME:
            yield name, inline(pickle)
        elif name.startswith(_DATA):
            yield from left
            left = []
        else:
            yield name, request.data(data)


def _refuse_rest(checkpoint: Checkpoint) -> None:
    """Refuse to drop what follows a legacy checkpoint: torch.save can write several into one file."""
    if isinstance(checkpoint.layout, TorchLegacy) and checkpoint.layout.end < checkpoint.source.size:
        rest = checkpoint.source.size - checkpoint.layout.end
        message = f"{checkpoint.source.name} has {rest:,} bytes behind its checkpoint, perhaps another checkpoint"
        hint = "with --to and --map alone it stays a legacy file, and they stay in it; or load each with torch"
        raise SegcliError(message, hint=hint)


def _refuse_nested(checkpoint: Checkpoint) -> None:
    """Refuse nested tensors, which torch.load rebuilds from their sizes: a legacy file's values come after that."""
    nested = {id(one) for one in containers(checkpoint.root) if isinstance(one, Call) and one.path == _NESTED}
    if nested:
        entries = list_entries(checkpoint.root, checkpoint.name)
        keys = [one.key for one in entries if one.tensor and any(id(part) in nested for part in containers(one.node))]
        message = f"{listed(keys) or 'a tensor'} in {checkpoint.source.name} is nested, and torch.load cannot rebuild"
        message += " a nested tensor from a legacy file, which holds its sizes behind all else"
        raise SegcliError(
            message, hint="convert without --format legacy, or leave it out: segcli ckpt strip --drop KEY"
        )


def _checked(request: Request, key: str) -> Payload:
    """Return a storage's bytes; where they are computed anew, what they are computed from is checked first."""
    if not request.is_cast(key):
        return request.payload(key)
    computed = request.cast_payload(key)
    name, stored = request.checkpoint.source.name, request.checkpoint.storages[key]

    def pieces() -> Iterator[bytes]:
        check(name, stored)
        yield from computed.pieces()

    return request.tried(Computed(computed.size, pieces))


def _legacy_storage(request: Request, key: str) -> LegacyStorage:
    storage = request.stored(key)
    unit = unit_of(storage.dtype, request.checkpoint.byteorder)
    pieces = _checked(request, key).pieces
    if not request.is_cast(key):
        pieces = partial(checked_pieces, request.checkpoint.source.name, storage)
    data = Computed(storage.bytes, lambda: (reversed_units(piece, unit) for piece in pieces()))
    return LegacyStorage(storage.bytes // ITEM_BYTES[storage.dtype], request.data(data))
