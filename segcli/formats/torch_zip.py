"""A torch zip checkpoint: which records it has, and what its pickle says of them.

Source: pytorch 2.13, ``torch/serialization.py`` (``_save``, ``_load``) and ``caffe2/serialize/inline_container.cc``.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.pickle_nodes import Storage
from segcli.formats.pickle_walk import Walk, walk
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT
from segcli.formats.zip_records import Record, read_directory, read_records

MAX_PICKLE_BYTES = 256 * 2**20
PICKLE_NAME = "data.pkl"

# Of torch's own small records.
_MAX_TEXT_BYTES = 64
_MAX_ALIGNMENT = 0xFFFF


@dataclass(frozen=True)
class StoredStorage:
    """A storage that the pickle names, with the record that holds it.

    Attributes:
        key: Its name behind ``data/``.
        dtype: Torch's name of its elements' dtype.
        location: The device tag.
        bytes: What its elements take.
        record: Where they lie.
    """

    key: str
    dtype: str
    location: str
    bytes: int
    record: Record


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
        storages: The storages that they name, by key.
    """

    prefix: str
    records: tuple[Record, ...]
    version: int
    format_version: int | None
    alignment: int
    byteorder: str | None
    pickle: bytes
    walk: Walk
    storages: dict[str, StoredStorage]


def read_torch_zip(source: ByteSource) -> TorchZip:
    """Read all of a zip checkpoint but its tensors' bytes.

    Raises:
        SegcliError: For a zip that is no checkpoint or TorchScript, and for a damaged one.
    """
    entries = read_directory(source)
    prefix = entries[0].name.split("/")[0]
    _check_kind(source.name, prefix, [entry.name for entry in entries])
    records = read_records(source, entries)
    names = {record.name.removeprefix(f"{prefix}/"): record for record in records}
    pickle = _read_pickle(source, names[PICKLE_NAME])
    said = walk(pickle, f"{PICKLE_NAME} in {source.name}")
    version = _number(source, names, "version")
    if version is None:
        raise damaged(source.name, "it has no version record, without which torch does not read it")
    return TorchZip(
        prefix=prefix,
        records=records,
        version=version,
        format_version=_number(source, names, ".format_version"),
        alignment=_alignment(source, names),
        byteorder=_byteorder(source, names),
        pickle=pickle,
        walk=said,
        storages=_storages(source.name, said.storages, names),
    )


def _check_kind(name: str, prefix: str, inside: Sequence[str]) -> None:
    if f"{prefix}/constants.pkl" in inside:
        message = f"{name} is a TorchScript archive, whose code may name devices, too"
        raise SegcliError(
            message, hint=f"convert it with torch: torch.jit.load('{name}', map_location='cpu').save(DST)"
        )
    if f"{prefix}/{PICKLE_NAME}" not in inside:
        raise _no_checkpoint(name, inside)
    for record in inside:
        if not record.startswith(f"{prefix}/"):
            raise damaged(name, f"record {record} does not lie in {prefix}/, as all others do")
        if record.endswith(f"/{PICKLE_NAME}") and record != f"{prefix}/{PICKLE_NAME}":
            raise damaged(name, f"it has a second pickle, {record}")


def _no_checkpoint(name: str, inside: Sequence[str]) -> SegcliError:
    if all(one.endswith(".npy") for one in inside):
        return SegcliError(f"{name} is a NumPy archive (.npz), not a checkpoint", hint="numpy.load reads it")
    packed = [one for one in inside if one.endswith((".pth", ".pt", ".ckpt", ".bin", ".safetensors"))]
    hint = f"unzip it first: it holds {packed[0]}" if packed else f"it holds {', '.join(inside[:3])}"
    return SegcliError(f"{name} is a zip without {PICKLE_NAME}, not a checkpoint", hint=hint)


def _read_pickle(source: ByteSource, record: Record) -> bytes:
    if record.size > MAX_PICKLE_BYTES:
        message = f"{PICKLE_NAME} in {source.name} has {record.size:,} bytes, expected at most {MAX_PICKLE_BYTES:,}"
        raise SegcliError(message, hint="a checkpoint keeps tensors outside of it: save tensors, not arrays or lists")
    data = source.at(record.start, record.size)
    # 0 stands for "none was computed".
    if record.crc not in (0, zlib.crc32(data)):
        raise damaged(
            source.name, f"the checksum of {PICKLE_NAME} is {zlib.crc32(data):08x}, expected {record.crc:08x}"
        )
    return data


def _text(source: ByteSource, names: dict[str, Record], name: str) -> str | None:
    if name not in names:
        return None
    record = names[name]
    raw = source.at(record.start, min(record.size, _MAX_TEXT_BYTES))
    return raw.decode("latin-1").strip()


def _number(source: ByteSource, names: dict[str, Record], name: str) -> int | None:
    text = _text(source, names, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise damaged(source.name, f"its {name} is {text!r}, expected a whole number")
    return int(text)


def _alignment(source: ByteSource, names: dict[str, Record]) -> int:
    alignment = _number(source, names, ".storage_alignment")
    if alignment is None:
        return DEFAULT_ALIGNMENT
    if not 1 <= alignment <= _MAX_ALIGNMENT:
        raise damaged(source.name, f"its .storage_alignment is {alignment}, expected 1 to {_MAX_ALIGNMENT}")
    return alignment


def _byteorder(source: ByteSource, names: dict[str, Record]) -> str | None:
    order = _text(source, names, "byteorder")
    if order not in (None, "little", "big"):
        raise damaged(source.name, f"its byteorder is {order!r}, expected little or big")
    return order


def _storages(name: str, said: tuple[Storage, ...], names: dict[str, Record]) -> dict[str, StoredStorage]:
    found: dict[str, StoredStorage] = {}
    for storage in said:
        stored = _stored(name, storage, names)
        known = found.setdefault(storage.key, stored)
        if known.bytes != stored.bytes:
            raise damaged(name, f"storage {storage.key} is said to have {known.bytes} bytes, and {stored.bytes}")
    return found


def _stored(name: str, storage: Storage, names: dict[str, Record]) -> StoredStorage:
    if storage.type_name not in STORAGE_DTYPES:
        raise damaged(name, f"storage {storage.key} is of the unknown class {storage.type_name}")
    dtype = STORAGE_DTYPES[storage.type_name]
    size = storage.numel * ITEM_BYTES[dtype]
    record = names.get(f"data/{storage.key}")
    if record is None:
        raise damaged(name, f"it has no record data/{storage.key}, which its pickle names")
    if record.size < size:
        what = f"record data/{storage.key} has {record.size} bytes, its {storage.numel} elements of {dtype} need {size}"
        raise damaged(name, what)
    return StoredStorage(storage.key, dtype, storage.location.decoded(), size, record)
