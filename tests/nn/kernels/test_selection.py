"""The k-th largest without a sort, against a sort; and what is kept."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn.kernels import selection
from segcli.nn.kernels.selection import choose, histogram, kth_largest, select, shares

TINY = {torch.float32: 2.0**-149, torch.float64: 2.0**-1074}


@st.composite
def losses(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    some = draw(st.lists(st.floats(0, math.inf), min_size=1, max_size=6))
    # Ties, numbers of which the last bit tells them apart, and ignored pixels.
    near = [math.nextafter(value, math.inf) for value in some]
    special = [0.0, -0.0, -1.0, TINY[dtype], math.inf, torch.finfo(dtype).max]
    values = draw(st.lists(st.sampled_from(some + near + special), min_size=1, max_size=60))
    return torch.tensor(values, dtype=dtype)


@given(values=losses(), chunk=st.sampled_from([1, 7, 2**20]), data=st.data())
@example(values=torch.tensor([0.0, -0.0]), chunk=2**20, data=None)
@example(values=torch.full((5,), math.inf), chunk=2, data=None)
@example(values=torch.tensor([TINY[torch.float64], 0.0, 2e-320], dtype=torch.float64), chunk=2**20, data=None)
def test_it_is_what_a_sort_finds(values: Tensor, chunk: int, data: st.DataObject | None) -> None:
    known = values[values >= 0].sort(descending=True).values
    if not len(known):
        return
    counts = range(1, len(known) + 1) if data is None else [data.draw(st.integers(1, len(known)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_CHUNK", chunk)
        for k in counts:
            value = known[k - 1]
            expected = (value.item(), int((known > value).sum()), int((known == value).sum()))
            assert kth_largest(values, k) == expected


@pytest.mark.parametrize("k", [1, 2, 999, 1000, 4000, 7999, 8000])
def test_losses_as_they_are(k: int) -> None:
    values = torch.randn(100, 80, generator=torch.Generator().manual_seed(k)).exp()
    ranked = values.flatten().sort(descending=True).values
    assert kth_largest(values, k) == (ranked[k - 1].item(), k - 1, 1)
    # Of any strides.
    assert kth_largest(values.mT, k) == kth_largest(values, k)


def test_fewer_than_k_is_no_crash() -> None:
    # Losses of NaN logits, which nobody looked at.
    assert kth_largest(torch.tensor([-1.0, -1.0]), 1)[1:] == (0, 0)
    assert kth_largest(torch.empty(0), 1)[1:] == (0, 0)
    assert choose(torch.full((3,), math.nan), torch.tensor([3, 0]), 0.5, [2]).part in (0.0, 2 / 3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], float, int | float | None]:
    values = draw(st.lists(st.sampled_from([-1.0, 0.0, 0.1, 0.5, 0.7, 2.0]), max_size=30))
    n_min = draw(st.none() | st.integers(0, 35) | st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    return values, draw(st.sampled_from([0.0, -0.0, 0.3, 0.5, math.inf])), n_min


@given(case=cases())
@example(case=([], 0.3, 5))
@example(case=([-1.0, -1.0], 0.0, None))
@example(case=([0.5] * 6, 0.6, 2))
@example(case=([2.0, 0.1], 0.3, 2))
def test_the_rule(case: tuple[list[float], float, int | float | None]) -> None:
    values, bound, n_min = case
    pixels = torch.tensor(values, dtype=torch.float64)
    chosen = select(pixels, bound=bound, n_min=n_min)
    known = pixels[pixels >= 0].sort(descending=True).values
    n_valid, n_hard = len(known), int((known > bound).sum())
    least = min(
        n_min if isinstance(n_min, int) else math.floor((0.0625 if n_min is None else n_min) * n_valid), n_valid
    )
    n_kept = max(least, n_hard)
    assert (chosen.n_valid, chosen.n_hard, chosen.n_min, chosen.n_kept) == (n_valid, n_hard, least, n_kept)
    assert chosen.share.sum().item() == pytest.approx(n_kept)
    assert (chosen.share * pixels).sum().item() == pytest.approx(known[:n_kept].sum().item())
    assert not chosen.share[pixels < 0].any()
    # Equal losses have equal shares.
    for value in set(values):
        assert len(chosen.share[pixels == value].unique()) == 1  # type: ignore[no-untyped-call]
    if n_hard >= least:
        assert chosen.branch == ("hard" if n_kept else "none")
        assert chosen.bound == bound
    else:
        assert chosen.branch == ("all" if least == n_valid else "top-k")
        assert chosen.bound == known[n_kept - 1]


def test_a_share_is_a_decimal_fraction() -> None:
    assert select(torch.full((100,), 0.1), bound=1.0, n_min=0.29).n_min == 29
    assert select(torch.full((100,), 0.1), bound=1.0, n_min=Fraction(1, 3)).n_min == 33


def test_shares_keep_the_dtype() -> None:
    assert shares(torch.tensor([1.0, 2.0], dtype=torch.float64), 1.0, 1 / 3).tolist() == [1 / 3, 1.0]
    assert shares(torch.tensor([1.0]), 1.0, 0.5).dtype == torch.float32


def test_the_histogram_counts_what_is_not_ignored() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    counts = histogram(values.double())
    known = values[values >= 0]
    assert counts.shape == (2048,)
    assert counts.sum() == len(known)
    # Bins are as the losses are ordered.
    assert counts[: 127 * 8].sum() == (known < 1).sum()
