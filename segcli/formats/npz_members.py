"""Reads what arrays an npz file has, and the header of one: a zip of npy files, stored or deflated.

Python's own zip reader inflates no more of a member than its header, however much it would come to.
"""

import os
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.npy_header import NpyHeader, parse_npy_header
from segcli.formats.zip_end import find_directory
from segcli.formats.zip_records import MAX_DIRECTORY_BYTES, MAX_RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile

_SUFFIX = ".npy"
# Source: APPNOTE.TXT 6.3.10, 4.4.5.
_METHODS = (0, 8)


@contextmanager
def _opened(source: ByteSource) -> "Iterator[ZipFile]":
    """Open the zip; whatever Python's reader says of a bad one becomes an error of ours."""
    from zipfile import BadZipFile, ZipFile

    directory = find_directory(source)
    if directory.entries > MAX_RECORDS or directory.size > MAX_DIRECTORY_BYTES:
        raise damaged(source.name, f"its directory has {directory.entries} entries in {directory.size} bytes")
    try:
        with os.fdopen(os.dup(source.fd), "rb") as file, ZipFile(file) as archive:
            yield archive
    except (BadZipFile, EOFError, OSError, OverflowError, RuntimeError, ValueError, struct.error, zlib.error) as error:
        raise damaged(source.name, f"its zip cannot be read: {str(error)[:200]}") from error


def list_members(source: ByteSource) -> tuple[str, ...]:
    """Return the keys of an npz file's arrays; none where it is another kind of zip.

    Raises:
        SegcliError: For a damaged zip.
    """
    with _opened(source) as archive:
        names = archive.namelist()
    if not all(name.endswith(_SUFFIX) for name in names):
        return ()
    return tuple(name.removesuffix(_SUFFIX) for name in names)


def read_member_header(source: ByteSource, key: str) -> NpyHeader:
    """Read the header of one array; its values are neither read nor inflated.

    Args:
        source: The npz file.
        key: One of its keys.

    Raises:
        SegcliError: Where there is no such array, or it is damaged, encrypted, or compressed in another way.
    """
    name = f"{source.name}:{key}"
    with _opened(source) as archive:
        member = archive.NameToInfo.get(key + _SUFFIX)
        if member is None:
            message = f"{source.name} has no array {key!r}"
            raise SegcliError(message)
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            what = "encrypted" if member.flag_bits & 1 else f"compressed by method {member.compress_type}"
            message = f"{name} is {what}, and NumPy's stored and deflated members are read"
            raise SegcliError(message, hint="save it again with numpy.savez or numpy.savez_compressed")
        with archive.open(member) as stream:
            return parse_npy_header(stream.read, name, member.file_size)
