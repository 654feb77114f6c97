from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from segcli.loss.cases import Case
from segcli.loss.measuring.batch import Needs, extended, flat_pixels, needs_of, read_batch
from segcli.loss.measuring.blocks import blocks
from segcli.loss.settings import KnownMode, LossSettings
from segcli.nn import kernels
from segcli.nn.kernels.problem import FOCAL, HARD, N_HARD

MODES = st.sampled_from(get_args(KnownMode))


def drawn(mode: KnownMode, seed: int, n_images: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (n_images, 5, 7) if mode == "binary" else (n_images, 3, 5, 7)
    logits = torch.randn(shape, generator=generator) * 3
    labels = torch.randint(0, 3, (n_images, 5, 7), generator=generator)
    labels = labels if mode == "multiclass" else torch.randint(0, 2, shape, generator=generator)
    return logits, labels.masked_fill(torch.rand(labels.shape, generator=generator) < 0.2, 255).to(torch.uint8)


def needs(thresholds: tuple[float, ...], gammas: tuple[float, ...]) -> Needs:
    return Needs(thresholds, gammas, pixels=True, squares=False, confusion=False)


@given(MODES, st.integers(0, 1000), st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]))
def test_a_further_threshold_gives_what_a_read_of_its_own_does(mode: KnownMode, seed: int, thresh: float) -> None:
    logits, labels = drawn(mode, seed)
    batch = read_batch(logits, labels, mode, LossSettings(), needs((0.7, thresh), ()))
    expected = kernels.statistics(logits, labels, mode=mode, thresh=thresh, gamma=0)
    found = batch.at(Case("ohem", (), {"thresh": thresh}))
    assert found.thresh == thresh
    torch.testing.assert_close(
        found.sums[:, :, [N_HARD, HARD]], expected.sums[:, :, [N_HARD, HARD]], rtol=1e-6, atol=1e-6
    )
    assert batch.at(Case("ohem", (), {"thresh": 0.7})) is batch.found


@given(MODES, st.integers(0, 1000), st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_a_further_exponent_gives_what_a_read_of_its_own_does(mode: KnownMode, seed: int, gamma: float) -> None:
    logits, labels = drawn(mode, seed)
    batch = read_batch(logits, labels, mode, LossSettings(), needs((), (2.0, gamma)))
    expected = kernels.statistics(logits, labels, mode=mode, gamma=gamma)
    found = batch.at(Case("focal", (), {"gamma": gamma}))
    torch.testing.assert_close(found.sums[:, :, FOCAL], expected.sums[:, :, FOCAL], rtol=1e-5, atol=1e-7)


@given(MODES, st.integers(0, 1000))
def test_an_image_is_a_batch_of_its_own(mode: KnownMode, seed: int) -> None:
    logits, labels = drawn(mode, seed, n_images=3)
    wanted = needs((0.7, 0.4), (2.0, 0.5))
    whole = read_batch(logits, labels, mode, LossSettings(), wanted)
    alone = read_batch(logits[1:2], labels[1:2], mode, LossSettings(), wanted)
    part = whole.image(1)
    torch.testing.assert_close(part.found.sums, alone.found.sums)
    torch.testing.assert_close(part.found.pixels, alone.found.pixels)
    torch.testing.assert_close(part.hard, alone.hard)
    torch.testing.assert_close(part.focal, alone.focal)


def test_what_is_needed_is_read_once_each() -> None:
    cases = [
        Case("ohem", (), {"thresh": 0.7}),
        Case("ohem", (("n_min", 5),), {"thresh": 0.7}),
        Case("ohem", (("thresh", 0.6),), {"thresh": 0.6}),
        Case("focal", (), {"gamma": 2.0}),
        Case("dice", (), {"squared": True}),
    ]
    assert needs_of(cases, LossSettings(metrics=True)) == Needs(
        (0.7, 0.6), (2.0,), pixels=True, squares=True, confusion=True
    )
    assert not needs_of(cases[3:4], LossSettings()).pixels
    assert needs_of(cases[3:4], LossSettings(), pixels=True).pixels


def test_pixels_that_were_not_read_are_missed() -> None:
    found = kernels.statistics(torch.zeros(1, 2, 3), torch.zeros(1, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"no losses of pixels, .* read with pixels=True"):
        flat_pixels(found)
    with pytest.raises(ValueError, match=r"no losses of pixels"):
        extended(found, needs((0.7, 0.5), ()))


@given(MODES, st.integers(0, 1000), st.integers(1, 500))
def test_blocks_are_the_whole(mode: KnownMode, seed: int, most_bytes: int) -> None:
    logits, labels = drawn(mode, seed, n_images=1)
    axis = 1 if mode == "binary" else 2
    again: list[tuple[Tensor, Tensor]] = []
    for rows, part, its_labels in blocks(logits, labels, mode, most_bytes):
        assert part.shape[axis] == rows.stop - rows.start
        assert part.nbytes <= most_bytes or rows.stop - rows.start == 1
        again.append((part, its_labels))
    torch.testing.assert_close(torch.cat([part for part, _ in again], axis), logits)
    of_labels = axis - 1 if mode == "multiclass" else axis
    torch.testing.assert_close(torch.cat([part for _, part in again], of_labels), labels)
