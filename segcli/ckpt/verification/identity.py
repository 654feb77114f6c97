"""Says what a file is that is named as a checkpoint and is none."""

import re
from collections.abc import Callable

from segcli.formats.byte_source import ByteSource
from segcli.formats.sniff import Kind, refusal
from segcli.units import format_bytes
from segcli.words import printable

_HEAD_BYTES = 2**16
_PIECE_BYTES = 2**20
_LONGEST_TITLE = 80
_POINTER = re.compile(rb"oid (\w+:[0-9a-f]+)\s+size ([0-9]{1,19})\s")
_TITLE = re.compile(rb"<title[^>]*>([^<]*)<", re.IGNORECASE)


def describe(source: ByteSource, kind: Kind) -> tuple[str, str]:
    """Return what a file is, and the way out.

    Args:
        source: The file.
        kind: What its first bytes say.
    """
    error = refusal(source, kind)
    what = error.message.removeprefix(f"{source.name} is ")
    return what + _MORE.get(kind, _nothing)(source), error.hint


def _nothing(_source: ByteSource) -> str:
    return ""


def _pointer(source: ByteSource) -> str:
    found = _POINTER.search(_head(source) + b"\n")
    if found is None:
        return ", and names none"
    size = int(found[2])
    return f", which has {size:,} bytes ({format_bytes(size)}), {found[1].decode()}"


def _title(source: ByteSource) -> str:
    found = _TITLE.search(_head(source))
    text = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return f": {printable(text[:_LONGEST_TITLE])!r}" if text else ""


def _zeros(source: ByteSource) -> str:
    at = 0
    while at < source.size:
        piece = source.at(at, min(_PIECE_BYTES, source.size - at))
        if rest := piece.lstrip(b"\0"):
            return f"; the first byte that is none is {at + len(piece) - len(rest):,} of {source.size:,}"
        at += len(piece)
    return f"; all of its {source.size:,} bytes are"


def _head(source: ByteSource) -> bytes:
    return source.at(0, min(_HEAD_BYTES, source.size))


_MORE: dict[Kind, Callable[[ByteSource], str]] = {Kind.LFS: _pointer, Kind.HTML: _title, Kind.BLANK: _zeros}
