"""The same kernels timed by segcli's sampling and by other harnesses, in turn: where the method is the same, so is the
median.

``torch.utils.benchmark`` times blocks of calls with hot caches, as segcli does for hot calls on the host; triton's
``do_bench`` puts CUDA events around each call after a flush, as segcli does for cold calls on the device.
"""

import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional
from torch.utils import benchmark

from segcli.bench.measuring.cold import cache_size, flush_of
from segcli.bench.measuring.environment import settled_process
from segcli.bench.measuring.order_statistics import summarise
from segcli.bench.measuring.sampling import measure
from segcli.bench.measuring.timer import CudaClock, SingleEventTimer, Timer, timer_for
from tests.ratios.measuring import Action, Ratio

ROUNDS = 5
SECONDS = 0.4
# The target: medians within 5 % either way.
TARGET = 1.05


def harnesses() -> list[Ratio]:
    """Compare medians; on a GPU, too, where there is one."""
    cpu = torch.device("cpu")
    with settled_process(), torch.no_grad():
        found = [
            _ratio(f"{name}, hot / torch.utils.benchmark", work, timer_for(cpu), _torch) for name, work in kernels(cpu)
        ]
        if torch.cuda.is_available():
            found += _on_cuda(torch.device("cuda"))
    return found


def _on_cuda(device: torch.device) -> list[Ratio]:
    clock, flush = CudaClock(device), flush_of(device, cache_size(device))
    timer = SingleEventTimer(clock, partial(torch.cuda.Event, enable_timing=True), flush)
    return [_ratio(f"{name}, cold on cuda / triton's do_bench", work, timer, _triton) for name, work in kernels(device)]


def kernels(device: torch.device) -> list[tuple[str, Action]]:
    """Return calls of some 50 us to some ms, bound by memory and by computing."""
    x = torch.randn(2, 64, 64, 128, device=device)
    weight = torch.randn(64, 64, 3, 3, device=device) / 24
    logits = torch.randn(2, 19, 256, 512, device=device)
    labels = torch.randint(19, (2, 256, 512), device=device)
    a, b = torch.randn(2, 512, 512, device=device)
    out, activated = torch.empty_like(a), torch.empty_like(x)
    return [
        ("matmul 512", lambda: torch.mm(a, b, out=out)),
        ("clamp", lambda: torch.clamp(x, 0, 6, out=activated)),
        ("conv2d 3x3", lambda: functional.conv2d(x, weight, padding=1)),
        ("argmax", lambda: logits.argmax(1)),
        ("cross_entropy", lambda: functional.cross_entropy(logits, labels)),
    ]


def _ratio(name: str, work: Action, timer: Timer, theirs: Callable[[Action], float]) -> Ratio:
    medians = []
    for _ in range(ROUNDS):
        (sampling,) = measure([work], timer, timer.clock.now_ns() + round(SECONDS * 1e9))
        medians.append((summarise(sampling.samples_s).median, theirs(work)))
    ratios = [ours / other for ours, other in medians]
    return Ratio(
        name,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(ours for ours, _ in medians),
        statistics.median(other for _, other in medians),
        TARGET,
    )


def _torch(work: Action) -> float:
    timer = benchmark.Timer("work()", globals={"work": work}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=SECONDS).median


def _triton(work: Action) -> float:
    from triton.testing import do_bench

    milliseconds: float = do_bench(work, rep=round(SECONDS * 1e3), return_mode="median")
    return milliseconds / 1e3
