"""A torch zip checkpoint: which records it has, and what its pickle says of them.

Source: pytorch 2.13, ``torch/serialization.py`` (``_save``, ``_load``) and ``caffe2/serialize/inline_container.cc``.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import MADE_SO, ByteSource, damaged
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.payload import Payload, Stretch
from segcli.formats.pickle_nodes import Storage
from segcli.formats.pickle_walk import Walk, walk
from segcli.formats.stored_storage import ZipStorages
from segcli.formats.zip_directory import Entry, Record, Records
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT
from segcli.formats.zip_records import Complain, read_directory, read_records, refuse, refuse_compressed

MAX_PICKLE_BYTES = 256 * 2**20
PICKLE_NAME = "data.pkl"

# Of torch's own small records.
_MAX_TEXT_BYTES = 64
_MAX_ALIGNMENT = 0xFFFF


@dataclass(frozen=True)
class TorchZip:
    """An open checkpoint.

    Attributes:
        prefix: What its records' names start with, without the slash.
        records: All of them, in the order in which they lie.
        version: The number in its ``version`` record.
        format_version: The number in ``.format_version``; None before torch 2.1.
        alignment: Of what offsets of records are multiples, in bytes.
        byteorder: ``little`` or ``big``; None before torch 2.1.
        pickle: The bytes of ``data.pkl``.
        walk: What they say.
        storages: The storages that they name, by key, in the order in which they do.
    """

    prefix: str
    records: Records
    version: int
    format_version: int | None
    alignment: int
    byteorder: str | None
    pickle: bytes
    walk: Walk
    storages: ZipStorages

    def contents(self, source: ByteSource) -> Iterator[tuple[str, Payload]]:
        """Yield the name behind the prefix, and the content, of each record in order."""
        start = len(self.prefix) + 1
        return ((one.name[start:], Stretch(source, one.start, one.size, one.crc)) for one in self.records)


def read_torch_zip(source: ByteSource, *, keep_root: bool = True) -> TorchZip:
    """Read all of a zip checkpoint but its tensors' bytes.

    Args:
        source: The file.
        keep_root: Whether to keep what its pickle would build, which takes the most memory.

    Raises:
        SegcliError: For a zip that is no checkpoint or TorchScript, and for a damaged one.
    """
    entries = read_directory(source)
    prefix = check_kind(source.name, entries)
    refuse_compressed(source.name, entries)
    records = read_records(source, entries)
    return read_contents(source, prefix, records, keep_root=keep_root)


def read_contents(
    source: ByteSource,
    prefix: str,
    records: Records,
    complain: Complain = refuse,
    *,
    keep_root: bool = True,
) -> TorchZip:
    """Read what the records of a checkpoint say, but for its tensors' bytes.

    Args:
        source: The file.
        prefix: What its records' names start with, without the slash.
        records: The records.
        complain: Told of what is wrong with single records, of which then nothing is known.
        keep_root: Whether to keep what the pickle would build.

    Raises:
        SegcliError: For a damaged pickle.
    """
    place = records.find(f"{prefix}/{PICKLE_NAME}")
    if place is None:
        raise damaged(source.name, f"its {PICKLE_NAME} cannot be read")
    pickle = _read_pickle(source, records[place], complain)
    said = walk(pickle, f"{PICKLE_NAME} in {source.name}", keep=keep_root)
    reader = _Reader(source, prefix, records, complain)
    return TorchZip(
        prefix=prefix,
        records=records,
        version=reader.version() or 0,
        format_version=reader.number(".format_version"),
        alignment=reader.alignment(),
        byteorder=reader.byteorder(),
        pickle=pickle,
        walk=said,
        storages=reader.storages(said.storages),
    )


def check_kind(source: str, entries: Sequence[Entry]) -> str:
    """Return what the names of a checkpoint's records start with, without the slash.

    Args:
        source: How messages call the file.
        entries: Its directory.

    Raises:
        SegcliError: For a zip that is no checkpoint or TorchScript.
    """
    prefix = entries[0].name.split("/")[0]
    script, pickle = f"{prefix}/constants.pkl", f"{prefix}/{PICKLE_NAME}"
    marks = {entry.name for entry in entries if entry.name in (script, pickle)}
    if script in marks:
        message = f"{source} is a TorchScript archive, whose code may name devices, too"
        raise SegcliError(
            message, hint=f"convert it with torch: torch.jit.load('{source}', map_location='cpu').save(DST)"
        )
    if not marks:
        raise _no_checkpoint(source, [entry.name for entry in entries])
    for entry in entries:
        if not entry.name.startswith(f"{prefix}/"):
            raise damaged(source, f"record {entry.name} does not lie in {prefix}/, as all others do", MADE_SO)
        if entry.name.endswith(f"/{PICKLE_NAME}") and entry.name != pickle:
            raise damaged(source, f"it has a second pickle, {entry.name}")
    return prefix


def _no_checkpoint(name: str, inside: Sequence[str]) -> SegcliError:
    if all(one.endswith(".npy") for one in inside):
        return SegcliError(f"{name} is a NumPy archive (.npz), not a checkpoint", hint="numpy.load reads it")
    packed = [one for one in inside if one.endswith((".pth", ".pt", ".ckpt", ".bin", ".safetensors"))]
    hint = f"unzip it first: it holds {packed[0]}" if packed else f"it holds {', '.join(inside[:3])}"
    return SegcliError(f"{name} is a zip without {PICKLE_NAME}, not a checkpoint", hint=hint)


def _read_pickle(source: ByteSource, record: Record, complain: Complain) -> bytes:
    if record.size > MAX_PICKLE_BYTES:
        message = f"{PICKLE_NAME} in {source.name} has {record.size:,} bytes, expected at most {MAX_PICKLE_BYTES:,}"
        raise SegcliError(message, hint="a checkpoint keeps tensors outside of it: save tensors, not arrays or lists")
    data = source.at(record.start, record.size)
    # 0 stands for "none was computed".
    if record.crc not in (0, zlib.crc32(data)):
        complain(wrong_checksum(source.name, record, zlib.crc32(data)), record.name)
    return data


def wrong_checksum(source: str, record: Record, found: int) -> SegcliError:
    """Return the error for a record whose bytes are not those that were written.

    Args:
        source: How messages call the file.
        record: The record.
        found: The CRC-32 of its bytes.
    """
    return damaged(source, f"the checksum of {record.name.partition('/')[2]} is {found:08x}, expected {record.crc:08x}")


@dataclass(frozen=True)
class _Reader:
    """Reads the small records of a checkpoint, and where its storages lie."""

    source: ByteSource
    prefix: str
    records: Records
    complain: Complain

    def _fail(self, name: str, what: str) -> None:
        self.complain(damaged(self.source.name, what), f"{self.prefix}/{name}")

    def _text(self, name: str) -> str | None:
        place = self.records.find(f"{self.prefix}/{name}")
        if place is None:
            return None
        record = self.records[place]
        raw = self.source.at(record.start, min(record.size, _MAX_TEXT_BYTES))
        return raw.decode("latin-1").strip()

    def number(self, name: str) -> int | None:
        text = self._text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal()):
            self._fail(name, f"its {name} is {text!r}, expected a whole number")
            return None
        return int(text)

    def version(self) -> int | None:
        if self.records.find(f"{self.prefix}/version") is None:
            self._fail("version", "it has no version record, without which torch does not read it")
        return self.number("version")

    def alignment(self) -> int:
        name = ".storage_alignment"
        alignment = self.number(name)
        if alignment is None:
            return DEFAULT_ALIGNMENT
        if not 1 <= alignment <= _MAX_ALIGNMENT:
            self._fail(name, f"its .storage_alignment is {alignment}, expected 1 to {_MAX_ALIGNMENT}")
            return DEFAULT_ALIGNMENT
        return alignment

    def byteorder(self) -> str | None:
        order = self._text("byteorder")
        if order not in (None, "little", "big"):
            self._fail("byteorder", f"its byteorder is {order!r}, expected little or big")
        return order

    def storages(self, said: Iterable[Storage]) -> ZipStorages:
        found = ZipStorages(self.source, self.records, f"{self.prefix}/data/")
        for storage in said:
            record = f"data/{storage.key}"
            try:
                self._add(storage, found)
            except SegcliError as error:
                self.complain(error, f"{self.prefix}/{record}")
        return found

    def _add(self, storage: Storage, found: ZipStorages) -> None:
        name, key = self.source.name, storage.key
        if storage.type_name not in STORAGE_DTYPES:
            raise damaged(name, f"storage {key} is of the unknown class {storage.type_name}", MADE_SO)
        dtype = STORAGE_DTYPES[storage.type_name]
        size = storage.numel * ITEM_BYTES[dtype]
        place = self.records.find(f"{self.prefix}/data/{key}")
        if place is None:
            raise damaged(name, f"it has no record data/{key}, which its pickle names")
        has = self.records[place].size
        if has < size:
            what = f"record data/{key} has {has} bytes, its {storage.numel} elements of {dtype} need {size}"
            raise damaged(name, what)
        known = found.add(place, dtype, storage.location.decoded(), size)
        if known != size:
            raise damaged(name, f"storage {key} is said to have {known} bytes, and {size}")
