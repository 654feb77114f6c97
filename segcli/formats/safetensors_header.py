"""Reads the header of a safetensors file: eight bytes of length, JSON, then the tensors' bytes without gaps.

Source: the format's specification in the README of safetensors 0.8, and ``Metadata::validate`` in its ``tensor.rs``.
"""

import json
from dataclasses import dataclass
from math import prod
from typing import Any

from segcli.formats.byte_source import MADE_SO, ByteSource, damaged
from segcli.formats.dtypes import ITEM_BYTES, SAFETENSORS_DTYPES
from segcli.formats.tensor_header import TensorHeader
from segcli.units import INT64_MAX

MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
# Bits of what is smaller than a byte.
_SUB_BYTE_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a safetensors file holds: its tensors in the order of their bytes, and its metadata."""

    tensors: tuple[TensorHeader, ...]
    metadata: dict[str, str]


def read_safetensors_header(source: ByteSource) -> SafetensorsHeader:
    """Read the header of a safetensors file; no tensor's bytes are read.

    Raises:
        SegcliError: Where the file is cut short, or its header is not what the format says.
    """
    if source.size < _LENGTH_BYTES:
        raise damaged(source.name, f"it has {source.size} bytes, and its header's length alone takes 8")
    length = int.from_bytes(source.at(0, _LENGTH_BYTES), "little")
    if length > MAX_HEADER_BYTES:
        raise damaged(source.name, f"its header would have {length} bytes, more than the format's {MAX_HEADER_BYTES}")
    if length > source.size - _LENGTH_BYTES:
        what = f"its header of {length} bytes is cut short: {length + _LENGTH_BYTES - source.size} bytes are missing"
        raise damaged(source.name, what)
    header = _parsed(source.name, source.at(_LENGTH_BYTES, length))
    metadata = _metadata(source.name, header.pop("__metadata__", {}))
    placed = [_tensor(source.name, key, value) for key, value in header.items()]
    placed.sort(key=lambda item: item[:2])
    _check_coverage(source, [(start, end, tensor.key) for start, end, tensor in placed], _LENGTH_BYTES + length)
    return SafetensorsHeader(tuple(tensor for _, _, tensor in placed), metadata)


def _parsed(name: str, raw: bytes) -> dict[str, Any]:
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"its header is not JSON: {error}", MADE_SO) from error
    if not isinstance(header, dict):
        raise damaged(name, "its header is not a JSON object")
    return header


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        message = "a name stands in it twice"
        raise ValueError(message)
    return content


def _metadata(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise damaged(name, "its __metadata__ is not a mapping of text to text")
    return value


def _tensor(name: str, key: str, value: object) -> tuple[int, int, TensorHeader]:
    match value:
        case {"dtype": str() as code, "shape": list() as shape, "data_offsets": [start, end], **rest} if not rest:
            if all(_is_size(number) for number in (start, end, *shape)):
                return start, end, _checked_tensor(name, key, code, tuple(shape), end - start)
    raise damaged(name, f"tensor {key!r} has no dtype, shape and data_offsets as the format has them")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT64_MAX


def _checked_tensor(name: str, key: str, code: str, shape: tuple[int, ...], size: int) -> TensorHeader:
    dtype = SAFETENSORS_DTYPES.get(code, code.lower())
    bits = _SUB_BYTE_BITS.get(code) or 8 * ITEM_BYTES.get(dtype, 0)
    if not bits:
        raise damaged(name, f"tensor {key!r} has the unknown dtype {code!r}")
    if prod(shape) * bits != size * 8:
        raise damaged(name, f"tensor {key!r} has {size} bytes, its shape and dtype need {prod(shape) * bits // 8}")
    stride = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return TensorHeader(key, shape, dtype, "cpu", size, key, 0, stride)


def _check_coverage(source: ByteSource, ranges: list[tuple[int, int, str]], data_start: int) -> None:
    """Refuse gaps, overlaps, and an end of the file that is not the end of the last tensor."""
    done = 0
    for start, end, key in ranges:
        if start != done:
            raise damaged(source.name, f"tensor {key!r} starts at byte {start} of the data, expected {done}")
        done = end
    missing = data_start + done - source.size
    if missing > 0:
        raise damaged(source.name, f"it has {source.size} bytes of {data_start + done}: {missing} are missing")
    if missing < 0:
        raise damaged(source.name, f"{-missing} bytes follow its last tensor")
