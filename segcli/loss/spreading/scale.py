"""How work on many pairs is spread: over processes that read, and over time that may end early."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from segcli.errors import SegcliError
from segcli.launch import Ranks, cores
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.journal import PerFile
from segcli.tensorio import split_reference

_MAX_WORKERS = 1024
_MAX_AUTO, _MAX_AUTO_ON_CUDA = 32, 8
# Measured of four losses with one thread: (19, 64, 64) takes 1.6 ms, (19, 512, 1024), 40 MB, 15 to 20 ms. Two workers
# take 30 ms to start, each further one 10.
_S_PER_PAIR, _S_PER_BYTE, _WORTH_S = 1.5e-3, 0.4e-9, 0.5
# So many files are looked at to tell how large all are.
_LOOKED_AT = 64


@dataclass(frozen=True)
class Scale:
    """How the work is spread.

    Attributes:
        workers: How many processes read; 0 is this one alone, None is chosen by `resolved`.
        batch_size: How many pairs a worker takes, and sends, at once.
        prefetch: How many batches a worker reads ahead.
        on_error: Whether the first bad file ends the work, or is listed at its end.
        on_cuda: Whether workers only read, and this process measures on a GPU.
        per_file: Where each file's line goes; None is nowhere.
    """

    workers: int | None = None
    batch_size: int = 1
    prefetch: int = 2
    on_error: Literal["stop", "skip"] = "stop"
    on_cuda: bool = False
    per_file: PerFile | None = None


def resolved(scale: Scale, pairs: Sequence[Pair], ranks: Ranks) -> Scale:
    """Return it with a number of workers, no larger than there are batches.

    Raises:
        SegcliError: For numbers that are out of range.
    """
    for option, value, least in (
        ("--workers", scale.workers or 0, 0),
        ("--batch-size", scale.batch_size, 1),
        ("--prefetch", scale.prefetch, 1),
    ):
        if not least <= value <= _MAX_WORKERS:
            message = f"{option} is {value}, expected {least} to {_MAX_WORKERS}"
            raise SegcliError(message)
    n_batches = -(-len(pairs) // scale.batch_size)
    workers = auto_workers(pairs, cores(ranks), scale) if scale.workers is None else scale.workers
    return replace(scale, workers=min(workers, n_batches))


def auto_workers(pairs: Sequence[Pair], n_cores: int, scale: Scale) -> int:
    """Return how many processes are worth their start, by the number of pairs, their bytes and the cores.

    None, where one core is all there is, or where all is done within half a second by the estimate of 1.5 ms a pair and
    0.4 ns a byte. Else one a core, 32 at most: more only wait for memory, or for the process that adds up. With CUDA,
    8 at most, of which what is read ahead fits into half of the free shared memory.
    """
    sizes = [_size(pair) for pair in pairs[:: max(1, len(pairs) // _LOOKED_AT)]]
    mean_bytes = sum(sizes) / max(1, len(sizes))
    if n_cores == 1 or len(pairs) * (_S_PER_PAIR + _S_PER_BYTE * mean_bytes) < _WORTH_S:
        return 0
    if not scale.on_cuda:
        return min(n_cores, _MAX_AUTO)
    # Of each worker: what waits for its turn, and what it is reading.
    held_bytes = mean_bytes * scale.batch_size * (scale.prefetch + 1)
    return min(n_cores, _MAX_AUTO_ON_CUDA, int(_free_shared_bytes() / 2 / max(1.0, held_bytes)))


def _size(pair: Pair) -> int:
    files = {split_reference(reference)[0] for reference in (pair.logits, pair.labels)}
    # What is missing is told when it is read.
    return sum(file.stat().st_size for file in files if file.is_file())


def _free_shared_bytes() -> int:
    folder = Path("/dev/shm")  # noqa: S108 - where torch keeps what processes share
    return shutil.disk_usage(folder if folder.is_dir() else tempfile.gettempdir()).free
