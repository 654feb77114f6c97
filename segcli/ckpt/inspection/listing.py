"""Looks into a checkpoint without loading it: its tensors, its other values, its layout, and what its pickle names."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from segcli.ckpt.extents import Extent, extents
from segcli.ckpt.inspection.hints import Hint, Memory, hints
from segcli.ckpt.inspection.layout import Layout, OldLayout, layout_of
from segcli.ckpt.inspection.pickled import read_pickled
from segcli.ckpt.tensors import storages_below
from segcli.formats.byte_source import ByteSource, open_source
from segcli.formats.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from segcli.formats.checkpoint_tree import OtherValue, list_contents, list_entries
from segcli.formats.collection import collection_paused
from segcli.formats.globals_verdict import DCP_METADATA, Verdict, judge
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.sniff import Kind, sniff
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.subtotals import Subtotal, subtotals
from segcli.formats.tensor_header import TensorHeader

# The format of a folder, whose many pickles name more than those of other formats.
DCP = "DCP"
_FORMATS = {
    Kind.ZIP: "torch zip",
    Kind.LEGACY: "torch legacy",
    Kind.TAR: "torch tar",
    Kind.SAFETENSORS: "safetensors",
    Kind.DCP: DCP,
    Kind.PICKLE: "pickle",
}
_WILDCARDS = "*?["


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
class Slack:
    """A storage of which the tensors use only a part.

    Attributes:
        storage: Its key.
        bytes: What its elements take.
        unused: How many of these stand before the first or behind the last that a tensor uses.
        keys: The tensors that lie in it.
    """

    storage: str
    bytes: int
    unused: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint holds.

    Attributes:
        file: The file.
        format: ``torch zip``, ``torch legacy``, ``torch tar``, ``safetensors``, ``DCP`` or ``pickle``.
        bytes: Its size.
        tensors: Its tensors, in its own order; of those under ``grep`` only.
        other: What is no tensor; of that under ``grep`` only.
        globals: What its pickle names, in alphabetical order; a safetensors file names nothing.
        tags: The device tags.
        aliases: The storages that several tensors share.
        slack: The storages of which the tensors use only a part.
        stored_bytes: What the elements of all storages take, each counted once.
        slack_bytes: What no tensor uses of that.
        layout: Torch's layout; None for a file that torch did not write.
        grep: What keys had to match; None where all are listed.
        tensors_in_all: How many tensors there are without that.
        hints: What could be done with the file.
        tree: The subtotals that were asked for.
    """

    file: Path
    format: str
    bytes: int
    tensors: tuple[TensorHeader, ...]
    other: tuple[OtherValue, ...]
    globals: tuple[NamedGlobal, ...]
    tags: tuple[Tag, ...]
    aliases: tuple[Alias, ...]
    slack: tuple[Slack, ...]
    stored_bytes: int
    slack_bytes: int
    layout: Layout | OldLayout | None
    grep: str | None
    tensors_in_all: int
    hints: tuple[Hint, ...]
    tree: tuple[Subtotal, ...]

    def document(self) -> dict[str, Any]:
        """Return plain data, as JSON has it: of tensors what every one has, and apart from that what few have."""
        names = [field for field in self.__dataclass_fields__ if field not in ("format", "tensors", "other", "globals")]
        return {
            "format": self.format,
            "tensors": [_plain_tensor(tensor) for tensor in self.tensors],
            "other": [{"key": one.key, "type": one.type, "value": one.value} for one in self.other],
            "globals": [{"name": one.name, "verdict": one.verdict.value} for one in self.globals],
            "layouts": {one.key: one.layout for one in self.tensors if one.layout != "strided"},
            **{name: _plain(getattr(self, name)) for name in names},
        }


@collection_paused()
def inspect(path: Path, *, grep: str | None = None, depth: int | None = None) -> Inspection:
    """Read what a checkpoint holds, without the tensors' bytes.

    Args:
        path: A zip, legacy, tar or safetensors file, one that ``pickle.dump`` wrote, or the folder of a distributed
            checkpoint; ``-`` for standard input, where that is a file.
        grep: Which keys are listed: a glob where it has ``*``, ``?`` or ``[``, else a part of them.
        depth: How many parts of the keys down subtotals are made; None for none.

    Raises:
        SegcliError: For a file that is none of them, or is damaged.
    """
    if path.is_dir():
        with open_checkpoint(path) as folder:
            return _inspected(path, folder, folder.globals, grep, depth)
    with open_source(path) as source:
        if sniff(source) is Kind.PICKLE:
            pickled = read_pickled(source)
            return _inspected(path, pickled.checkpoint, pickled.globals, grep, depth)
        checkpoint = read_checkpoint(source)
        return _inspected(path, checkpoint, checkpoint.globals, grep, depth)


