"""Says where a zip checkpoint's layout misleads readers that map it into memory: they then load garbage in silence."""

from collections.abc import Iterator

from segcli.ckpt.verification.findings import Findings, Severity
from segcli.formats.byte_source import ByteSource
from segcli.formats.torch_zip import TorchZip
from segcli.formats.zip_directory import Record
from segcli.formats.zip_layout import Placed, descriptor, directory, local_header

_REWRITE = "segcli ckpt convert SRC DST --format zip writes torch's own layout"


def check_layout(source: ByteSource, checkpoint: TorchZip, findings: Findings) -> None:
    """Take note of records that lie elsewhere than torch would have put them, and of headers that it did not write.

    Args:
        source: The file.
        checkpoint: What it holds.
        findings: Where to take note.
    """
    used = [checkpoint.storages.record(key) for key in checkpoint.storages]
    if odd := [record for record in used if record.size and record.start % checkpoint.alignment]:
        what = f"{len(odd):,} of {len(used):,} storages start at no multiple of {checkpoint.alignment} bytes"
        findings.add(Severity.WARNING, f"{what}, so torch.load(..., mmap=True) gives misaligned tensors", odd[0].name)
        findings.suggest(_REWRITE)
    # Without the record .format_version torch does not compute where records lie.
    misled = _misled(checkpoint, used) if checkpoint.format_version is not None else None
    if misled:
        what = "lies elsewhere than torch computes with calculate_storage_offsets, which then loads garbage in silence"
        findings.add(Severity.WARNING, what, misled)
        findings.suggest(_REWRITE)
    for at, raw, name in _headers(checkpoint):
        if source.at(at, min(len(raw), source.size - at)) != raw:
            what = f"its headers are not those that torch writes, from byte {_first_difference(source, at, raw)} on"
            findings.add(Severity.NOTE, what, name)
            break


def _misled(checkpoint: TorchZip, used: list[Record]) -> str | None:
    """Return the first storage that does not lie where torch adds up that it should.

    Source: ``_get_offset`` in ``torch/serialization.py`` of pytorch 2.13.
    """
    at = used[0].header if used else 0
    for record, storage in zip(used, checkpoint.storages.values(), strict=True):
        start = at + len(local_header(record.name.encode(), storage.bytes, at, checkpoint.alignment))
        if start != record.start:
            return record.name
        at = start + storage.bytes + len(descriptor(Placed(b"", storage.bytes, 0, at)))
    return None


def _headers(checkpoint: TorchZip) -> Iterator[tuple[int, bytes, str]]:
    """Yield all that is not content as torch would have written it: place, bytes, and the record that it belongs to."""
    placed, at = [], 0
    for record in checkpoint.records:
        place = Placed(record.name.encode(), record.size, record.crc, at)
        header = local_header(place.name, place.size, at, checkpoint.alignment)
        yield at, header, record.name
        at += len(header) + record.size
        yield at, descriptor(place), record.name
        at += len(descriptor(place))
        placed.append(place)
    yield at, directory(placed, at), "the directory"


def _first_difference(source: ByteSource, at: int, raw: bytes) -> int:
    found = source.at(at, min(len(raw), source.size - at))
    same = next((index for index, pair in enumerate(zip(found, raw, strict=False)) if pair[0] != pair[1]), len(found))
    return at + same
