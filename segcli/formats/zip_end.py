"""Finds a zip's directory from the records at the file's end."""

import struct
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, ByteSource, damaged

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_END64_SIGNATURE = b"PK\x06\x06"
# A comment, the longest thing that may follow an end record, has at most this many bytes.
_MAX_COMMENT = 0xFFFF
# What a field holds whose value did not fit.
_SATURATED = {2: 0xFFFF, 4: 0xFFFFFFFF}


@dataclass(frozen=True)
class Directory:
    """Where the central directory lies, in bytes, and how many entries it has."""

    start: int
    size: int
    entries: int


def find_directory(source: ByteSource) -> Directory:
    """Read the end record, and the zip64 one where there is one; the file must end with them, and they must agree.

    Raises:
        SegcliError: Where the end is missing (the file was cut short), is followed by something, or contradicts itself.
    """
    if source.size < _END.size or source.at(source.size - _END.size, 4) != _END_SIGNATURE:
        raise _without_end(source)
    at = source.size - _END.size
    _, disk, first_disk, here, entries, size, start, comment = _END.unpack(source.at(at, _END.size))
    if disk or first_disk or here != entries or comment:
        raise damaged(source.name, "its end record contradicts itself, or speaks of several disks or of a comment")
    directory, end = Directory(start, size, entries), at
    locator = source.at(at - _LOCATOR64.size, _LOCATOR64.size) if at >= _LOCATOR64.size else b""
    if locator.startswith(_LOCATOR_SIGNATURE):
        directory, end = _find_directory64(source, at - _LOCATOR64.size, locator)
        _refuse_disagreement(source.name, directory, Directory(start, size, entries))
    if directory.start + directory.size != end:
        what = f"its directory ends at byte {directory.start + directory.size}, its end record starts at {end}"
        raise damaged(source.name, what)
    return directory


def _find_directory64(source: ByteSource, at: int, locator: bytes) -> tuple[Directory, int]:
    _, disk, end, disks = _LOCATOR64.unpack(locator)
    if disk or disks != 1 or end + _END64.size != at:
        raise damaged(source.name, f"its zip64 end record should be at byte {at - _END64.size}, {end} is named")
    signature, length, _, _, disk, first_disk, here, entries, size, start = _END64.unpack(source.at(end, _END64.size))
    # The length leaves out the signature and itself.
    if signature != _END64_SIGNATURE or length != _END64.size - 12 or disk or first_disk or here != entries:
        raise damaged(source.name, "its zip64 end record contradicts itself")
    return Directory(start, size, entries), end


def _refuse_disagreement(name: str, wide: Directory, narrow: Directory) -> None:
    for whole, short, width in (
        (wide.entries, narrow.entries, 2),
        (wide.size, narrow.size, 4),
        (wide.start, narrow.start, 4),
    ):
        if short not in (whole, _SATURATED[width]):
            raise damaged(name, f"its two end records disagree: {whole} and {short}")


def _without_end(source: ByteSource) -> SegcliError:
    tail = source.at(max(0, source.size - _MAX_COMMENT - _END.size), min(source.size, _MAX_COMMENT + _END.size))
    found = tail.rfind(_END_SIGNATURE)
    if 0 <= found <= len(tail) - _END.size:
        extra = len(tail) - found - _END.size
        return damaged(source.name, f"{extra} bytes follow its zip end record")
    message = f"{source.name} is truncated: it starts as a zip, but its {source.size:,} bytes end without a zip's end"
    return SegcliError(message, hint=FETCH_AGAIN)
