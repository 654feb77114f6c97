"""One view of every kind of checkpoint: an object with tensors in it, and the storages with their bytes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from segcli.formats.byte_source import ByteSource, open_source
from segcli.formats.dcp_folder import DcpFolder, open_dcp
from segcli.formats.pickle_nodes import Node
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.safetensors_nodes import safetensors_root, safetensors_storages
from segcli.formats.sniff import Kind, refusal, sniff
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.torch_legacy import TorchLegacy, read_legacy
from segcli.formats.torch_tar import TorchTar, read_tar
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip, read_torch_zip

# What torch writes; a safetensors file has none.
_PROTOCOL = 2


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint, of whatever format.

    Attributes:
        source: The file.
        kind: Its format.
        root: What it holds, as nodes of a pickle.
        storages: The storages that ``root`` names, by key, in the order in which it does.
        byteorder: ``little`` or ``big``.
        protocol: The protocol of its pickle.
        name: How messages call what ``root`` was read from.
        layout: What only its format knows; None where no single pickle of torch's says it.
        folder: The same of a distributed checkpoint, which has many pickles.
    """

    source: ByteSource
    kind: Kind
    root: Node
    storages: Mapping[str, StoredStorage]
    byteorder: str
    protocol: int
    name: str
    layout: TorchZip | TorchLegacy | TorchTar | None = None
    folder: DcpFolder | None = None

    @property
    def globals(self) -> set[str]:
        """The classes and functions that its pickles name."""
        if self.folder:
            return self.folder.globals
        return {*self.layout.walk.globals} if self.layout else set()


@contextlib.contextmanager
def open_checkpoint(path: Path, *, keep_root: bool = True) -> Iterator[Checkpoint]:
    """Open a checkpoint: a torch zip, legacy or tar file, a safetensors file or the folder of a distributed checkpoint.

    Values are not read.

    Args:
        path: The file or folder.
        keep_root: Whether the root of a zip checkpoint is needed; without, one of many tensors takes less memory.

    Raises:
        SegcliError: For what is none of them, or is damaged.
    """
    if path.is_dir():
        with open_dcp(path) as folder:
            storages, name = folder.storages, folder.source.name
            yield Checkpoint(folder.source, Kind.DCP, folder.root, storages, "little", _PROTOCOL, name, folder=folder)
        return
    with open_source(path) as source:
        yield read_checkpoint(source, keep_root=keep_root)


def read_checkpoint(source: ByteSource, *, keep_root: bool = True) -> Checkpoint:
    """Return the view of an open file; values are not read.

    Args:
        source: The file.
        keep_root: As for `open_checkpoint`.

    Raises:
        SegcliError: As `open_checkpoint`.
    """
    kind = sniff(source)
    if kind not in _READERS:
        raise refusal(source, kind)
    return _from_zip(source, keep_root=keep_root) if kind is Kind.ZIP else _READERS[kind](source)


def _from_zip(source: ByteSource, *, keep_root: bool = True) -> Checkpoint:
    found = read_torch_zip(source, keep_root=keep_root)
    name = f"{PICKLE_NAME} in {source.name}"
    order = found.byteorder or "little"
    return Checkpoint(source, Kind.ZIP, found.walk.root, found.storages, order, found.walk.protocol, name, found)


def _from_legacy(source: ByteSource) -> Checkpoint:
    found = read_legacy(source)
    name = f"the object's pickle in {source.name}"
    return _little_endian(source, Kind.LEGACY, found, name)


def _from_tar(source: ByteSource) -> Checkpoint:
    return _little_endian(source, Kind.TAR, read_tar(source), f"pickle in {source.name}")


def _little_endian(source: ByteSource, kind: Kind, found: TorchLegacy | TorchTar, name: str) -> Checkpoint:
    """Return the view of an old format, whose values are little-endian whatever machine wrote them."""
    return Checkpoint(source, kind, found.walk.root, found.storages, "little", found.walk.protocol, name, found)


def _from_safetensors(source: ByteSource) -> Checkpoint:
    header = read_safetensors_header(source)
    root, storages = safetensors_root(header), safetensors_storages(source, header)
    return Checkpoint(source, Kind.SAFETENSORS, root, storages, "little", _PROTOCOL, source.name)


# The readers of further formats join here.
_READERS: dict[Kind, Callable[[ByteSource], Checkpoint]] = {
    Kind.ZIP: _from_zip,
    Kind.LEGACY: _from_legacy,
    Kind.TAR: _from_tar,
    Kind.SAFETENSORS: _from_safetensors,
}
