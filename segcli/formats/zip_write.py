"""Writes a zip checkpoint with torch's own layout, from records that come from anywhere."""

from collections.abc import Iterable, Iterator, Sequence

from segcli.formats.copying import Advance, write_at
from segcli.formats.payload import Payload, inline
from segcli.formats.zip_layout import Placed, central_header, descriptor, end_records, local_header

# What torch 2.13 writes into its own small records.
ARCHIVE_VERSION = b"3\n"
FORMAT_VERSION = b"1"


def write_zip(file: int, prefix: str, records: Iterable[tuple[str, Payload]], alignment: int, advance: Advance) -> int:
    """Write a zip archive from the first byte of a file on, and return how many bytes it has.

    Args:
        file: A descriptor of an empty file.
        prefix: What the records' names start with, without the slash.
        records: Name behind the prefix and content of each, in their order.
        alignment: Of what the offsets of their data shall be multiples, in bytes.
        advance: Told of bytes of content as they are written.
    """
    directory, count = bytearray(), 0
    at = 0
    for name, payload in records:
        raw = f"{prefix}/{name}".encode()
        header = local_header(raw, payload.size, at, alignment)
        write_at(file, header, at)
        start = at + len(header)
        record = Placed(raw, payload.size, payload.write(file, start, advance), at)
        end = descriptor(record)
        write_at(file, end, start + payload.size)
        at = start + payload.size + len(end)
        directory += central_header(record)
        count += 1
    directory += end_records(count, len(directory), at)
    write_at(file, directory, at)
    return at + len(directory)


def torch_records(
    pickle: bytes, storages: Sequence[Payload], *, alignment: int, byteorder: str = "little"
) -> Iterator[tuple[str, Payload]]:
    """Yield the records of a checkpoint, in torch's order.

    Args:
        pickle: What ``data.pkl`` shall hold.
        storages: The storages, named 0, 1, ... as the pickle first names them: torch computes their offsets from that.
        alignment: What ``.storage_alignment`` shall say.
        byteorder: ``little`` or ``big``.
    """
    yield "data.pkl", inline(pickle)
    yield ".format_version", inline(FORMAT_VERSION)
    yield ".storage_alignment", inline(str(alignment).encode())
    yield "byteorder", inline(byteorder.encode())
    for index, storage in enumerate(storages):
        yield f"data/{index}", storage
    yield "version", inline(ARCHIVE_VERSION)
