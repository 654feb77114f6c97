"""torch's DataLoader: how many workers, and what they cost to start."""

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from segcli.bench.kernel import INDEX_BYTES, Call, Case, Cost, Kernel, Make, Suite, Tensors
from segcli.bench.measuring.conditions import Caches, Span
from segcli.bench.measuring.threads import one_thread
from segcli.bench.suites.loader_samples import EPOCH, Samples, draw_samples, plainly_summed, samples_of, summed
from segcli.launch import cores, end_with_parent

if TYPE_CHECKING:
    import torch
    from torch.utils.data import DataLoader

_WORKERS = (0, 1, 2, 4, 8, 16)
_FEW = 2
"""Workers of the contenders that differ in something else."""
_STARTS = ("fork", "spawn", "forkserver")


@dataclass(frozen=True)
class Setting:
    """How samples are loaded.

    Attributes:
        workers: Processes beside this one.
        batch_times: Samples a batch, over those of the case.
        start: How processes are started.
        keeps: Whether workers stay from one epoch to the next.
        pins: Whether batches come in pinned memory.
        to_device: Whether batches are copied to the device.
    """

    workers: int = _FEW
    batch_times: int = 1
    start: str = "fork"
    keeps: bool = True
    pins: bool = False
    to_device: bool = False


class _Epochs:
    """Loads an epoch a call, with workers that stay; they end when this is dropped."""

    def __init__(self, loader: "DataLoader[Any]", device: "torch.device", setting: Setting) -> None:
        self.loader = loader
        self.device = device
        self.setting = setting

    def __call__(self) -> "torch.Tensor":
        import torch

        # As the workers do: more threads would only wait for cores that those have.
        with one_thread():
            with _quietly():
                batches = iter(self.loader)
            return torch.cat([self._sums(*batch) for batch in batches])

    def _sums(self, images: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        if self.setting.to_device:
            pins = self.setting.pins
            images, labels = (part.to(self.device, non_blocking=pins) for part in (images, labels))
        return summed(images, labels)


def _first_batch(loader: "DataLoader[Any]") -> "torch.Tensor":
    """Start workers, take a batch, and end them in the midst of the next."""
    others = set(multiprocessing.active_children())
    with _quietly():
        batches = iter(loader)
    workers = [child for child in multiprocessing.active_children() if child not in others]
    try:
        with one_thread():
            return summed(*next(batches))
    finally:
        _end(workers)


def _end(workers: list[Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        # Signals can be set aside in the main thread alone; elsewhere torch ends them, in its own time.
        return
    # Torch would take their end for an accident.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
    finally:
        signal.signal(signal.SIGCHLD, handler)


def _loader(tensors: Tensors, setting: Setting) -> "DataLoader[Any]":
    from torch.utils.data import DataLoader

    if setting.workers > max(cores(), _FEW):
        message = f"{setting.workers} workers on {cores()} cores"
        raise NotImplementedError(message)
    samples: Samples = samples_of(tensors)
    with _quietly():
        return DataLoader(
            samples,  # type: ignore[arg-type]  # anything with a length and items will do
            batch_size=int(tensors["batch"]) * setting.batch_times,
            num_workers=setting.workers,
            persistent_workers=setting.keeps and setting.workers > 0,
            pin_memory=setting.pins,
            worker_init_fn=_begin,
            multiprocessing_context=setting.start if setting.workers else None,
        )


def _begin(_worker: int) -> None:  # pragma: no cover - in a worker, which is killed before it could tell
    # Ctrl-C reaches all; the one that started this process ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL, os.getppid())


class _quietly(warnings.catch_warnings):  # noqa: N801 - a context, named as one
    """More workers than cores: asked for. A fork beside threads: torch's are idle, and workers start none."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def _epochs(setting: Setting) -> Make:
    def make(tensors: Tensors) -> Call:
        return _Epochs(_loader(tensors, setting), tensors["colours"].device, setting)

    return make


def _first(start: str) -> Make:
    def make(tensors: Tensors) -> Call:
        return partial(_first_batch, _loader(tensors, Setting(start=start, keeps=False)))

    return make


def _plain(tensors: Tensors) -> Call:
    return lambda: plainly_summed(tensors)


def _plain_first(tensors: Tensors) -> Call:
    return lambda: plainly_summed(tensors)[: int(tensors["batch"])]


def _seen(_: Tensors, sums: "torch.Tensor") -> "torch.Tensor":
    return sums.cpu()


def _cost(case: Case, samples: int) -> Cost:
    """Write each sample's image and labels; scale, subtract, divide a colour. What files take is left aside."""
    pixels = samples * case.pixels // case.batch
    return Cost(pixels * (case.channels * case.item_bytes + INDEX_BYTES), 3 * pixels * case.channels)


def _epoch_cost(case: Case) -> Cost:
    return _cost(case, EPOCH)


def _first_cost(case: Case) -> Cost:
    return _cost(case, min(case.batch, EPOCH))


def _epoch_kernel(name: str, what: str, setting: Setting, against: str) -> Kernel:
    return Kernel(
        name,
        what,
        _epochs(setting),
        _plain,
        _epoch_cost,
        seen=_seen,
        against=against,
        devices=("cuda",) if setting.to_device else ("cpu", "cuda"),
        bounded=False,
        items=lambda _: EPOCH,
        unit="samples",
    )


def _first_kernel(start: str) -> Kernel:
    return Kernel(
        f"first-batch-{start}",
        f"start {_FEW} workers by {start}, take a batch, end them",
        _first(start),
        _plain_first,
        _first_cost,
        seen=_seen,
        against="first-batch-fork",
        bounded=False,
    )


def _kernels() -> Iterator[Kernel]:
    for workers in _WORKERS:
        helpers = f"with {workers} worker{'s' if workers > 1 else ''}" if workers else "in the process itself"
        what = f"an epoch {helpers}"
        yield _epoch_kernel(f"workers-{workers}", what, Setting(workers), "workers-0")
    few = f"workers-{_FEW}"
    for times in (4, 16):
        what = f"{_FEW} workers, {times} times the samples a batch"
        yield _epoch_kernel(f"batch-times-{times}", what, Setting(batch_times=times), few)
    yield _epoch_kernel("new-workers", f"{_FEW} workers started anew each epoch", Setting(keeps=False), few)
    device = Setting(to_device=True)
    yield _epoch_kernel("to-device", f"{_FEW} workers, then to the GPU", device, "to-device")
    pinned = Setting(to_device=True, pins=True)
    yield _epoch_kernel("to-device-pinned", f"{_FEW} workers, by pinned memory to the GPU", pinned, "to-device")
    for start in _STARTS:
        yield _first_kernel(start)


LOADERS = Suite(
    name="loader",
    baseline="workers-0",
    case=Case(4, 3, (256, 512)),
    tensor="images",
    data=f"epochs of {EPOCH} samples of PNG files in memory, of twice the crop's sides: decoded, cropped, flipped, "
    "normalised",
    tensors=draw_samples,
    check_items=64,
    kernels=tuple(_kernels()),
    by_default=False,
    caches=(Caches.HOT,),
    spans=(Span.HOST,),
)
