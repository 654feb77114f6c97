"""Checkpoints made for tests: by torch itself, by torch's own zip writer, and by hand."""

import contextlib
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.serialization import config

from segcli.formats import zip_records
from segcli.formats.byte_source import open_source
from segcli.formats.zip_layout import Placed, descriptor, directory, local_header

# What users save has any type, and so has whatever goes through the hands of a test of it.
Saved = Any


@contextlib.contextmanager
def tagged(tag: str) -> Iterator[None]:
    """Let torch.save call every storage's device ``tag``, on a machine that has none."""
    registry = torch.serialization._package_registry
    kept = list(registry)
    # A new string for every storage, as torch makes on CUDA: pickle's memo then has none of them twice.
    make = (lambda _: "".join(list(tag))) if ":" in tag else (lambda _: tag)
    torch.serialization.register_package(0, make, lambda storage, found: storage if found == tag else None)
    try:
        yield
    finally:
        registry[:] = kept


@contextlib.contextmanager
def aligned(alignment: int) -> Iterator[None]:
    """Let torch.save align records to so many bytes."""
    with config.patch({"save.storage_alignment": alignment}):  # type: ignore[attr-defined]
        yield


@contextlib.contextmanager
def calculated_offsets() -> Iterator[None]:
    """Let torch.load add up where records lie, instead of reading it."""
    with config.patch({"load.calculate_storage_offsets": True}):  # type: ignore[attr-defined]
        yield


def save(content: object, path: Path, tag: str = "cpu", **options: Saved) -> Path:
    with tagged(tag):
        torch.save(content, path, **options)
    return path


def tags(path: Path) -> set[str]:
    """Return the tags that torch itself finds in a file."""
    found: set[str] = set()

    def note(storage: Saved, location: str) -> Saved:
        found.add(location)
        return storage

    torch.load(path, map_location=note, weights_only=False)
    return found


def write_records(path: Path, records: Mapping[str, bytes], **options: Saved) -> Path:
    """Write records with torch's own zip writer, which adds ``version`` and a serialization id."""
    writer = torch._C.PyTorchFileWriter(str(path), **options)
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return path


def read_records(path: Path) -> dict[str, bytes]:
    """Read records with Python's zipfile, their prefix left out."""
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


class _Persistent(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return obj.id if isinstance(obj, Outside) else None


class Outside:
    """What a pickle refers to by an id."""

    def __init__(self, *identity: object) -> None:
        self.id = identity


def storage(location: object = "cpu", key: str = "0", numel: int = 4) -> Outside:
    return Outside("storage", torch.FloatStorage, key, location, numel)


def pickled(content: object, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    _Persistent(buffer, protocol).dump(content)
    return buffer.getvalue()


FOUR_FLOATS = struct.pack("<4f", 1, 2, 3, 4)


def checkpoint(path: Path, data: bytes, **records: bytes) -> Path:
    """Write a checkpoint around a pickle, with one storage of four floats."""
    return write_records(path, {"data.pkl": data, "data/0": FOUR_FLOATS, **records})


class Calls:
    """Pickles as a call of a name with arguments."""

    def __init__(self, function: Saved, *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


def rebuild(name: str, *args: object) -> Calls:
    return Calls(getattr(torch._utils, name), *args)


# That a tensor requires no gradient.
NO = False
PLAIN = ("_rebuild_tensor", storage(), 0, (2, 2), (2, 1))


def laid_out(path: Path, alignment: int) -> list[tuple[int, bytes]]:
    """Lay the records of a file out anew; return every stretch that is not data, with its place."""
    with open_source(path) as source:
        records = zip_records.read_records(source, zip_records.read_directory(source))
    stretches, placed, at = [], [], 0
    for record in records:
        place = Placed(record.name.encode(), record.size, record.crc, at)
        header = local_header(place.name, place.size, at, alignment)
        end = at + len(header) + record.size
        stretches += [(at, header), (end, descriptor(place))]
        at = end + len(descriptor(place))
        placed.append(place)
    return [*stretches, (at, directory(placed, at))]


def check_layout(path: Path, alignment: int = 64) -> None:
    with path.open("rb") as file:
        end = 0
        for at, expected in laid_out(path, alignment):
            file.seek(at)
            assert file.read(len(expected)) == expected
            end = at + len(expected)
    assert end == path.stat().st_size


def large(path: Path, size: int = 8 * 2**20) -> Path:
    return save({"w": torch.ones(size // 4)}, path)
