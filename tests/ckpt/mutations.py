"""Files that are nearly checkpoints: changed, cut, spliced, or put together from any opcodes; deterministic by seed."""

import pickle
import pickletools
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

from segcli.formats.zip_layout import Placed, descriptor, directory, local_header

# Numbers on whose two sides readers do different things.
_EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_WIDE_EDGES = (2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
_SIGNATURES = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08", b"ustar")
_NAMES = (
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ccollections\nOrderedDict\n",
    b"cposix\nsystem\n",
    b"ctorch\ndevice\n",
    b"c__builtin__\neval\n",
    b"cargparse\nNamespace\n",
)
_WORDS = ("storage", "0", "1", "cpu", "cuda:0", "", "\n", "\x1b[2J", "..", "data/0", "\ud800", "é")


def change(raw: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Change a few places of a file."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        raw = rng.choice(_CHANGES)(raw or b"\0", rng, others)
    return raw


def _flip(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def _overwrite(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(raw))
    new = rng.choice((bytes([rng.randrange(256)]), rng.choice(_SIGNATURES), bytes(rng.randrange(1, 40)), _number(rng)))
    return raw[:at] + new + raw[at + len(new) :]


def _number(rng: Random) -> bytes:
    """Return an odd value of a field of 2, 4 or 8 bytes."""
    size, code = rng.choice(((2, "H"), (4, "I"), (8, "Q")))
    value = rng.choice(_EDGES if size < 8 else _EDGES + _WIDE_EDGES) + rng.choice((0, 0, 1, -1))
    return struct.pack(f"{rng.choice('<<<>')}{code}", value % (1 << 8 * size))


def _insert(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return (
        raw[:at] + rng.choice((rng.randbytes(rng.randrange(1, 12)), rng.choice(_SIGNATURES), _number(rng))) + raw[at:]
    )


def _delete(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + raw[at + rng.choice((1, 1, 2, 4, 16, 100)) :]


def _truncate(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    return raw[: rng.randrange(1, len(raw) + 1)]


def _splice(raw: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return raw[: rng.randrange(len(raw))] + other[rng.randrange(len(other)) :]


def _repeat(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    start = rng.randrange(len(raw))
    part = raw[start : start + rng.randrange(1, 200)]
    at = rng.randrange(len(raw))
    return raw[:at] + part + raw[at:]


def _nudge(raw: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Add to or subtract from what may be a length."""
    size, code = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    if len(raw) < size:
        return raw
    at = rng.randrange(len(raw) - size + 1)
    (value,) = struct.unpack_from(f"<{code}", raw, at)
    new = struct.pack(f"<{code}", (value + rng.choice((-64, -8, -1, 1, 4, 64))) % (1 << 8 * size))
    return raw[:at] + new + raw[at + size :]


_Change = Callable[[bytes, Random, Sequence[bytes]], bytes]
_CHANGES: tuple[_Change, ...] = (
    *(_flip, _flip, _overwrite, _overwrite, _insert, _delete),
    *(_truncate, _splice, _repeat, _nudge, _nudge),
)


def any_pickle(rng: Random) -> bytes:
    """Put a pickle together from opcodes: any at all, or more often those that fit what is on the stack."""
    protocol = b"\x80" + bytes([rng.choice((0, 2, 2, 2, 3, 4, 5, 6))])
    # What is between a mark and the end makes a list, whatever it is.
    head, end, wild = rng.choice(((b"(", b"l.", 0.0), (b"(", b"l.", 0.1), (b"", b".", 0.5), (b"", b"", 0.9)))
    count = rng.choice((3, 10, 30, 80))
    parts = [_opcode(rng) if rng.random() < wild else rng.choice(_FITTING)(rng) for _ in range(count)]
    return b"".join([protocol, head, *parts, end])


def _opcode(rng: Random) -> bytes:
    opcode = rng.choice(pickletools.opcodes)
    return opcode.code.encode("latin-1") + _argument(opcode.arg, rng)


def _argument(kind: pickletools.ArgumentDescriptor | None, rng: Random) -> bytes:
    if kind is None:
        return b""
    if kind.n >= 0:
        return rng.choice((rng.randbytes(kind.n), bytes(kind.n), b"\1" + bytes(kind.n - 1)))
    word = rng.choice(_WORDS).encode("utf-8", "surrogatepass")
    if kind.n == pickletools.UP_TO_NEWLINE:
        return (
            rng.choice((b"1", b"-5", b"'x'", b"posix", b"1L", b"01", b"\\ud800", word.replace(b"\n", b"")))
            + b"\n"
            + (b"system\n" if "pair" in kind.name else b"")
        )
    width, code = {
        pickletools.TAKEN_FROM_ARGUMENT1: (1, "B"),
        pickletools.TAKEN_FROM_ARGUMENT4: (4, "i"),
        pickletools.TAKEN_FROM_ARGUMENT4U: (4, "I"),
        pickletools.TAKEN_FROM_ARGUMENT8U: (8, "Q"),
    }[kind.n]
    length = (
        len(word) if rng.random() < 0.9 else rng.choice((-1, 1000, 2**31 - 1, 2**32 - 1, 2**63)) % (1 << 8 * width - 1)
    )
    return struct.pack(f"<{code}", length) + word


def _text(rng: Random) -> bytes:
    word = rng.choice(_WORDS).encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(word)) + word


def _tensor(rng: Random) -> bytes:
    """Return a tensor, nearly as torch writes it."""
    shape = b"(" + b"".join(b"K" + bytes([rng.choice((0, 1, 2, 2, 4, 255))]) for _ in range(rng.randrange(4))) + b"t"
    location = rng.choice((b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0", b"h\0"))
    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + rng.choice((b"0", b"1", b"9")) + location
    storage += rng.choice((b"K\4", b"K\0", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f")) + b"tQ"
    start = rng.choice((b"K\0", b"K\1", b"J\xff\xff\xff\xff"))
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + start
        + shape
        + shape
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


_FITTING: tuple[Callable[[Random], bytes], ...] = (
    _text,
    _text,
    _tensor,
    lambda rng: rng.choice(_NAMES),
    lambda _: b"}",
    lambda _: b"]",
    lambda _: b")",
    lambda _: b"(",
    lambda rng: rng.choice((b"t", b"u", b"e", b"s", b"a", b"\x85", b"\x86", b"\x87", b"0", b"2", b"1")),
    lambda rng: rng.choice((b"R", b"b", b"Q", b"\x81", b"o")),
    lambda rng: rng.choice((b"q", b"h")) + bytes([rng.choice((0, 0, 1, 2, 3, 200))]),
    lambda rng: b"K" + rng.randbytes(1),
    lambda rng: b"\x8a\x08" + rng.randbytes(8),
)


def as_zip(records: Sequence[tuple[str, bytes]], rng: Random) -> bytes:
    """Write records as torch does, their checksums right; now and then one is left out, twice there or renamed."""
    chosen = list(records)
    if rng.random() < 0.1:
        at = rng.randrange(len(chosen))
        name, data = chosen[at]
        odd = (rng.choice(("../x", "/x", "archive/data/0", "archive/DATA.PKL", "other/data.pkl", "archive/")), data)
        chosen[at : at + 1] = rng.choice(([], [(name, data)] * 2, [odd], [(name, data[:-1])], [(name, data + b"\0")]))
    out, placed, at = [], [], 0
    for name, data in chosen:
        crc = 0 if rng.random() < 0.05 else zlib.crc32(data)
        place = Placed(name.encode(), len(data), crc, at)
        header = local_header(place.name, place.size, at, 64)
        out += [header, data, descriptor(place)]
        at += len(header) + len(data) + len(descriptor(place))
        placed.append(place)
    return b"".join([*out, directory(placed, at)])


def as_legacy(data: bytes) -> bytes:
    """Put an object's pickle into a legacy file with one storage of four floats."""
    head = b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + data + pickle.dumps(["0"], 2) + struct.pack("<q4f", 4, 1, 2, 3, 4)
