"""Shows what lies where in a checkpoint, byte by byte: cog puts the table into ckpt.md."""

import struct
import sys
from pathlib import Path

import terminal

from segcli.formats.byte_source import open_source
from segcli.formats.zip_directory import Record
from segcli.formats.zip_end import find_directory
from segcli.formats.zip_records import read_directory, read_records

_SAYS = {
    "data.pkl": "what was saved, as a pickle: each tensor's shape, strides and place, each storage's key and device",
    ".format_version": "`1`",
    ".storage_alignment": "`64`: every record starts at a multiple of it",
    "byteorder": "`little`",
    "version": "`3`",
    ".data/serialization_id": "a number made of all names and checksums",
}
_HEADER = struct.calcsize("<4s5H3L2H")


def show(name: str) -> None:
    """Print a table of a zip checkpoint's bytes, in the order in which they lie."""
    folder = terminal._folder(terminal._page())  # noqa: SLF001 - the page's own folder
    with open_source(Path(folder) / name) as source:
        records = read_records(source, read_directory(source))
        end = find_directory(source).start
        size = source.size
    rows = [*_whole(records[0]), *(_content(record) for record in records[1:])]
    storages = [row for row in rows if "**`data/" in row]
    left = f"| … | … | {len(storages) - 3} more storages, each with a header before and checksums behind |"
    rows = [row if row != storages[2] else left for row in rows if row not in storages[3:-1]]
    print("\n| at byte | bytes | |\n| ---: | ---: | --- |")
    print("\n".join(rows))
    print(f"| {end} | {size - end} | **central directory**: every name, size, checksum and place once more |\n")


def _whole(record: Record) -> list[str]:
    """Return the rows of a record with all that is around it."""
    header = record.start - record.header
    behind = record.start + record.size
    padding = header - _HEADER - len(record.name)
    return [
        f"| {record.header} | {header} | header: signature, the name `{record.name}`, {padding} bytes of padding |",
        _content(record),
        f"| {behind} | 16 | descriptor: its checksum (CRC-32), and its size twice |",
    ]


def _content(record: Record) -> str:
    name = record.name.partition("/")[2]
    says = _SAYS.get(name, "the elements of a storage, as they lay in memory")
    return f"| {record.start} | {record.size} | **`{name}`**: {says} |"


if __name__ == "__main__":
    sys.exit("this is called by cog")
