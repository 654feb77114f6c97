"""Reads where the files in a tar archive lie, and refuses every archive that two readers could read differently.

Source: POSIX.1-2008, ``pax``: the ustar interchange format and pax extended headers; GNU tar's base-256 numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, ByteSource, damaged

BLOCK_BYTES = 512
MAX_MEMBERS = 1_000
# Of a pax header, which holds a few lines.
_MAX_PAX_BYTES = 2**16

_NAME, _SIZE, _CHECKSUM, _TYPE, _MAGIC, _PREFIX = (
    slice(0, 100),
    slice(124, 136),
    slice(148, 156),
    slice(156, 157),
    slice(257, 262),
    slice(345, 500),
)
_FILES = (b"0", b"\0")
_TYPES = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder"}


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name, its first byte and its size."""

    name: str
    start: int
    size: int


def read_members(source: ByteSource) -> dict[str, Member]:
    """Return the files of a tar archive by name, in their order; nothing of them is read.

    Raises:
        SegcliError: For an archive that is truncated or damaged, has links, folders or devices, a name twice, or a name
            that leads out of it.
    """
    found: dict[str, Member] = {}
    for member in _members(source):
        if member.name in found:
            raise damaged(source.name, f"it has two files named {member.name}")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise damaged(source.name, f"its file {member.name} would lie outside of it")
        found[member.name] = member
        if len(found) > MAX_MEMBERS:
            message = f"{source.name} has more than {MAX_MEMBERS:,} files"
            raise SegcliError(
                message, hint="it is a tar archive, but no checkpoint: unpack it, and give one of its files"
            )
    return found


def _members(source: ByteSource) -> Iterator[Member]:
    at = 0
    said: dict[str, str] = {}
    while any(block := _block(source, at)):
        _check_block(source.name, block, at)
        name, size = _named(block), int(said.get("size", "") or _number(source.name, block[_SIZE]))
        start, kind = at + BLOCK_BYTES, block[_TYPE]
        if start + size > source.size:
            message = f"{source.name} is truncated: it has {source.size:,} bytes, and its file {name} ends at"
            message += f" {start + size:,}: {start + size - source.size:,} are missing"
            raise SegcliError(message, hint=FETCH_AGAIN)
        if kind == b"x":
            said = _pax(source, start, size)
        elif kind in _FILES:
            yield Member(said.get("path", name), start, size)
            said = {}
        else:
            what = _TYPES.get(kind, f"of the type {kind.decode('latin-1')!r}")
            raise damaged(source.name, f"its member {name} is {what}, and torch writes plain files")
        at = start + -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _block(source: ByteSource, at: int) -> bytes:
    """Return the header at a place; where the archive ends there are zeros, or nothing at all."""
    left = source.size - at
    if 0 < left < BLOCK_BYTES:
        message = f"{source.name} is truncated: it ends inside of the header at byte {at}"
        raise SegcliError(message, hint=FETCH_AGAIN)
    return source.at(at, BLOCK_BYTES) if left > 0 else b""


def _check_block(name: str, block: bytes, at: int) -> None:
    if block[_MAGIC] != b"ustar":
        raise damaged(name, f"there is no tar header at byte {at}")
    blank = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    if _number(name, block[_CHECKSUM]) != sum(blank):
        raise damaged(name, f"the checksum of its header at byte {at} is wrong")


def _named(block: bytes) -> str:
    name, prefix = _text(block[_NAME]), _text(block[_PREFIX])
    # GNU tar keeps times where ustar has the prefix.
    return f"{prefix}/{name}" if prefix and block[257:263] == b"ustar\0" else name


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(name: str, field: bytes) -> int:
    if field[0] == 0x80:  # noqa: PLR2004 - the mark of base 256
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise damaged(name, f"a number in a tar header is {field!r}, expected octal digits")
    return int(digits, 8)


def _pax(source: ByteSource, start: int, size: int) -> dict[str, str]:
    """Read an extended header: lines of their own length, a key and a value, which hold for the next member."""
    if size > _MAX_PAX_BYTES:
        raise damaged(source.name, f"an extended header has {size:,} bytes")
    data, found = source.at(start, size), {}
    while data:
        length, space, _ = data.partition(b" ")
        count = int(length) if length.isdigit() and len(length) < 6 else 0  # noqa: PLR2004 - no line is as long
        line = data[len(length) + 1 : count]
        key, equals, value = line.partition(b"=")
        if not (space and equals and value.endswith(b"\n") and count <= len(data)):
            raise damaged(source.name, f"its extended header at byte {start} cannot be read")
        found[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        data = data[count:]
    if not found.get("size", "0").isdigit():
        raise damaged(source.name, f"an extended header says the size {found['size']!r}")
    return found
