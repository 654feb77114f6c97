import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from segcli.loss.measuring.levels import Hardest, Scale, hardest, level_tally, levels_of, scale_for

# Few different numbers, so that they tie; numbers next to one another; and all that a float32 can be.
SOME = st.sampled_from([0.0, 1e-30, 7e-6, 0.5, 1.0, 1.0000001, 1.0000002, 1.5, 88.0, 2.0**127])
LOSSES = st.lists(SOME | st.floats(0, 2.0**127, width=32), min_size=1, max_size=40)


def dense(losses: Tensor, rows: Tensor, n_rows: int, scale: Scale) -> Tensor:
    return levels_of(level_tally(losses, rows, n_rows, scale), n_rows)


def chosen(losses: Tensor, rows: Tensor, n_rows: int, n_kept: int, scale: Scale) -> tuple[Hardest, int]:
    """Choose as a command does, with looks at the losses again until it is exact."""
    found, looks = hardest(dense(losses, rows, n_rows, scale), n_kept, scale), 1
    while not found.exact:
        scale = scale.within(found.place, n_rows)
        found = hardest(dense(losses, rows, n_rows, scale), found.n_left, scale, found.above)
        looks += 1
    return found, looks


@given(LOSSES, st.data(), st.sampled_from([1, 3]), st.sampled_from([32, 96, 2**12]))
@example([1.0, 1.0000001, 1.0000002], None, 1, 32)
def test_the_hardest_are_those_that_a_sort_finds(
    values: list[float], data: st.DataObject | None, n_rows: int, most: int
) -> None:
    n_kept = 2 if data is None else data.draw(st.integers(1, len(values)))
    rows = [i % n_rows for i in range(len(values))]
    losses = torch.tensor(values)
    found, looks = chosen(losses, torch.tensor(rows), n_rows, n_kept, scale_for(n_rows, most=most))
    expected = losses.to(torch.float64).sort(descending=True).values[:n_kept].sum().item()
    assert found.sums[:, 0].sum().item() == pytest.approx(n_kept)
    assert found.sums[:, 1].sum().item() == pytest.approx(expected, rel=3e-7, abs=1e-44)
    assert looks <= 8


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.01, 88.0]), min_size=1, max_size=40), st.data())
def test_what_is_above_the_level_is_kept_in_its_row(values: list[float], data: st.DataObject) -> None:
    rows = torch.tensor(data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values))))
    n_kept = data.draw(st.integers(1, len(values)))
    losses = torch.tensor(values)
    found, _ = chosen(losses, rows, 3, n_kept, scale_for(3, most=96))
    least = float(losses.sort(descending=True).values[n_kept - 1])
    for row in range(3):
        mine = losses[rows == row]
        assert int((mine > least).sum()) <= found.sums[row, 0].item() + 1e-6
        assert found.sums[row, 0].item() <= int((mine >= least).sum()) + 1e-6


def test_ties_share_the_last_places_by_row() -> None:
    losses, scale = torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0]), scale_for(2)
    found = hardest(dense(losses, torch.tensor([0, 0, 1, 1, 1]), 2, scale), 3, scale)
    assert found.sums.tolist() == [[1.5, 2.5], [1.5, 1.5]]
    assert (found.level, found.exact) == (1.0, True)


def test_a_fine_scale_needs_one_look_at_ordinary_losses() -> None:
    losses = torch.rand(200_000, generator=torch.Generator().manual_seed(3)).pow(4) * 5
    found, looks = chosen(losses, torch.zeros(200_000, dtype=torch.int64), 1, 12_500, scale_for(19))
    expected = losses.to(torch.float64).topk(12_500).values.sum().item()
    assert found.sums[0, 1].item() == pytest.approx(expected, rel=2.5e-7)
    assert looks == 1


@pytest.mark.parametrize("n_rows", [1, 2, 19, 150, 20_000, 10**6])
def test_a_histogram_stays_small(n_rows: int) -> None:
    scale = scale_for(n_rows)
    assert scale.n_bins >= 32
    assert scale.n_bins * n_rows * 16 <= max(64 * 2**20, 32 * n_rows * 16)


@given(st.integers(0, 31), st.sampled_from([1, 300]))
def test_bins_within_a_bin_cover_it(place: int, n_rows: int) -> None:
    outer = scale_for(1, most=32)
    inner = outer.within(place, n_rows)
    lower, upper = outer.patterns(place)
    assert inner.patterns(0)[0] == lower
    assert inner.patterns(inner.n_bins - 2)[1] < upper <= inner.patterns(inner.n_bins - 1)[1]


def test_losses_beyond_a_scale_are_left_out() -> None:
    inner = scale_for(1, most=32).within(17, 1)
    assert dense(torch.tensor([0.5, 1.0, 1.999, 2.0]), torch.zeros(4).long(), 1, inner)[:, :, 0].sum() == 2
