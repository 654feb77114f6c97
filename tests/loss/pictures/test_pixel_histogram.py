import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.draw import to_text
from segcli.loss.pictures.histogram_table import histogram_table
from segcli.loss.pictures.pixel_histogram import PixelHistogram, fine_bins, pixel_histogram
from segcli.nn.kernels.selection import histogram, loss_bound

LOSSES = st.lists(st.floats(0, width=32, allow_nan=False), max_size=60)


def made(losses: list[float] | torch.Tensor, thresh: float | None = 0.7, *, exact: bool = True) -> PixelHistogram:
    pixels = torch.as_tensor(losses, dtype=torch.float32)
    bound = None if thresh is None else loss_bound(thresh)
    n_hard = int((pixels > bound).sum()) if exact and bound is not None else None
    return pixel_histogram(histogram(pixels), threshold=bound, n_hard=n_hard)


@given(LOSSES, st.sampled_from([None, 0.0, 1e-9, 0.3, 0.7, 0.9999, 1.0]), st.sampled_from(["exact", ""]))
@example([], 0.7, "exact")
@example([0.0, 0.0], 1.0, "exact")
@example([math.inf, 0.0], 0.0, "exact")
@example([0.344, 0.356, 0.357, 0.36], 0.7, "exact")
@example([1e-45, 3.4e38], 0.7, "")
def test_every_pixel_is_in_the_bin_of_its_loss(losses: list[float], thresh: float | None, exact: str) -> None:
    result = made(losses, thresh, exact=bool(exact))
    pixels = torch.tensor(losses, dtype=torch.float32)
    bound = torch.tensor(math.nan if thresh is None else loss_bound(thresh), dtype=torch.float32)
    assert sum(bin_.count for bin_ in result.bins) == result.n_valid == len(losses)
    for bin_ in result.bins:
        inside = (pixels >= bin_.low) & (pixels < bin_.high)
        if bin_.low == bin_.high:
            inside = pixels == bin_.low
        elif exact and bin_.kind == "easy":
            # A pixel exactly at the threshold is not hard.
            inside |= (pixels == bin_.high) & (bin_.high == bound)
        if exact and bin_.kind == "hard":
            inside &= pixels > bound
        assert bin_.count == int(inside.sum())
        assert bin_.p_low == math.exp(-bin_.high) <= math.exp(-bin_.low) == bin_.p_high
        assert bin_.share == bin_.count / len(losses)
    assert [bin_.low for bin_ in result.bins] == sorted((bin_.low for bin_ in result.bins), reverse=True)
    assert len(result.bins) <= 17


@given(LOSSES.filter(bool), st.sampled_from([0.3, 0.7, 0.999]))
def test_hard_bins_hold_the_hard_pixels(losses: list[float], thresh: float) -> None:
    result = made(losses, thresh)
    assert {bin_.kind for bin_ in result.bins} <= {"hard", "easy"}
    assert sum(bin_.count for bin_ in result.bins if bin_.kind == "hard") == result.n_hard
    assert result.bins[0].count
    assert result.bins[-1].count
    assert result.bins[-1].share_above == 1.0


def test_without_a_count_the_bin_of_the_threshold_has_both_kinds() -> None:
    kinds = [bin_.kind for bin_ in made([0.01, 0.35, 0.36, 3.0], exact=False).bins]
    assert kinds == sorted(kinds, key=["hard", "both", "easy"].index)
    assert kinds.count("both") == 1


def test_bins_double_the_loss_and_the_outermost_take_the_rest() -> None:
    generator = torch.Generator().manual_seed(0)
    losses = torch.randn(100_000, generator=generator).mul(1.3).sub(2).exp()
    losses[:3] = torch.tensor([1e-30, 80.0, 1e5])
    bins = made(losses).bins
    assert 10 <= len(bins) <= 16
    # The bin above the threshold and the one below have another edge than the others: the threshold.
    assert [bin_.high / bin_.low for bin_ in bins[1:-1] if 0.36 not in (round(bin_.low, 2), round(bin_.high, 2))] == (
        [2.0] * (len(bins) - 4)
    )
    assert bins[0].high > 1e5
    assert bins[-1].low == 0


def test_narrow_data_have_narrow_bins() -> None:
    assert len(made(torch.linspace(0.001, 0.003, 1000)).bins) >= 10


@pytest.mark.parametrize("n_hard", [0, 3])
def test_a_count_that_contradicts_the_bins_is_refused(n_hard: int) -> None:
    counts = histogram(torch.tensor([0.1, 0.35, 2.0]))
    with pytest.raises(ValueError, match=rf"n_hard is {n_hard}, but of the pixels counted 1 to 2 have a loss above"):
        pixel_histogram(counts, threshold=0.357, n_hard=n_hard)


@pytest.mark.parametrize("function", [pixel_histogram, fine_bins])
def test_other_histograms_are_refused(function: type[PixelHistogram]) -> None:
    with pytest.raises(ValueError, match="a histogram of pixel losses has 3 bins, expected 2048"):
        function([1, 2, 3])  # type: ignore[call-arg,arg-type]


def test_fine_bins_are_those_of_the_bits() -> None:
    losses = torch.rand(10_000, generator=torch.Generator().manual_seed(0)) * 20
    edges, counts = fine_bins(histogram(losses))
    assert len(edges) == len(counts) + 1
    assert counts == tuple(np.histogram(losses.numpy(), np.array(edges, np.float32))[0])


def test_a_table_is_read_in_sixty_columns_without_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    losses = torch.cat([torch.randn(9000, generator=generator).mul(2).sub(5).exp(), torch.full((1000,), 0.5)])
    lines = to_text([histogram_table(made(losses))], 60, ascii_only=True).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0] == "pixel losses of 10,000 pixels"
    rows = [line.split() for line in lines[3:] if ":" in line or "#" in line]
    assert ["0.50", "to", "0.70", "0.36"] in [row[:4] for row in rows]
    n_hard = int((losses > loss_bound(0.7)).sum())
    assert f"# is hard, p below 0.7 (loss above 0.356675): {n_hard / 100:.3g} % of the" in lines


@pytest.mark.parametrize(
    ("losses", "thresh", "first"),
    [
        ([0.0, 0.0, math.inf], 0.7, ["0", "1"]),
        ([0.0, 0.5], 1.0, ["below 0.61", "1"]),
        ([0.5], None, ["0.57 to 0.61"]),
        ([1e-9, 50.0, 50.0], None, ["below 8e-20", "8e-20 to 2e-5"]),
    ],
    ids=["none and infinite", "thresh 1", "one bin", "far apart"],
)
def test_ranges_are_told_in_words(losses: list[float], thresh: float | None, first: list[str]) -> None:
    rows = histogram_table(made(losses, thresh)).rows
    assert [row[0] for row in rows][: len(first)] == first


def test_what_holds_the_threshold_is_marked() -> None:
    table = histogram_table(made([0.01, 0.35, 0.36, 3.0], exact=False))
    assert "+" in "".join(str(row[4]) for row in table.rows)
    assert table.notes[0] == "# is hard, p below 0.7 (loss above 0.356675); : is easy; + has hard and easy ones"


def test_no_pixel_is_no_table() -> None:
    table = histogram_table(made([]), title="ohem")
    assert (table.title, table.rows) == ("ohem: no pixel is valid", ())
