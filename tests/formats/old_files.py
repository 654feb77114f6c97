"""Files as torch wrote them before 1.6, put together by hand: torch itself writes only some of them today."""

import io
import pickle
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from segcli.formats.legacy_write import _SYSTEM
from tests.formats.crafting import Outside, Saved, pickled

MAGIC = 0x1950A86A20F9469CFC6C


def save_legacy(content: object, path: Path, **options: Saved) -> Path:
    """Let torch write a legacy file."""
    torch.save(content, path, _use_new_zipfile_serialization=False, **options)
    return path


def part(
    key: str = "0",
    numel: int = 4,
    *,
    view: tuple[str, int, int] | None = None,
    location: object = "cpu",
    kind: object = torch.FloatStorage,
) -> Outside:
    """Return what a legacy pickle refers to by the id of a storage."""
    return Outside("storage", kind, key, location, numel, view)


def legacy(
    path: Path,
    data: bytes,
    storages: Mapping[str, Sequence[float]],
    *,
    magic: object = MAGIC,
    version: object = 1001,
    system: object = _SYSTEM,
    keys: object = None,
) -> Path:
    """Put a legacy file together around the pickle of an object."""
    keys = sorted(storages) if keys is None else keys
    head = b"".join(pickle.dumps(one, 2) for one in (magic, version, system))
    behind = b"".join(struct.pack(f"<q{len(floats)}f", len(floats), *floats) for _, floats in sorted(storages.items()))
    path.write_bytes(head + data + pickle.dumps(keys, 2) + behind)
    return path


def tensor_entry(key: object, storage: object, shape: Sequence[int], stride: Sequence[int], offset: int) -> bytes:
    """Return a tensor as the file ``tensors`` of a tar checkpoint has it."""
    numbers = struct.pack(f"<i4x{len(shape)}q{len(stride)}qq", len(shape), *shape, *stride, offset)
    return pickle.dumps((key, storage, torch.FloatTensor), 2) + numbers


def storage_entry(key: object, floats: Sequence[float], location: object = "cpu") -> bytes:
    """Return a storage as the file ``storages`` has it."""
    behind = struct.pack(f"<q{len(floats)}f", len(floats), *floats)
    return pickle.dumps((key, location, torch.FloatStorage), 2) + behind


def members(
    content: object, tensors: Sequence[bytes], storages: Sequence[bytes], views: Sequence[object] = ()
) -> dict[str, bytes]:
    """Return the files of a tar checkpoint, in the order in which torch added them."""
    return {
        "sys_info": pickle.dumps(_SYSTEM, 2),
        "pickle": pickled(content),
        "tensors": b"".join([pickle.dumps(len(tensors), 2), *tensors]),
        "storages": b"".join([pickle.dumps(len(storages), 2), *storages, pickle.dumps(list(views), 2)]),
    }


def tar(path: Path, files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, **fields: Saved) -> Path:
    """Write files into a tar archive, each with the given fields of a header."""
    with tarfile.open(path, "w:", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            # A time with a fraction takes a pax header, as every file of torch's had.
            info.mtime = 1500000000.25
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return path


class Reference(Outside):
    """Pickles as the key of a tensor in a tar checkpoint."""

    def __init__(self, key: object) -> None:
        self.id = key  # type: ignore[assignment]
