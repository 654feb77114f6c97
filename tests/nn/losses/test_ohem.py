import math
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from segcli.nn import OhemCrossEntropyLoss, OhemSelection, cross_entropy_loss, ohem_cross_entropy_loss, ohem_selection

# The true class's probabilities of the comparison of OHEM implementations, and two ignored pixels beside them.
P = (0.05, 0.2, 0.4, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99)
IGNORED_P = (0.5, 0.5)


class NotesOhem(nn.Module):
    """The reference: sort all pixels, ignored ones with their loss of 0 among them."""

    def __init__(self, thresh: float, n_min: int, ignore_index: int = 255) -> None:
        super().__init__()
        self.bound = -math.log(thresh)
        self.n_min = n_min
        self.criterion = nn.CrossEntropyLoss(ignore_index=ignore_index, reduction="none")

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses, _ = torch.sort(self.criterion(logits, labels).flatten(), descending=True)
        losses = losses[losses > self.bound] if losses[self.n_min] > self.bound else losses[: self.n_min]
        return losses.mean()


def two_classes(p: tuple[float, ...], n_ignored: int = 0) -> tuple[Tensor, Tensor]:
    """Return logits of which label 0 has probabilities ``p``, the last ``n_ignored`` ignored."""
    chances = torch.tensor(p, dtype=torch.float64)
    labels = torch.zeros(1, len(p), dtype=torch.int64)
    labels[0, len(p) - n_ignored :] = 255
    return torch.stack([chances.log(), (1 - chances).log()])[None], labels


def select(p: tuple[float, ...], n_ignored: int = 0, **settings: object) -> OhemSelection:
    return ohem_selection(*two_classes(p, n_ignored), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_min", "value", "n_kept", "branch"),
    [
        # The notes' column, wherever it keeps no ignored pixel.
        pytest.param(3, 1.29261, 5, "hard", id="k=3"),
        pytest.param(8, 0.893531, 8, "top-k", id="k=8"),
        # Ours: the notes keep an ignored pixel, or raise IndexError.
        pytest.param(11, 0.720959, 10, "all", id="k=11 > n_valid"),
        pytest.param(12, 0.720959, 10, "all", id="k=numel"),
        pytest.param(10, 0.720959, 10, "all", id="k=n_valid"),
    ],
)
def test_the_table_of_implementations(n_min: int, value: float, n_kept: int, branch: str) -> None:
    # On which side of its own logarithm p=.7 falls is rounding: a threshold a hair below keeps it out.
    chosen = select(P + IGNORED_P, 2, thresh=0.7 - 1e-9, n_min=n_min)
    assert chosen.loss.item() == pytest.approx(value, abs=1e-5)
    assert (chosen.n_valid, chosen.n_hard, chosen.n_kept, chosen.branch) == (10, 5, n_kept, branch)


def test_nothing_valid_is_zero_with_a_graph() -> None:
    logits, labels = two_classes(IGNORED_P, 2)
    logits.requires_grad_()
    chosen = ohem_selection(logits, labels, thresh=0.7, n_min=3)
    chosen.loss.backward()  # type: ignore[no-untyped-call]
    assert (chosen.loss.item(), chosen.n_valid, chosen.n_kept, chosen.branch) == (0.0, 0, 0, "none")
    assert logits.grad is not None
    assert not logits.grad.any()


def test_ties_share_the_last_places_evenly() -> None:
    logits, labels = two_classes((0.9,) * 6)
    logits.requires_grad_()
    chosen = ohem_selection(logits, labels, thresh=0.7, n_min=2)
    chosen.loss.backward()  # type: ignore[no-untyped-call]
    assert chosen.loss.item() == pytest.approx(0.105361, abs=1e-6)
    assert chosen.n_kept == 2
    assert chosen.share.tolist() == [[pytest.approx(1 / 3)] * 6]
    assert logits.grad is not None
    assert torch.allclose(logits.grad, logits.grad[..., :1].expand_as(logits.grad))


def test_nothing_hard_and_nothing_to_keep_is_zero() -> None:
    chosen = select((0.9, 0.95), thresh=0.7, n_min=0)
    assert (chosen.loss.item(), chosen.branch, chosen.threshold) == (0.0, "none", 0.7)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], int, int, float]:
    # Probabilities from a coarse grid, so that there are ties; none near the thresholds.
    p = draw(st.lists(st.sampled_from([0.05, 0.2, 0.41, 0.63, 0.77, 0.92]), min_size=2, max_size=30))
    n_ignored = draw(st.integers(0, len(p) - 1))
    n_min = draw(st.integers(1, len(p) - n_ignored))
    return p, n_ignored, n_min, draw(st.sampled_from([0.3, 0.5, 0.7, 0.85]))


@given(cases())
@example(([0.05, 0.2, 0.41, 0.92], 0, 3, 0.7))
@example(([0.92] * 6, 0, 2, 0.7))
@example(([0.05, 0.05], 1, 1, 0.7))
def test_it_is_the_notes_class_wherever_that_is_defined(case: tuple[list[float], int, int, float]) -> None:
    p, n_ignored, n_min, thresh = case
    logits, labels = two_classes(tuple(p), n_ignored)
    ours = ohem_selection(logits, labels, thresh=thresh, n_min=n_min)
    if n_min == len(p):
        with pytest.raises(IndexError, match="out of bounds"):
            NotesOhem(thresh, n_min)(logits, labels)
        return
    assert ours.loss.item() == pytest.approx(NotesOhem(thresh, n_min)(logits, labels).item(), rel=1e-12)
    assert ours.n_kept == max(n_min, ours.n_hard)
    assert ours.share.sum().item() == pytest.approx(ours.n_kept)


