"""Moves a checkpoint to another device: rewrites its device tags and copies all other bytes.

A checkpoint keeps values in records of their own, and its pickle only names a device for each. So no value is looked
at, no memory is needed that grows with the file, and no device need be there.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segcli.ckpt.device_tag import check_tag
from segcli.errors import SegcliError
from segcli.files import replacing
from segcli.formats.byte_source import ByteSource, open_source
from segcli.formats.copying import copy_range, write_at
from segcli.formats.pickle_retag import retag
from segcli.formats.sniff import Kind, refusal, sniff
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip, read_torch_zip
from segcli.formats.zip_layout import Placed, descriptor, directory, local_header

Advance = Callable[[int], None]

# What rebuilds a tensor on a device that it is told, and not on its storage's.
_WITH_OWN_DEVICE = (
    "_rebuild_device_tensor_from_numpy",
    "_rebuild_device_tensor_from_cpu_tensor",
    "_rebuild_wrapper_subclass",
)


@dataclass(frozen=True)
class TagChange:
    """What one tag became.

    Attributes:
        before: The tag in the source.
        after: The tag in the destination.
        storages: How many storages had it.
        bytes: What their elements take.
    """

    before: str
    after: str
    storages: int
    bytes: int


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        source: The file that was read.
        destination: The file that was written.
        tags: The tags, in the order in which the source names them.
        changed: Storages whose tag is another now; 0 where the destination is a plain copy.
        bytes: The size of the destination.
        device_values: ``torch.device`` objects among the user's values, which stay as they are.
        tensors_left: Tensors that name their device outside of any storage, and so stay there: XLA's, and subclasses
            that only wrap others.
    """

    source: Path
    destination: Path
    tags: tuple[TagChange, ...]
    changed: int
    bytes: int
    device_values: int
    tensors_left: int


def convert(
    source: Path, destination: Path, to: str, *, force: bool = False, advance: Advance | None = None
) -> Conversion:
    """Write ``source`` to ``destination`` with every device tag replaced by ``to``.

    Nothing but the tags changes, and a file whose tags are all ``to`` comes out byte-identical. The destination has
    torch's own layout, so it loads plain, with ``weights_only``, with ``mmap`` and with calculated offsets.

    Args:
        source: A zip checkpoint, as ``torch.save`` has written since 1.6.
        destination: Where to write; it appears once it is whole.
        to: A device tag, such as ``cpu`` or ``cuda:0``.
        force: Whether to replace a destination that exists.
        advance: Told of bytes as they are written.

    Returns:
        What was done.

    Raises:
        SegcliError: For a source that is no such checkpoint or is damaged, an unknown tag, a destination that exists,
            is the source or cannot be written.
    """
    check_tag(to)
    if str(destination) == "-":
        message = "- is no destination: a checkpoint is written to a file, which appears once it is whole"
        raise SegcliError(message)
    _refuse_same(source, destination)
    with open_source(source) as opened:
        kind = sniff(opened)
        if kind is not Kind.ZIP:
            raise refusal(opened, kind)
        checkpoint = read_torch_zip(opened)
        with replacing(destination, force=force) as file:
            written = _write(opened, checkpoint, to, file.fileno(), advance or _ignore)
            opened.check_unchanged()
    tags = _changes(checkpoint, to)
    return Conversion(
        source=source,
        destination=destination,
        tags=tags,
        changed=sum(tag.storages for tag in tags if tag.before != tag.after),
        bytes=written,
        device_values=checkpoint.walk.calls.get("torch.device", 0),
        tensors_left=sum(checkpoint.walk.calls.get(f"torch._utils.{name}", 0) for name in _WITH_OWN_DEVICE),
    )


def _ignore(_count: int) -> None:
    """Let progress pass."""


def _refuse_same(source: Path, destination: Path) -> None:
    if destination.exists() and source.exists() and source.samefile(destination):
        message = f"{source} and {destination} are the same file"
        raise SegcliError(message, hint="choose another name for the result; rename it over the source afterwards")


def _changes(checkpoint: TorchZip, to: str) -> tuple[TagChange, ...]:
    by_tag: dict[str, list[int]] = {}
    for storage in checkpoint.storages.values():
        by_tag.setdefault(storage.location, []).append(storage.bytes)
    return tuple(TagChange(before, to, len(sizes), sum(sizes)) for before, sizes in by_tag.items())


def _write(source: ByteSource, checkpoint: TorchZip, to: str, file: int, advance: Advance) -> int:
    pickle = retag(checkpoint.pickle, checkpoint.walk, lambda _: to, f"{PICKLE_NAME} in {source.name}")
    if pickle == checkpoint.pickle:
        copy_range(source.fd, file, source.size, 0, 0, advance)
        return source.size
    placed: list[Placed] = []
    at = 0
    for record in checkpoint.records:
        is_pickle = record.name == f"{checkpoint.prefix}/{PICKLE_NAME}"
        size, crc = (len(pickle), zlib.crc32(pickle)) if is_pickle else (record.size, record.crc)
        place = Placed(record.name.encode(), size, crc, at)
        at = _write_at(file, local_header(place.name, size, at, checkpoint.alignment), at)
        if is_pickle:
            at = _write_at(file, pickle, at)
            advance(size)
        else:
            copy_range(source.fd, file, size, record.start, at, advance)
            at += size
        at = _write_at(file, descriptor(place), at)
        placed.append(place)
    return _write_at(file, directory(placed, at), at)


def _write_at(file: int, data: bytes, at: int) -> int:
    """Write ``data`` and return where it ends."""
    write_at(file, data, at)
    return at + len(data)
