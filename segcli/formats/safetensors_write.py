"""Writes a safetensors file: eight bytes of length, a header of JSON, then the tensors' bytes without gaps.

Source: ``prepare`` and ``serialize_to_file`` in ``tensor.rs`` of safetensors 0.8, whose output this is byte for byte.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.copying import Advance, write_at
from segcli.formats.dtypes import SAFETENSORS_DTYPES
from segcli.formats.payload import Payload
from segcli.formats.safetensors_header import MAX_HEADER_BYTES

_LENGTH_BYTES = 8
# The header's length is a multiple of it, so that the tensors' bytes start at one.
_ALIGNMENT = 8
# The order of ``Dtype``, the last of which come first in a file: what needs the coarsest alignment.
_ORDER = (
    *("BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"),
    *("I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64"),
)
_CODES = {dtype: code for code, dtype in SAFETENSORS_DTYPES.items()}


@dataclass(frozen=True, slots=True)
class OutTensor:
    """A tensor to be written.

    Attributes:
        key: Its name.
        dtype: Torch's name of its dtype.
        shape: Its shape.
        data: Its elements in order, little-endian.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    data: Payload


def code_of(dtype: str) -> str | None:
    """Return the format's name of a dtype; None where it has none.

    Examples:
        >>> code_of("bfloat16"), code_of("complex128")
        ('BF16', None)
    """
    code = _CODES.get(dtype, dtype.upper())
    return code if code in _ORDER else None


def in_order(tensors: Sequence[OutTensor]) -> list[OutTensor]:
    """Return tensors in the order in which the format's own writer has them: by dtype, then by name."""
    ranked = [(-_ORDER.index(_known_code(tensor)), tensor.key.encode(), tensor) for tensor in tensors]
    return [tensor for _, _, tensor in sorted(ranked, key=lambda one: one[:2])]


def write_safetensors(file: int, tensors: Sequence[OutTensor], metadata: Mapping[str, str], advance: Advance) -> int:
    """Write a safetensors file from the first byte of a file on, and return how many bytes it has.

    Args:
        file: A descriptor of an empty file.
        tensors: The tensors, in any order.
        metadata: Texts that the header keeps; none where it is empty.
        advance: Told of bytes of tensors as they are written.

    Raises:
        SegcliError: For a dtype that the format does not have, and where the header would be larger than any may be.
    """
    ordered = in_order(tensors)
    header = _header(ordered, metadata)
    if len(header) > MAX_HEADER_BYTES:
        message = f"the header would have {len(header):,} bytes, and the format's may have {MAX_HEADER_BYTES:,}"
        raise SegcliError(message, hint="write it as a zip checkpoint")
    write_at(file, len(header).to_bytes(_LENGTH_BYTES, "little") + header, 0)
    at = _LENGTH_BYTES + len(header)
    for tensor in ordered:
        tensor.data.write(file, at, advance)
        at += tensor.data.size
    return at


def _header(ordered: Sequence[OutTensor], metadata: Mapping[str, str]) -> bytes:
    content: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for tensor in ordered:
        offsets = [at, at + tensor.data.size]
        content[tensor.key] = {
            "dtype": _known_code(tensor),
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
        at += tensor.data.size
    raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % _ALIGNMENT)


def _known_code(tensor: OutTensor) -> str:
    code = code_of(tensor.dtype)
    if code is None:
        message = f"{tensor.key} has the dtype {tensor.dtype}, which safetensors does not have"
        raise SegcliError(message, hint="keep it in a zip checkpoint")
    return code