def test_its_gradient_is_that_of_the_notes_class() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 12, 12, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.randint(0, 5, (2, 12, 12), generator=generator)
    for n_min in (10, 280):
        ours = torch.autograd.grad(ohem_cross_entropy_loss(logits, labels, thresh=0.2, n_min=n_min), logits)[0]
        notes = torch.autograd.grad(NotesOhem(0.2, n_min)(logits, labels), logits)[0]
        assert torch.allclose(ours, notes, atol=1e-15)


def test_keeping_all_is_cross_entropy() -> None:
    logits, labels = (
        torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1)),
        torch.tensor([[0, 1, 2, 3, 255, 1]] * 2),
    )
    plain = cross_entropy_loss(logits, labels)
    weight = [1.0, 2.0, 0.5, 0.0]
    assert torch.allclose(ohem_cross_entropy_loss(logits, labels, n_min=1.0), plain)
    assert torch.allclose(ohem_cross_entropy_loss(logits, labels, thresh=1.0), plain)
    assert torch.allclose(
        ohem_cross_entropy_loss(logits, labels, n_min=1.0, weight=weight),
        cross_entropy_loss(logits, labels, weight=weight),
    )


def test_weights_leave_the_choice_alone() -> None:
    logits, labels = two_classes((0.1, 0.3, 0.9))
    chosen = ohem_selection(logits, labels, thresh=0.7, weight=[5.0, 1.0])
    assert chosen.n_kept == 2
    assert chosen.loss.item() == pytest.approx(-(math.log(0.1) + math.log(0.3)) / 2)
    assert ohem_cross_entropy_loss(logits, labels, weight=[0.0, 1.0]).item() == 0


@pytest.mark.parametrize(
    ("n_min", "count"),
    [
        (None, 6),
        (0.29, 29),
        (Fraction(1, 3), 33),
        (1.0, 100),
        (1, 1),
        (0, 0),
        (0.0, 0),
        (1000, 100),
    ],
)
def test_n_min_is_a_count_or_a_share(n_min: float | Fraction | None, count: int) -> None:
    chosen = select((0.9,) * 100 + IGNORED_P, 2, thresh=0.7, n_min=n_min)
    assert (chosen.n_min, chosen.n_kept) == (count, count)


def test_the_effective_threshold_is_the_easiest_kept_pixel() -> None:
    chosen = select((0.5, 0.8, 0.9, 0.99), thresh=0.7, n_min=3)
    assert (chosen.n_hard, chosen.branch) == (1, "top-k")
    assert chosen.threshold == pytest.approx(0.9)
    assert chosen.loss_threshold == pytest.approx(-math.log(0.9))
    assert select((0.5, 0.8), thresh=0.7, n_min=1).threshold == 0.7
    assert select((0.5, 0.8), thresh=0.7, n_min=2).threshold == pytest.approx(0.8)


def test_thresh_zero_leaves_n_min_alone_to_choose() -> None:
    chosen = select((0.01, 0.2, 0.9), thresh=0.0, n_min=1)
    assert chosen.n_hard == 0
    assert chosen.loss.item() == pytest.approx(-math.log(0.01))


def test_a_pixel_exactly_at_the_threshold_is_not_hard() -> None:
    # Two equal logits: p is exactly a half, in any precision.
    chosen = ohem_selection(torch.zeros(1, 2, 1), torch.zeros(1, 1, dtype=torch.uint8), thresh=0.5, n_min=0)
    assert chosen.n_hard == 0


def test_the_module_is_the_function_and_says_its_settings() -> None:
    logits, labels = two_classes(P + IGNORED_P, 2)
    module = OhemCrossEntropyLoss(thresh=0.5, n_min=9, ignore_index=255, weight=[1, 2])
    assert module(logits, labels) == ohem_cross_entropy_loss(logits, labels, thresh=0.5, n_min=9, weight=[1, 2])
    assert module.select(logits, labels).n_kept == 9
    assert (
        repr(module)
        == "OhemCrossEntropyLoss(thresh=0.5, n_min=9, semantics='exact', mode='multiclass', ignore_index=255)"
    )
    assert module.to(torch.float64).weight.dtype == torch.float64  # type: ignore[union-attr]
    assert not module.state_dict()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"thresh": 1.5}, "thresh is 1.5, expected a probability from 0 to 1"),
        ({"thresh": math.nan}, "thresh is nan"),
        ({"n_min": -1}, "n_min is -1, expected a count"),
        ({"n_min": 1.5}, "n_min is 1.5"),
        ({"n_min": True}, "n_min is True"),
        ({"n_min": math.nan}, "n_min is nan"),
        ({"weight": [1, -1]}, r"weight is \[1.0, -1.0\], expected finite numbers"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OhemCrossEntropyLoss(**settings)  # type: ignore[arg-type]
