"""Verifies a checkpoint: whether it is whole, and safe to load. It goes on after what it finds, as far as it can."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path

from segcli.ckpt.sources import bytes_of
from segcli.ckpt.verification.checksums import check_sums
from segcli.ckpt.verification.findings import Finding, Findings, Severity
from segcli.ckpt.verification.identity import describe
from segcli.ckpt.verification.layout import check_layout
from segcli.ckpt.verification.packed import check_packed
from segcli.ckpt.verification.pickle_safety import check_metadata, check_pickle
from segcli.ckpt.verification.truncation import find_remains
from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, ByteSource, open_source
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.collection import collection_paused
from segcli.formats.dcp_folder import METADATA_NAME, is_dcp, open_dcp
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.node_walk import containers
from segcli.formats.pickle_nodes import Call, Node
from segcli.formats.pickle_walk import Walk, walk
from segcli.formats.rebuilt_tensor import PACKED_DTYPES, is_rebuilding, rebuilt_tensor
from segcli.formats.sniff import Kind, sniff
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip, check_kind, read_contents
from segcli.formats.zip_end import find_directory
from segcli.formats.zip_records import read_directory, read_records

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Verification:
    """What is known of a checkpoint.

    Attributes:
        ok: Whether it is whole and safe to load: nothing graver than a warning was found.
        findings: What was found, the gravest first.
        hints: Ways out.
        file: The file.
        format: What it is.
        bytes: Its size.
        records: How many records it has; 0 where its format has none.
        checked: How many of them have a checksum, which was compared.
    """

    ok: bool
    findings: tuple[Finding, ...]
    hints: tuple[str, ...]
    file: Path
    format: str
    bytes: int
    records: int
    checked: int


@collection_paused()
def verify(
    path: Path, *, values: bool = False, allow: Collection[str] = (), advance: Advance | None = None
) -> Verification:
    """Verify a checkpoint of any format; nothing in it is imported or run, and memory does not grow with it.

    Args:
        path: The file, or the folder of a distributed checkpoint.
        values: Whether to look for elements that are NaN or infinite.
        allow: Names that its pickle may have, besides those that ``torch.load(..., weights_only=True)`` allows.
        advance: Told of bytes as they are read.

    Raises:
        SegcliError: Where there is no such file, or it cannot be read.

    Examples:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "model.pth"
        >>> torch.save({"weight": torch.zeros(2, 3)}, path)
        >>> verify(path).ok
        True
        >>> _ = path.write_bytes(path.read_bytes()[:-200])
        >>> verify(path).ok
        False
    """
    if path.is_file() and path.stat().st_size == 0:
        what = Finding(Severity.ERROR, "empty: it has 0 bytes", "")
        return Verification(
            ok=False, findings=(what,), hints=(FETCH_AGAIN,), file=path, format="empty", bytes=0, records=0, checked=0
        )
    kind, size, records, checked = Kind.DCP, 0, 0, 0
    job = _Job(path, Findings("standard input" if str(path) == "-" else str(path)), allow, advance or _ignore)
    if path.is_dir():
        size, records, checked = _check_folder(job)
    else:
        with open_source(path) as source:
            kind, size = sniff(source), source.size
            records, checked = _CHECKS.get(kind, partial(_check_other, kind=kind))(job, source)
            source.check_unchanged()
    if values and kind in (*_CHECKS, Kind.DCP):
        _check_values(job)
    found = job.findings.listed()
    return Verification(
        ok=all(finding.severity is not Severity.ERROR for finding in found),
        findings=found,
        hints=tuple(job.findings.hints),
        file=path,
        format="folder" if path.is_dir() and not is_dcp(path) else _NAMES.get(kind, kind.value),
        bytes=size,
        records=records,
        checked=checked,
    )


@dataclass(frozen=True)
class _Job:
    path: Path
    findings: Findings
    allow: Collection[str]
    advance: Advance


# How many records there are, and how many of them have a checksum.
_Counted = tuple[int, int]


def _ignore(_count: int) -> None:
    """Let progress pass."""


def _check_zip(job: _Job, source: ByteSource) -> _Counted:
    findings = job.findings
    try:
        find_directory(source)
    except SegcliError as error:
        return _check_remains(job, source, error)
    try:
        entries = read_directory(source, findings.complain)
    except SegcliError as error:
        findings.complain(error, "the directory")
        return 0, 0
    records = read_records(source, entries, findings.complain)
    packed = check_packed(source, entries, findings, job.advance)
    checked = check_sums(source, records, findings, job.advance) + packed.checked
    pickle = entries[0].name.partition("/")[0] + f"/{PICKLE_NAME}"
    try:
        prefix = check_kind(source.name, entries)
        if packed.pickle is not None:
            check_pickle(walk(packed.pickle, f"{PICKLE_NAME} in {source.name}"), pickle, job.allow, findings)
            return len(entries), checked
        # What is wrong with those that could not be read is said.
        unread = {entry.name for entry in entries} - {record.name for record in records}
        checkpoint = read_contents(source, prefix, records, findings.without(unread))
        check_pickle(checkpoint.walk, pickle, job.allow, findings)
        check_layout(source, checkpoint, findings)
        _check_sizes(job, checkpoint)
        sizes = {key: storage.bytes for key, storage in checkpoint.storages.items()}
        _check_tensors(job, checkpoint.walk.root, sizes)
    except SegcliError as error:
        findings.complain(error, pickle)
    return len(entries), checked


def _check_sizes(job: _Job, checkpoint: TorchZip) -> None:
    """Take note of records that are longer than their storages; those that are shorter are no storages at all."""
    for key, storage in checkpoint.storages.items():
        if storage.data.size != storage.bytes:
            what = f"it has {storage.data.size:,} bytes, and its elements {storage.bytes:,}, so torch.load fails"
            job.findings.add(Severity.ERROR, what, f"{checkpoint.prefix}/data/{key}")


def _check_remains(job: _Job, source: ByteSource, error: SegcliError) -> _Counted:
    """Say what is left of a zip without an end, and what is missing."""
    remains = find_remains(source)
    checked = check_sums(source, remains.whole, job.findings, job.advance)
    size, expected = source.size, remains.expected
    count = len(remains.whole)
    whole = f"{count:,} record{' is' if count == 1 else 's are'} whole"
    if expected is None:
        job.findings.complain(error)
        job.findings.add(Severity.NOTE, f"{whole}, and what follows them cannot be read", remains.cut)
    elif expected > size:
        least = "" if remains.is_exact else "at least "
        what = (
            f"truncated: it has {size:,} bytes of {least}{expected:,}, {least}{expected - size:,} are missing; {whole}"
        )
        job.findings.add(Severity.ERROR, what, remains.cut)
        job.findings.suggest(FETCH_AGAIN)
    elif "is truncated" not in error.message:
        # There is an end, and something is wrong with it.
        job.findings.complain(error)
    else:
        what = f"without an end, though it has the {expected:,} bytes that it should: {whole}, and what follows byte"
        what += f" {remains.end:,} was never written, or was overwritten"
        job.findings.add(Severity.ERROR, what, remains.cut)
        job.findings.suggest(FETCH_AGAIN)
    return len(remains.whole), checked


def _check_folder(job: _Job) -> tuple[int, int, int]:
    """Check every pickle and every checksum of a distributed checkpoint; return its bytes, and count its records."""
    findings = job.findings
    records = checked = 0
    try:
        with open_dcp(job.path, findings.complain) as folder:
            check_metadata(folder.metadata, METADATA_NAME, job.allow, findings)
            for part in folder.parts:
                content = part.content
                check_pickle(content.walk, f"{part.name}: {content.prefix}/{PICKLE_NAME}", job.allow, findings)
                named = [replace(record, name=f"{part.name}: {record.name}") for record in content.records]
                records += len(named)
                checked += check_sums(part.source, named, findings, job.advance)
            sizes = {key: storage.bytes for key, storage in folder.storages.items()}
            _check_tensors(job, folder.root, sizes)
    except SegcliError as error:
        findings.complain(error)
    return bytes_of(job.path), records, checked


def _check_stream(job: _Job, _source: ByteSource) -> _Counted:
    _check_open(job)
    return 0, 0


def _check_open(job: _Job) -> None:
    """Check a checkpoint of a format that has no checksums."""
    try:
        with open_checkpoint(job.path) as checkpoint:
            if checkpoint.layout:
                _check_old(job, checkpoint, checkpoint.layout.walk)
            sizes = {key: storage.bytes for key, storage in checkpoint.storages.items()}
            _check_tensors(job, checkpoint.root, sizes)
    except SegcliError as error:
        job.findings.complain(error)
        return
    job.findings.add(Severity.NOTE, "its format has no checksums, so damage to values would not be seen")


def _check_old(job: _Job, checkpoint: Checkpoint, walk: Walk) -> None:
    """Check what torch wrote before 1.6."""
    layout, size = checkpoint.layout, checkpoint.source.size
    check_pickle(walk, checkpoint.name.removesuffix(f" in {checkpoint.source.name}"), job.allow, job.findings)
    if isinstance(layout, TorchLegacy) and layout.end != size:
        what = f"{size - layout.end:,} bytes follow its last storage, which torch does not read"
        job.findings.add(Severity.WARNING, what)
    if checkpoint.kind is Kind.TAR:
        what = "torch before 2.6 runs what a tar file says even with weights_only=True (CVE-2025-32434)"
        job.findings.add(Severity.NOTE, what)


def _check_other(job: _Job, source: ByteSource, *, kind: Kind) -> _Counted:
    what, hint = describe(source, kind)
    job.findings.add(Severity.ERROR, what)
    job.findings.suggest(hint)
    return 0, 0


def _check_tensors(job: _Job, root: Node, sizes: dict[str, int]) -> None:
    """Take note of tensors that are none, or reach beyond their storage; torch.load refuses them one at a time."""
    for call in containers(root):
        if isinstance(call, Call) and is_rebuilding(call) and rebuilt_tensor(call) is None:
            what = f"what {call.path} is given makes no tensor, so torch.load fails"
            job.findings.add(Severity.ERROR, what)
    for tensor in list_contents(root, "its pickle").tensors:
        size = sizes.get(tensor.storage or "")
        item = ITEM_BYTES.get(tensor.dtype)
        if size is None or item is None or tensor.offset is None or tensor.stride is None or not prod(tensor.shape):
            continue
        last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.stride, strict=True))
        if (last + 1) * item > size * PACKED_DTYPES.get(tensor.dtype, 1):
            what = f"it reaches element {last:,} of storage {tensor.storage}, which has {size // item:,}"
            job.findings.add(Severity.ERROR, what, tensor.key)


def _check_values(job: _Job) -> None:
    from segcli.ckpt.nonfinite import find_nonfinite

    try:
        with open_checkpoint(job.path) as checkpoint:
            for found in find_nonfinite(checkpoint, job.advance):
                counts = [f"{found.nan:,} NaN"] * bool(found.nan) + [f"{found.infinite:,} infinite"] * bool(
                    found.infinite
                )
                same = f", the same as {found.same_as}" if found.same_as is not None else ""
                what = f"{' and '.join(counts)} of {found.elements:,} elements{same}"
                job.findings.add(Severity.WARNING, what, found.key)
    except SegcliError as error:
        # Mostly what was found already; then this says why nothing is said of values.
        job.findings.add(Severity.NOTE, f"its values were not looked at: {error.message}")


_CHECKS: dict[Kind, Callable[[_Job, ByteSource], _Counted]] = {
    Kind.ZIP: _check_zip,
    Kind.LEGACY: _check_stream,
    Kind.TAR: _check_stream,
    Kind.SAFETENSORS: _check_stream,
}
_NAMES = {
    Kind.ZIP: "torch zip",
    Kind.LEGACY: "torch legacy",
    Kind.TAR: "torch tar",
    Kind.PICKLE: "plain pickle",
    Kind.DCP: "DCP",
}
