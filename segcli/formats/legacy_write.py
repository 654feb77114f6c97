"""Writes a checkpoint in torch's legacy format, as versions before 1.6 read it.

Source: pytorch 2.13, ``torch/serialization.py`` (``_legacy_save``).
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

from segcli.formats.copying import Advance, write_at
from segcli.formats.payload import Payload, put_pieces
from segcli.formats.torch_legacy import COUNT_BYTES, MAGIC_NUMBER, PROTOCOL_VERSION

# What torch writes on every machine that it runs on today.
_SYSTEM = {
    "protocol_version": PROTOCOL_VERSION,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


@dataclass(frozen=True, slots=True)
class LegacyStorage:
    """A storage to be written: how many elements it has, and their bytes, little-endian."""

    numel: int
    data: Payload


def write_legacy(
    file: int, object_pickle: bytes, storages: Sequence[LegacyStorage], protocol: int, advance: Advance
) -> int:
    """Write a legacy checkpoint from the first byte of a file on, and return how many bytes it has.

    Args:
        file: A descriptor of an empty file.
        object_pickle: The object's pickle, which names its storages 0, 1, ...
        storages: Those, in that order.
        protocol: The protocol of the other pickles: the object's own.
        advance: Told of bytes of storages as they are written.
    """
    # Torch sorts the keys, which are texts: 10 comes before 2.
    keys = sorted(str(index) for index in range(len(storages)))
    head = [pickle.dumps(part, protocol=protocol) for part in (MAGIC_NUMBER, PROTOCOL_VERSION, _SYSTEM)]
    start = b"".join([*head, object_pickle, pickle.dumps(keys, protocol=protocol)])
    write_at(file, start, 0)
    at = len(start)
    for key in keys:
        storage = storages[int(key)]
        write_at(file, storage.numel.to_bytes(COUNT_BYTES, "little"), at)
        at += COUNT_BYTES
        at = put_pieces(storage.data.pieces(), file, at, advance)
    return at
