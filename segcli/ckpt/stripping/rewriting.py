"""Writes a checkpoint anew in its own format, from an object and the storages that it names."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from segcli.ckpt.assembly import assemble
from segcli.ckpt.dicts import pairs_of
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.copying import Advance
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.legacy_write import LegacyStorage, write_legacy
from segcli.formats.payload import Hollow, Payload, Stretch
from segcli.formats.pickle_nodes import Node, Text
from segcli.formats.pickle_write import LOWEST_PROTOCOL
from segcli.formats.rebuilt_tensor import strided_arguments
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.safetensors_write import OutTensor, write_safetensors
from segcli.formats.sniff import Kind
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_zip import TorchZip
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT
from segcli.formats.zip_write import torch_records, write_zip

# What torch calls a zip's records by where it writes into no named file.
_PREFIX = "archive"


@dataclass(frozen=True)
class Rewriting:
    """A checkpoint that is ready to be written.

    Attributes:
        keys: The storages that it has, by their keys in the source.
        size: How many bytes the file will have.
        write: Writes it from the first byte of a descriptor's file on.
    """

    keys: frozenset[str]
    size: int
    write: Callable[[int, Advance], int]


def rewriting(checkpoint: Checkpoint, root: Node, storages: Mapping[str, StoredStorage]) -> Rewriting:
    """Prepare to write an object in the format of the checkpoint that it comes from; a tar file's becomes a zip.

    Args:
        checkpoint: The open source.
        root: The object.
        storages: What it may name, by key.

    Raises:
        SegcliError: For what follows a legacy file's end, and as `assemble`.
    """
    if checkpoint.kind is Kind.SAFETENSORS:
        return _safetensors(checkpoint, root, storages)
    if isinstance(checkpoint.layout, TorchLegacy):
        return _legacy(checkpoint, checkpoint.layout, root, storages)
    return _zip(checkpoint, root, storages)


def _zip(checkpoint: Checkpoint, root: Node, storages: Mapping[str, StoredStorage]) -> Rewriting:
    layout = checkpoint.layout
    prefix, alignment = (
        (layout.prefix, layout.alignment) if isinstance(layout, TorchZip) else (_PREFIX, DEFAULT_ALIGNMENT)
    )
    assembly = assemble(root, checkpoint.protocol)
    payloads = [storages[key].elements for key in assembly.keys]

    def write(file: int, advance: Advance, outs: list[Payload]) -> int:
        records = torch_records(assembly.pickle, outs, alignment=alignment, byteorder=checkpoint.byteorder)
        return write_zip(file, prefix, records, alignment, advance)

    return _rewriting(assembly.keys, payloads, write)


def _legacy(
    checkpoint: Checkpoint, layout: TorchLegacy, root: Node, storages: Mapping[str, StoredStorage]
) -> Rewriting:
    rest = checkpoint.source.size - layout.end
    if rest:
        message = f"{checkpoint.source.name} has {rest:,} bytes behind its checkpoint, perhaps another checkpoint"
        raise SegcliError(message, hint="load each with torch, and save it to a file of its own")
    assembly = assemble(root, checkpoint.protocol, is_legacy=True)
    counts = [storages[key].bytes // ITEM_BYTES[storages[key].dtype] for key in assembly.keys]
    payloads = [storages[key].elements for key in assembly.keys]
    protocol = max(checkpoint.protocol, LOWEST_PROTOCOL)

    def write(file: int, advance: Advance, outs: list[Payload]) -> int:
        pairs = zip(counts, outs, strict=True)
        stored = [LegacyStorage(count, out) for count, out in pairs]
        return write_legacy(file, assembly.pickle, stored, protocol, advance)

    made = _rewriting(assembly.keys, payloads, write)
    # A legacy file's writer counts the bytes that it is given.
    return replace(made, size=made.size + sum(payload.size for payload in payloads))


def _safetensors(checkpoint: Checkpoint, root: Node, storages: Mapping[str, StoredStorage]) -> Rewriting:
    metadata = read_safetensors_header(checkpoint.source).metadata
    found = [(key, view) for key, value in pairs_of(root) if (view := strided_arguments(value))]
    keys = tuple(view.storage.key for _, view in found)
    payloads = [storages[key].elements for key in keys]

    def write(file: int, advance: Advance, outs: list[Payload]) -> int:
        tensors = [
            OutTensor(key.decoded() if isinstance(key, Text) else "", view.dtype, view.shape, out)
            for (key, view), out in zip(found, outs, strict=True)
        ]
        return write_safetensors(file, tensors, metadata, advance)

    return _rewriting(keys, payloads, write)


def _rewriting(
    keys: tuple[str, ...], payloads: list[Stretch], write: Callable[[int, Advance, list[Payload]], int]
) -> Rewriting:
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path, but the name of a device
        size = write(nothing.fileno(), lambda _: None, [Hollow(payload.size) for payload in payloads])
    return Rewriting(frozenset(keys), size, lambda file, advance: write(file, advance, list(payloads)))
