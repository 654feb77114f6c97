"""Looks into a checkpoint without loading it: its tensors, its other values, its layout, and what its pickle names."""

from dataclasses import dataclass
from pathlib import Path

from segcli.formats.byte_source import ByteSource, open_source
from segcli.formats.checkpoint_tree import OtherValue, list_contents
from segcli.formats.globals_verdict import WEIGHTS_ONLY_OPCODES, Verdict, judge
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.sniff import Kind, refusal, sniff
from segcli.formats.tensor_header import TensorHeader
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip, read_torch_zip


@dataclass(frozen=True)
class Tag:
    """A device tag, the storages that have it, and the bytes of their elements."""

    tag: str
    storages: int
    bytes: int


@dataclass(frozen=True)
class NamedGlobal:
    """A class or function that the pickle names, as torch writes it, and what is known of it."""

    name: str
    verdict: Verdict


@dataclass(frozen=True)
class Alias:
    """A storage that several tensors share."""

    storage: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How torch laid a zip checkpoint out.

    Attributes:
        prefix: What its records' names start with.
        version: The archive's version, which torch has kept at 3 since 1.6.
        format_version: The number in ``.format_version``; None before torch 2.1.
        alignment: Of what the offsets of records are multiples, in bytes.
        byteorder: ``little`` or ``big``; None before torch 2.1.
        protocol: The pickle's protocol.
        refused_opcodes: Opcodes of the pickle that ``torch.load(..., weights_only=True)`` does not read.
        records: How many records there are.
        pickle_bytes: The size of the pickle.
    """

    prefix: str
    version: int
    format_version: int | None
    alignment: int
    byteorder: str | None
    protocol: int
    refused_opcodes: tuple[str, ...]
    records: int
    pickle_bytes: int


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint holds.

    Attributes:
        file: The file.
        format: ``torch zip`` or ``safetensors``.
        bytes: Its size.
        tensors: Its tensors, in its own order.
        other: What is no tensor.
        globals: What its pickle names, in alphabetical order; a safetensors file names nothing.
        tags: The device tags.
        aliases: The storages that several tensors share.
        stored_bytes: What the elements of all storages take, each counted once.
        layout: Torch's layout; None for a safetensors file.
    """

    file: Path
    format: str
    bytes: int
    tensors: tuple[TensorHeader, ...]
    other: tuple[OtherValue, ...]
    globals: tuple[NamedGlobal, ...]
    tags: tuple[Tag, ...]
    aliases: tuple[Alias, ...]
    stored_bytes: int
    layout: Layout | None


def inspect(path: Path) -> Inspection:
    """Read what a zip checkpoint or a safetensors file holds, without the tensors' bytes.

    Args:
        path: The file; ``-`` for standard input, where that is a file.

    Raises:
        SegcliError: For a file that is neither, or is damaged.
    """
    with open_source(path) as source:
        kind = sniff(source)
        if kind is Kind.ZIP:
            return _inspect_zip(path, source)
        if kind is Kind.SAFETENSORS:
            return _inspect_safetensors(path, source)
        raise refusal(source, kind)


def _inspect_zip(path: Path, source: ByteSource) -> Inspection:
    checkpoint = read_torch_zip(source)
    contents = list_contents(checkpoint.walk.root, f"{PICKLE_NAME} in {source.name}")
    names = sorted(checkpoint.walk.globals)
    return Inspection(
        file=path,
        format="torch zip",
        bytes=source.size,
        tensors=contents.tensors,
        other=contents.other,
        globals=tuple(NamedGlobal(name, judge(name)) for name in names),
        tags=_tags(checkpoint),
        aliases=_aliases(contents.tensors),
        stored_bytes=sum(storage.bytes for storage in checkpoint.storages.values()),
        layout=Layout(
            prefix=checkpoint.prefix,
            version=checkpoint.version,
            format_version=checkpoint.format_version,
            alignment=checkpoint.alignment,
            byteorder=checkpoint.byteorder,
            protocol=checkpoint.walk.protocol,
            refused_opcodes=tuple(sorted(checkpoint.walk.opcodes - WEIGHTS_ONLY_OPCODES)),
            records=len(checkpoint.records),
            pickle_bytes=len(checkpoint.pickle),
        ),
    )


def _inspect_safetensors(path: Path, source: ByteSource) -> Inspection:
    header = read_safetensors_header(source)
    stored = sum(tensor.bytes or 0 for tensor in header.tensors)
    metadata = [OtherValue(f"__metadata__.{key}", "str", value) for key, value in header.metadata.items()]
    return Inspection(
        file=path,
        format="safetensors",
        bytes=source.size,
        tensors=header.tensors,
        other=tuple(metadata),
        globals=(),
        tags=(),
        aliases=(),
        stored_bytes=stored,
        layout=None,
    )


def _tags(checkpoint: TorchZip) -> tuple[Tag, ...]:
    by_tag: dict[str, list[int]] = {}
    for storage in checkpoint.storages.values():
        by_tag.setdefault(storage.location, []).append(storage.bytes)
    return tuple(Tag(tag, len(sizes), sum(sizes)) for tag, sizes in by_tag.items())


def _aliases(tensors: tuple[TensorHeader, ...]) -> tuple[Alias, ...]:
    keys: dict[str, list[str]] = {}
    for tensor in tensors:
        if tensor.storage is not None:
            keys.setdefault(tensor.storage, []).append(tensor.key)
    return tuple(Alias(storage, tuple(shared)) for storage, shared in keys.items() if len(shared) > 1)
