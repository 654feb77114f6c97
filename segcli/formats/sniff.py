"""Says what a file is from its first bytes, since people name anything ``.pth``."""

import re
from enum import StrEnum

from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, ByteSource
from segcli.formats.safetensors_header import read_safetensors_header

_HEAD_BYTES = 512
_TAR_MAGIC_AT = 257
# 0x1950a86a20f9469cfc6c as LONG1 writes it: the first thing in what torch.save wrote before 1.6.
_LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
_MAX_SAFETENSORS_HEADER = 100_000_000
# How pickles of protocol 0 begin that are a dict, a list, or name a class or function after at most some atoms; and how
# all end.
_PROTOCOL_0 = re.compile(rb"\([dl]p[01]\n|\(*(?:[SVIFL][^\n]*\n\(*)*[ci][A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n")
_STOP = b"."


class Kind(StrEnum):
    """What a file is."""

    ZIP = "zip"
    SAFETENSORS = "safetensors"
    LEGACY = "legacy"
    TAR = "tar"
    DCP = "dcp"
    PICKLE = "pickle"
    LFS = "Git-LFS pointer"
    HTML = "HTML page"
    XML = "XML document"
    JSON = "JSON document"
    GZIP = "gzip"
    SEVEN_ZIP = "7z"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZSTD = "Zstandard"
    RAR = "rar"
    HDF5 = "HDF5"
    NPY = "npy"
    GGUF = "GGUF"
    IMAGE = "image"
    PROGRAM = "program"
    BLANK = "zeros"
    UNKNOWN = "unknown"


_MAGIC = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    # The same number as pickles of protocol 1 write it.
    (b"L119547037146038801333356L\n.", Kind.LEGACY),
    (b"version https://git-lfs", Kind.LFS),
    (b"\x1f\x8b", Kind.GZIP),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"BZh", Kind.BZIP2),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (b"\x93NUMPY", Kind.NPY),
    (b"GGUF", Kind.GGUF),
    (b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"\x7fELF", Kind.PROGRAM),
)


def sniff(source: ByteSource) -> Kind:
    """Return what a file is, by its first bytes and not by its name."""
    head = source.at(0, min(_HEAD_BYTES, source.size))
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _is_safetensors(head, source.size):
        return Kind.SAFETENSORS
    if head[_TAR_MAGIC_AT:].startswith(b"ustar"):
        return Kind.TAR
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind.LEGACY if _LEGACY_MAGIC in head[:32] else Kind.PICKLE
    if _PROTOCOL_0.match(head) and source.at(source.size - 1, 1) == _STOP:
        return Kind.PICKLE
    return _sniff_text(head)


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and len(head) > 8 and length <= min(_MAX_SAFETENSORS_HEADER, max(size, 1))  # noqa: PLR2004


def _sniff_text(head: bytes) -> Kind:
    if not head.strip(b"\0"):
        return Kind.BLANK
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Kind.HTML
    if text.startswith(b"<?xml"):
        return Kind.HTML if b"<html" in text else Kind.XML
    return Kind.JSON if text.startswith((b"{", b"[")) else Kind.UNKNOWN


def refusal(source: ByteSource, kind: Kind) -> SegcliError:
    """Return the error for a file that is no checkpoint which can be read here: what it is, and the way out."""
    if kind is Kind.UNKNOWN and source.name.lower().endswith(".safetensors"):
        try:
            read_safetensors_header(source)
        except SegcliError as error:
            return error
    what, hint = _REFUSALS.get(kind, (f"a file of the format {kind}, not a checkpoint", _UNPACK.get(kind, "")))
    if kind is Kind.PICKLE and _NESTED_NAME in source.at(0, min(_NESTED_BYTES, source.size)):
        what, hint = _NESTED
    words = {"name": source.name, "size": source.size, "head": source.at(0, min(8, source.size))}
    return SegcliError(f"{source.name} is {what.format(**words)}", hint=hint.format(**words))


_AS_ZIP = "write it as a zip: segcli ckpt convert '{name}' zip.pth --format zip"
# What rebuilds a tensor in a pickle that torch.save did not write, and how far into a file it is looked for.
_NESTED_NAME = b"_load_from_bytes"
_NESTED_BYTES = 2**20
_RESAVE_NESTED = (
    "import io, pickle, torch; "
    "torch.storage._load_from_bytes = lambda data: torch.load(io.BytesIO(data), map_location='cpu'); "
    "torch.save(pickle.load(open('{name}', 'rb')), 'zip.pth')"
)
_NESTED = (
    "a plain pickle (pickle.dump) with tensors in it, each of which is a whole legacy checkpoint in a string of bytes",
    f'loading it runs what it says; if you trust it, write it as a checkpoint: python -c "{_RESAVE_NESTED}"',
)
_KNOWN = "known are torch's checkpoints (.pth, .pt, .ckpt, .bin), and .safetensors"
# What a file is, and the way out.
_REFUSALS = {
    Kind.LEGACY: (
        "a checkpoint in torch's legacy format (before 1.6), which is not read here",
        _AS_ZIP,
    ),
    Kind.TAR: (
        "a tar file, as torch wrote before 0.1.10, which is not read here",
        _AS_ZIP,
    ),
    Kind.PICKLE: (
        "a plain pickle, which torch.save did not write",
        "loading it runs what it says: do so only if you trust where it comes from, and torch.save what you get",
    ),
    Kind.SAFETENSORS: (
        "a safetensors file, which names no device, so there is nothing to convert",
        "choose the device where it is loaded: load_file('{name}', device='cpu')",
    ),
    Kind.IMAGE: ("an image, not a checkpoint", _KNOWN),
    Kind.PROGRAM: ("a program or a library of one, not a checkpoint", _KNOWN),
    Kind.LFS: (
        "a Git-LFS pointer of {size} bytes, not the file that it stands for",
        "fetch the file itself: git lfs pull",
    ),
    Kind.HTML: (
        "an HTML page, not a checkpoint",
        "a server answered with it: open it, and check the link and the login",
    ),
    Kind.XML: (
        "an XML document, not a checkpoint",
        "a server answered with it: open it, and check the link and the login",
    ),
    Kind.BLANK: ("blank: it starts with zeros, so its content was never written", FETCH_AGAIN),
    Kind.UNKNOWN: (
        "no checkpoint that is known here: it starts with {head!r}",
        _KNOWN,
    ),
}
_UNPACK = {
    Kind.GZIP: "unpack it first, with gunzip or tar -xzf, and give what is inside",
    Kind.SEVEN_ZIP: "unpack it first, with 7z x, and give what is inside",
    Kind.XZ: "unpack it first, with unxz or tar -xJf, and give what is inside",
    Kind.BZIP2: "unpack it first, with bunzip2 or tar -xjf, and give what is inside",
    Kind.ZSTD: "unpack it first, with unzstd, and give what is inside",
    Kind.RAR: "unpack it first, with unrar x, and give what is inside",
    Kind.HDF5: "it may be Keras weights; torch's end in .pth or .pt",
    Kind.GGUF: "llama.cpp and ggml read it; torch's checkpoints end in .pth or .pt",
    Kind.NPY: "it is one NumPy array: numpy.load reads it",
    Kind.JSON: "it may be the index of a checkpoint in several files: give one of those",
}
