"""Reads the header of an npy file: a magic, a version, a length, and a Python dict of three entries, never evaluated.

Source: NumPy 2.4, ``numpy/lib/_format_impl.py`` (versions 1.0, 2.0 and 3.0).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.tensor_header import TensorHeader
from segcli.units import INT64_MAX

MAGIC = b"\x93NUMPY"
# Version 1 has two bytes for the length; no array of numbers needs more.
MAX_HEADER_BYTES = 65_535

_MAX_DIMENSIONS = 64
_SHOWN = 40
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_ENTRY = re.compile(
    r"""\s*(?P<quote>['"])(?P<key>descr|fortran_order|shape)(?P=quote)\s*:\s*
    (?:(?P<text>'[^'\\]*'|"[^"\\]*")|(?P<word>True|False)|\((?P<sizes>[0-9L,\s]*)\)|(?P<nested>[\[(]))""",
    re.VERBOSE,
)
_CODE = re.compile(r"(?P<order>[<>|=]?)(?P<code>[a-zA-Z?][0-9]{0,6})(?P<unit>\[[a-zA-Z0-9/]*\])?")
_DTYPES = {"?": "bool", "b1": "bool", "f2": "float16", "f4": "float32", "f8": "float64"}
_DTYPES |= {f"{kind}{size}": f"{word}int{8 * size}" for kind, word in (("i", ""), ("u", "u")) for size in (1, 2, 4, 8)}
_DTYPES |= {"c8": "complex64", "c16": "complex128"}
# What arrays hold that no tensor can.
_KINDS = {
    "O": "Python objects, which only unpickling brings back",
    "U": "text",
    "S": "bytes",
    "a": "bytes",
    "V": "raw bytes (numpy saves dtypes of other packages so, such as bfloat16)",
    "M": "dates",
    "m": "time spans",
    "f": "floats of a width that torch has not",
    "c": "complex numbers of a width that torch has not",
}
_HINT = "save it with a dtype that torch has, such as array.astype('float32')"


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an npy header says.

    Attributes:
        tensor: The array; its strides are in elements.
        fortran_order: Whether its first axis runs fastest.
        start: Where the values start.
    """

    tensor: TensorHeader
    fortran_order: bool
    start: int


def read_npy_header(source: ByteSource) -> NpyHeader:
    """Read the header of an npy file; no value is read.

    Raises:
        SegcliError: Where the file is cut short, is damaged, or holds what is no tensor.
    """
    place = 0

    def take(count: int) -> bytes:
        nonlocal place
        place += count
        return source.at(place - count, min(count, max(0, source.size - place + count)))

    return parse_npy_header(take, source.name, source.size)


def parse_npy_header(take: Callable[[int], bytes], name: str, size: int) -> NpyHeader:
    """Read an npy header from wherever it lies.

    Args:
        take: Returns the next bytes, fewer where there are no more.
        name: What messages call it.
        size: Bytes of all, header and values.

    Raises:
        SegcliError: As `read_npy_header`.

    Examples:
        >>> import io
        >>> head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
        >>> raw = io.BytesIO(MAGIC + bytes([1, 0, len(head), 0]) + head)
        >>> parse_npy_header(raw.read, "x.npy", 10 + len(head) + 24).tensor.shape
        (2, 3)
    """
    start = _exactly(take, len(MAGIC) + 2, name)
    if not start.startswith(MAGIC):
        raise damaged(name, f"it starts with {start[: len(MAGIC)]!r}, expected the magic of npy, {MAGIC!r}")
    major, minor = start[-2:]
    if major not in _LENGTH_BYTES or minor:
        message = f"{name} is of npy version {major}.{minor}, and 1.0, 2.0 and 3.0 are read"
        raise SegcliError(message)
    width = _LENGTH_BYTES[major]
    length = int.from_bytes(_exactly(take, width, name), "little")
    if length > MAX_HEADER_BYTES:
        raise damaged(name, f"its header would have {length} bytes, more than any array needs ({MAX_HEADER_BYTES})")
    # Of what is read here all is ASCII; latin-1 lets the names of fields pass.
    entries = _entries(_exactly(take, length, name).decode("latin-1"), name)
    return _header(entries, name, len(start) + width + length, size)


def _exactly(take: Callable[[int], bytes], count: int, name: str) -> bytes:
    part = take(count)
    if len(part) < count:
        raise damaged(name, "it ends within its npy header")
    return part


def _entries(text: str, name: str) -> dict[str, re.Match[str]]:
    """Read the dict, which holds each of three keys once."""
    entries: dict[str, re.Match[str]] = {}
    place = len(text) - len(text.lstrip()) + 1
    if not text.lstrip().startswith("{"):
        raise _unreadable(name, text)
    while found := _ENTRY.match(text, place):
        if found["key"] in entries:
            raise damaged(name, f"its npy header has {found['key']} twice")
        entries[found["key"]] = found
        if found["nested"]:
            if found["key"] == "descr":
                message = f"{name} is a structured array, with fields of their own dtypes"
                raise SegcliError(message, hint="save each field as an array: numpy.save('field.npy', array['field'])")
            raise _unreadable(name, text[found.start() :])
        after = re.compile(r"\s*(?P<comma>,?)").match(text, found.end())
        place = after.end() if after else found.end()
        if after is not None and not after["comma"]:
            break
    if not re.fullmatch(r"\s*\}\s*", text[place:]) or len(entries) != len(("descr", "fortran_order", "shape")):
        raise _unreadable(name, text[place:])
    return entries


def _unreadable(name: str, text: str) -> SegcliError:
    shown = text.strip()[:_SHOWN]
    return damaged(name, f"its npy header is no dict of descr, fortran_order and shape: {shown!r}")


def _header(entries: dict[str, re.Match[str]], name: str, start: int, size: int) -> NpyHeader:
    code, order = entries["descr"]["text"], entries["fortran_order"]["word"]
    if code is None or order is None or entries["shape"]["sizes"] is None:
        raise damaged(name, "its npy header has entries of another type than text, a bool and a tuple of numbers")
    shape = _shape(entries["shape"]["sizes"], name)
    dtype, item_bytes = _dtype(code[1:-1], name)
    fortran = order == "True"
    data = prod(shape) * item_bytes
    if data > size - start:
        what = f"its {'x'.join(map(str, shape)) or 'one'} elements of {dtype} take {data} bytes, it has {size - start}"
        raise damaged(name, what)
    axes = range(len(shape))
    stride = tuple(prod(shape[:axis]) if fortran else prod(shape[axis + 1 :]) for axis in axes)
    return NpyHeader(TensorHeader("", shape, dtype, "cpu", data, None, 0, stride), fortran, start)


def _shape(text: str, name: str) -> tuple[int, ...]:
    # Python 2 wrote long numbers with an L.
    found = re.fullmatch(r"\s*(?:(?:[0-9]{1,19}L?\s*,\s*)+(?:[0-9]{1,19}L?\s*)?)?", text)
    shape = tuple(int(digits) for digits in re.findall(r"[0-9]+", text)) if found else ()
    if not found or any(size > INT64_MAX for size in shape) or len(shape) > _MAX_DIMENSIONS:
        raise damaged(name, f"its npy header has the shape ({text.strip()[:_SHOWN]}), expected a tuple of sizes")
    return shape


def _dtype(code: str, name: str) -> tuple[str, int]:
    """Return torch's name of a dtype, and the bytes of an element. The byte order changes neither."""
    found = _CODE.fullmatch(code)
    dtype = _DTYPES.get(found["code"]) if found and not found["unit"] else None
    if dtype and found:
        return dtype, int(found["code"][1:] or 1)
    kind = _KINDS.get(found["code"][0]) if found else None
    if kind is None:
        raise damaged(name, f"its npy header has the unknown dtype {code[:_SHOWN]!r}")
    message = f"{name} is of NumPy's dtype {code!r}: {kind}"
    raise SegcliError(message, hint=_HINT)
