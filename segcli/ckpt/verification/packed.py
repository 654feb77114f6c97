"""Looks into the records of a zip that another program compressed, which torch.load reads if it need not map them."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segcli.ckpt.verification.findings import Findings, Severity
from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.torch_zip import MAX_PICKLE_BYTES, PICKLE_NAME
from segcli.formats.zip_directory import Entry

# What is unpacked of one file; a bomb of some megabytes would be as many gigabytes.
MAX_UNPACKED_BYTES = 4 * 2**30

_LOCAL = struct.Struct("<4s5H3L2H")
_PIECE_BYTES = 2**16
_DEFLATED = 8
_RAW_STREAM = -15
_RESAVE = 'open and save it with torch: torch.save(torch.load(SRC, map_location="cpu"), DST)'


@dataclass(frozen=True)
class Packed:
    """What is known of compressed records.

    Attributes:
        checked: How many of them were unpacked, and compared with their checksums.
        pickle: The checkpoint's pickle, where that is one of them.
    """

    checked: int
    pickle: bytes | None


def check_packed(
    source: ByteSource, entries: Sequence[Entry], findings: Findings, advance: Callable[[int], None]
) -> Packed:
    """Unpack every compressed record, and take note of each that is not what was packed.

    Args:
        source: The file.
        entries: Its directory.
        findings: Where to take note.
        advance: Told of bytes as they are read.
    """
    checked, pickle, left = 0, None, MAX_UNPACKED_BYTES
    packed = [entry for entry in entries if entry.method]
    if packed:
        more = f" and {len(packed) - 1:,} more" if len(packed) > 1 else ""
        what = f"compressed{more and f', it{more}'}: torch.load reads that, but with mmap=True fails or loads garbage"
        findings.add(Severity.WARNING, f"{what} in silence", packed[0].name)
        findings.suggest(f"it was zipped by another program; {_RESAVE}")
    for entry in packed:
        is_pickle = entry.name.partition("/")[2] == PICKLE_NAME
        if entry.method != _DEFLATED:
            findings.add(Severity.ERROR, f"compressed by method {entry.method}, which torch does not read", entry.name)
        elif entry.size > (min(left, MAX_PICKLE_BYTES) if is_pickle else left):
            findings.add(Severity.NOTE, f"its {entry.size:,} bytes were not unpacked: they are too many", entry.name)
        else:
            left -= entry.size
            try:
                content = _unpack(source, entry, keep=is_pickle)
            except SegcliError as error:
                findings.complain(error, entry.name)
            else:
                pickle = content if is_pickle else pickle
                checked += 1
        advance(entry.packed)
    return Packed(checked, pickle)


def _unpack(source: ByteSource, entry: Entry, *, keep: bool) -> bytes:
    """Unpack a record, and return its content where that is to be kept.

    Raises:
        SegcliError: Where that is not what its headers say.
    """
    crc, size, kept = 0, 0, bytearray()
    try:
        for piece in _pieces(source, entry):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if size > entry.size:
                break
            if keep:
                kept += piece
    except zlib.error as error:
        raise damaged(source.name, f"record {entry.name} cannot be unpacked: {error}") from error
    if size != entry.size:
        found = "more" if size > entry.size else f"{size:,} bytes"
        raise damaged(source.name, f"record {entry.name} unpacks to {found}, expected {entry.size:,} bytes")
    # 0 stands for "none was computed".
    if entry.crc not in (0, crc):
        raise damaged(source.name, f"the checksum of {entry.name} is {crc:08x}, expected {entry.crc:08x}")
    return bytes(kept)


def _pieces(source: ByteSource, entry: Entry) -> Iterator[bytes]:
    signature, _, _, method, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack(
        source.at(entry.header, _LOCAL.size)
    )
    at = entry.header + _LOCAL.size
    if signature != b"PK\x03\x04" or method != entry.method or source.at(at, name_length) != entry.raw_name:
        raise damaged(source.name, f"the two headers of record {entry.name} disagree")
    at += name_length + extra_length
    end = at + entry.packed
    stream = zlib.decompressobj(_RAW_STREAM)
    while at < end and not stream.eof:
        data = source.at(at, min(_PIECE_BYTES, end - at))
        at += len(data)
        while data and not stream.eof:
            yield stream.decompress(data, _PIECE_BYTES)
            data = stream.unconsumed_tail
    if not stream.eof:
        yield stream.flush()