def _inspected(
    path: Path, checkpoint: Checkpoint, names: Iterable[str], grep: str | None, depth: int | None
) -> Inspection:
    contents = list_contents(checkpoint.root, checkpoint.name)
    other = (*contents.other, *_metadata(checkpoint.source, checkpoint.kind))
    shown = [one for one in contents.tensors if grep is None or is_meant(grep, one.key)]
    keys = _keys_by_storage(contents.tensors)
    used = extents(checkpoint.root)
    slack = _slack(checkpoint, used, keys)
    stored_bytes = sum(storage.bytes for storage in checkpoint.storages.values())
    slack_bytes = sum(one.unused for one in slack)
    sparsest = max(used, key=lambda storage: used[storage].gaps, default="")
    memory = Memory(stored_bytes, slack_bytes, sum(one.gaps for one in used.values()), keys.get(sparsest, ["others"]))
    return Inspection(
        file=path,
        format=_FORMATS[checkpoint.kind],
        bytes=checkpoint.source.size,
        tensors=tuple(shown),
        other=tuple(one for one in other if grep is None or is_meant(grep, one.key)),
        globals=tuple(_judged(checkpoint.kind, name) for name in sorted(names)),
        tags=() if checkpoint.kind is Kind.SAFETENSORS else _tags(checkpoint.storages),
        aliases=tuple(Alias(storage, tuple(shared)) for storage, shared in keys.items() if len(shared) > 1),
        slack=slack,
        stored_bytes=stored_bytes,
        slack_bytes=slack_bytes,
        layout=layout_of(checkpoint),
        grep=grep,
        tensors_in_all=len(contents.tensors),
        hints=() if checkpoint.kind is Kind.PICKLE else hints(checkpoint.root, str(path), memory),
        tree=() if depth is None else subtotals(shown, depth),
    )


def _judged(kind: Kind, name: str) -> NamedGlobal:
    if kind is Kind.DCP and name in DCP_METADATA:
        return NamedGlobal(name, Verdict.ALLOWED)
    return NamedGlobal(name, judge(name))


def is_meant(pattern: str, key: str) -> bool:
    """Say whether a pattern means a key: a glob means the whole of it, other text a part.

    Examples:
        >>> is_meant("*.bias", "head.bias"), is_meant("head", "aux_head.bias"), is_meant("*.b", "head.bias")
        (True, True, False)
    """
    if any(character in pattern for character in _WILDCARDS):
        return fnmatchcase(key, pattern)
    return pattern in key


def _metadata(source: ByteSource, kind: Kind) -> list[OtherValue]:
    if kind is not Kind.SAFETENSORS:
        return []
    metadata = read_safetensors_header(source).metadata
    return [OtherValue(f"__metadata__.{key}", "str", value) for key, value in metadata.items()]


def _tags(storages: Mapping[str, StoredStorage]) -> tuple[Tag, ...]:
    by_tag: dict[str, list[int]] = {}
    for storage in storages.values():
        by_tag.setdefault(storage.location, []).append(storage.bytes)
    return tuple(Tag(tag, len(sizes), sum(sizes)) for tag, sizes in by_tag.items())


def _keys_by_storage(tensors: Iterable[TensorHeader]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for tensor in tensors:
        if tensor.storage is not None:
            keys.setdefault(tensor.storage, []).append(tensor.key)
    return keys


def _slack(checkpoint: Checkpoint, used: dict[str, Extent], keys: dict[str, list[str]]) -> tuple[Slack, ...]:
    nameless = {storage: dict[str, None]() for storage, extent in used.items() if extent.slack and storage not in keys}
    if nameless:
        # Those of the indices and values of a sparse tensor are named by it.
        for entry in list_entries(checkpoint.root, checkpoint.name):
            for storage in nameless.keys() & {below.key for below, _ in storages_below(entry.node) if entry.tensor}:
                nameless[storage][entry.key] = None
    return tuple(
        Slack(storage, extent.size, extent.slack, tuple(nameless.get(storage, ()) or keys.get(storage, ())))
        for storage, extent in used.items()
        if extent.slack
    )


def _plain_tensor(tensor: TensorHeader) -> dict[str, Any]:
    return {
        "key": tensor.key,
        "shape": tensor.shape,
        "dtype": tensor.dtype,
        "device": tensor.device,
        "bytes": tensor.bytes,
        "storage": tensor.storage,
        "offset": tensor.offset,
        "stride": tensor.stride,
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return asdict(value) if isinstance(value, Layout | OldLayout | Tag | Alias | Slack | Subtotal | Hint) else value
