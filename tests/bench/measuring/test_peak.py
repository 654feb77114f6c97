from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn import functional
from torch.profiler import profile

from segcli.bench.measuring.peak import peak_bytes, peak_of

CPU = torch.device("cpu")
MIB = 2**20


@given(st.lists(st.integers(-(2**40), 2**40), max_size=30))
@example([])
@example([5, -5, 7])
def test_the_peak_is_the_highest_sum_on_the_way(changes: list[int]) -> None:
    assert peak_of(changes) == max([0, *accumulate(changes)])


ONES = torch.ones(256, 1024)
IMAGE = torch.randn(1, 8, 64, 64)
WEIGHT = torch.randn(8, 8, 3, 3, requires_grad=True)


@pytest.mark.parametrize(
    ("work", "peak"),
    [
        (lambda: ONES.view(-1), 0),
        (lambda: ONES.add_(0), 0),
        (lambda: ONES + 1, MIB),
        # The sum is freed once the product is there.
        (lambda: (ONES + 1) * ONES, 2 * MIB),
        # Of three the first is freed before the third is made.
        (lambda: ((ONES + 1) * ONES) * ONES, 2 * MIB),
        (lambda: [ONES + 1, ONES + 2, ONES + 3], 3 * MIB),
        (ONES.sum, 4),
        # Values and indices of 8 bytes.
        (lambda: ONES.max(1), 256 * 12),
        (lambda: torch.empty(0), 0),
    ],
    ids=["view", "in-place", "one", "two", "chain", "three", "scalar", "pair", "empty"],
)
def test_known_peaks(work: Callable[[], object], peak: int) -> None:
    found = peak_bytes(work, CPU)
    assert found is not None
    # A Python number is a tensor of some bytes for a moment.
    assert 0 <= found - peak <= 16


def test_buffers_inside_of_torch_are_seen() -> None:
    # Sorting keeps 8-byte indices beside values, though only a scalar comes out.
    def hidden() -> torch.Tensor:
        return ONES.flatten().sort().values.sum()

    peak = peak_bytes(hidden, CPU)
    assert peak is not None
    assert peak >= 3 * MIB


def test_gradients_are_counted_and_nothing_stays() -> None:
    def work() -> object:
        return torch.autograd.grad(functional.conv2d(IMAGE, WEIGHT, padding=1).sum(), WEIGHT)

    first, again = peak_bytes(work, CPU), peak_bytes(work, CPU)
    assert first == again
    assert first is not None
    assert first >= IMAGE.nbytes + WEIGHT.nbytes


def test_the_newer_profiler_of_torch_reports_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> object:
        return functional.conv2d(IMAGE, WEIGHT.detach(), padding=1).relu().sort(1)

    with profile(profile_memory=True, acc_events=False) as profiler:
        work()
    inner: Any = profiler.profiler
    events = inner.kineto_results.events()
    changes = [event.nbytes() for event in events if event.name() == "[memory]"]
    capfd.readouterr()
    # What it writes on stderr is why it is not used.
    assert peak_bytes(work, CPU) == peak_of(changes) > 0
    assert capfd.readouterr().err == ""


def test_what_raises_leaves_the_profiler_off() -> None:
    def broken() -> None:
        message = "not today"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="not today"):
        peak_bytes(broken, CPU)
    assert peak_bytes(lambda: ONES * ONES, CPU) == MIB


def test_on_cuda_torchs_own_count_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: asked.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: asked.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 1700)
    assert peak_bytes(lambda: asked.append("work"), torch.device("cuda")) == 700
    assert asked == ["wait", "reset", "work", "wait"]


@pytest.mark.cuda
def test_peaks_on_cuda() -> None:
    device = torch.device("cuda")
    ones = torch.ones(256, 1024, device=device)
    assert peak_bytes(lambda: (ones + 1) * ones, device) == 2 * MIB
