"""The average of checkpoints: each storage is summed up over all files, a piece at a time.

Tensors of a floating or complex dtype are averaged. All else, integers such as ``num_batches_tracked``, quantized
tensors, and whatever is no tensor, is the last file's: an average of counters is no count.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segcli.ckpt.merging.agreement import corresponding
from segcli.ckpt.merging.merge import Advance, Content, Count, Merge, check_files, write
from segcli.ckpt.merging.weights import Weights, average_weights
from segcli.ckpt.tensors import Holdings, holdings, listed, matches, storages_below
from segcli.elements.averaging import Term, weighted_mean
from segcli.elements.decoding import FLOATS
from segcli.elements.encoding import ENCODED
from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Computed, Payload, Stretch


def average(
    sources: Sequence[Path],
    destination: Path,
    weights: Weights | None = None,
    *,
    keys: Sequence[str] = (),
    force: bool = False,
    dry_run: bool = False,
    advance: Advance | None = None,
) -> Merge:
    """Write the average of checkpoints that hold the same tensors, computed in float64.

    Memory grows neither with their size nor with their number; tensors that share memory are averaged once, and go on
    to share it.

    Args:
        sources: The files.
        destination: Where to write.
        weights: What each weighs; None for all alike.
        keys: Globs of the keys that are averaged; empty for all. The others are the last file's.
        force: Whether to replace a destination that exists.
        dry_run: Whether nothing is written.
        advance: Told of bytes as they are written.

    Raises:
        SegcliError: Where the files do not hold the same tensors, or hold what has no average.
    """
    check_files(sources, destination)
    weights = weights or average_weights(len(sources))
    with contextlib.ExitStack() as opened:
        base = opened.enter_context(open_checkpoint(sources[-1]))
        holds = holdings(base)
        plan = _plan(base, holds, tuple(keys))
        terms: dict[str, list[Term]] = {storage: [] for storage in plan.dtypes}
        files = [_open(opened, path, base, holds) for path in sources[:-1]]
        files.append(_File(base.source, base.byteorder, {key: one.data for key, one in base.storages.items()}))
        for file, weight in zip(files, weights.each, strict=True):
            for storage, found in terms.items():
                found.append(Term(file.storages[storage], file.byteorder, weight))
        storages = {key: _payload(base, key, plan, terms, weights.total) for key in base.storages}
        content = Content(base.root, base.protocol, storages, base.byteorder, [file.source for file in files])
        written = write(content, destination, force=force, dry_run=dry_run, advance=advance or (lambda _: None))
    return Merge(
        sources=tuple(sources),
        destination=destination,
        how=weights.how,
        weights=tuple(weight / weights.total for weight in weights.each),
        tensors=len(holds.tensors),
        averaged=_counts(holds, plan.averaged),
        kept=_counts(holds, set(holds.tensors) - plan.averaged),
        repeated=(),
        bytes=written,
        dry_run=dry_run,
    )


@dataclass(frozen=True)
class _File:
    """What is needed of an open file: where it has each storage of the last one."""

    source: ByteSource
    byteorder: str
    storages: dict[str, Stretch]


def _open(opened: contextlib.ExitStack, path: Path, base: Checkpoint, holds: Holdings) -> _File:
    """Open a file and forget all but its storages: a thousand trees of nodes would fill the memory."""
    file = opened.enter_context(open_checkpoint(path))
    found = corresponding(base, holds, file, holdings(file))
    return _File(file.source, file.byteorder, {key: file.storages[other].data for key, other in found.items()})


@dataclass(frozen=True)
class _Plan:
    """The dtypes of the storages that are averaged, and the keys of the tensors in them."""

    dtypes: dict[str, str]
    averaged: set[str]


def _plan(base: Checkpoint, holds: Holdings, globs: tuple[str, ...]) -> _Plan:
    dtypes: dict[str, str] = {}
    kept: dict[str, str] = {}
    averaged: set[str] = set()
    for key, tensor in holds.tensors.items():
        quantized = {storage.key for storage, is_quantized in storages_below(tensor.node) if is_quantized}
        for part in tensor.parts:
            storage = str(part.storage)
            is_wanted = not globs or matches(key, globs)
            if is_wanted and storage not in quantized and part.dtype in (*FLOATS, *ENCODED):
                _check_averageable(base, key, tensor.header.layout, part.dtype)
                averaged.add(key)
                if dtypes.setdefault(storage, part.dtype) != part.dtype:
                    message = f"{key} in {base.source.name} shares its memory with tensors of another dtype"
                    raise SegcliError(message, hint="load it with torch, clone these tensors, and save it again")
            else:
                kept[storage] = key
    if not dtypes:
        message = f"{base.source.name} has no floating tensor {' or '.join(globs)}".rstrip()
        raise SegcliError(message, hint=f"segcli ckpt inspect {base.source.name} lists what it has")
    both = [kept[storage] for storage in dtypes if storage in kept]
    if both:
        message = f"{listed(both)} in {base.source.name} shares its memory with tensors that are averaged"
        raise SegcliError(message, hint="widen --keys, or leave it out")
    return _Plan(dtypes, averaged)


def _check_averageable(base: Checkpoint, key: str, layout: str, dtype: str) -> None:
    if layout.startswith("sparse"):
        message = f"{key} in {base.source.name} is {layout}, and the files may have values at different indices"
        raise SegcliError(message, hint="leave it out with --keys, or make it dense first")
    if dtype not in ENCODED:
        message = f"{key} in {base.source.name} is {dtype}, in which an average has hardly a digit that is right"
        raise SegcliError(message, hint="convert the files first: segcli ckpt convert SRC DST --dtype float32")


def _payload(base: Checkpoint, key: str, plan: _Plan, terms: dict[str, list[Term]], total: float) -> Payload:
    stored = base.storages[key]
    if key not in plan.dtypes:
        return Stretch(stored.data.source, stored.data.start, stored.bytes)
    dtype = plan.dtypes[key]
    count = stored.bytes // ITEM_BYTES[dtype]
    return Computed(stored.bytes, partial(weighted_mean, terms[key], dtype, count, total, base.byteorder))


def _counts(holds: Holdings, keys: set[str]) -> tuple[Count, ...]:
    counts: dict[str, int] = {}
    for key, tensor in holds.tensors.items():
        if key in keys:
            counts[tensor.header.dtype] = counts.get(tensor.header.dtype, 0) + 1
    return tuple(Count(dtype, count) for dtype, count in counts.items())
