"""One read of a batch in memory, and what other thresholds and exponents make of the losses of its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from segcli.loss.cases import Case
from segcli.loss.settings import KnownMode, LossSettings
from segcli.nn.kernels.problem import FOCAL, HARD, N_HARD
from segcli.nn.kernels.reading import Statistics, statistics
from segcli.nn.kernels.rows import sum_by_row
from segcli.nn.kernels.selection import loss_bound
from segcli.nn.losses.ohem_kept import rows_at

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Needs:
    """What has to be read, so that every case can be evaluated.

    Attributes:
        thresholds: Of OHEM, the first of them by the read itself.
        gammas: Of focal loss, likewise.
        pixels: Whether the losses of pixels are kept.
        squares: Whether p^2 is added up.
        confusion: Whether predictions are counted against labels.
    """

    thresholds: tuple[float, ...]
    gammas: tuple[float, ...]
    pixels: bool
    squares: bool
    confusion: bool


def needs_of(cases: Sequence[Case], settings: LossSettings, *, pixels: bool = False) -> Needs:
    """Return what the cases need of one read.

    Examples:
        >>> needs_of([Case("ohem", (), {"thresh": 0.6})], LossSettings()).thresholds
        (0.6,)
    """
    thresholds = tuple(dict.fromkeys(case.parameters["thresh"] for case in cases if case.loss == "ohem"))
    gammas = tuple(dict.fromkeys(case.parameters["gamma"] for case in cases if case.loss == "focal"))
    return Needs(
        thresholds,
        gammas,
        pixels or bool(thresholds) or len(gammas) > 1,
        any(case.parameters.get("squared") for case in cases),
        settings.metrics,
    )


@dataclass(frozen=True, eq=False)
class Batch:
    """What the losses are made of.

    Attributes:
        found: What one read of the logits gave, with the first threshold and the first exponent.
        hard: For each further threshold: N_HARD and HARD by image and row, (N, rows, 2).
        focal: For each further exponent: FOCAL by image and row, (N, rows).
    """

    found: Statistics
    hard: dict[float, "Tensor"]
    focal: dict[float, "Tensor"]

    def at(self, case: Case) -> Statistics:
        """Return the read as it had been with the threshold and the exponent of a case."""
        if case.loss == "ohem" and case.parameters["thresh"] in self.hard:
            sums = self.found.sums.clone()
            sums[:, :, [N_HARD, HARD]] = self.hard[case.parameters["thresh"]]
            return replace(self.found, thresh=case.parameters["thresh"], sums=sums)
        if case.loss == "focal" and case.parameters["gamma"] in self.focal:
            sums = self.found.sums.clone()
            sums[:, :, FOCAL] = self.focal[case.parameters["gamma"]]
            return replace(self.found, sums=sums)
        return self.found

    def image(self, index: int) -> "Batch":
        """Return one image of the batch, as a batch."""
        part = slice(index, index + 1)
        found = replace(
            self.found,
            sums=self.found.sums[part],
            labels=self.found.labels[part],
            pixels=None if self.found.pixels is None else self.found.pixels[part],
        )
        hard = {thresh: sums[part] for thresh, sums in self.hard.items()}
        return Batch(found, hard, {gamma: sums[part] for gamma, sums in self.focal.items()})


def read_batch(logits: "Tensor", labels: "Tensor", mode: KnownMode, settings: LossSettings, needs: Needs) -> Batch:
    """Read logits and labels once.

    Args:
        logits: (N, C, *S), or (N, *S) for binary; logits, not probabilities.
        labels: (N, *S), or the logits' shape for multilabel.
        mode: How they belong together.
        settings: What does not count, and what computes.
        needs: What is wanted.

    Raises:
        ValueError: For values that are none, and settings out of range.
    """
    found = statistics(
        logits,
        labels,
        mode=mode,
        ignore_index=settings.ignore_index,
        backend=settings.backend,
        thresh=needs.thresholds[0] if needs.thresholds else 0.0,
        gamma=needs.gammas[0] if needs.gammas else 0.0,
        pixels=needs.pixels,
        squares=needs.squares,
        confusion=needs.confusion and mode == "multiclass",
    )
    if needs.confusion and mode != "multiclass":
        found = replace(found, confusion=_confusion_of_signs(logits, found))
    return extended(found, needs)


def _confusion_of_signs(logits: "Tensor", found: Statistics) -> "Tensor":
    """Count labels against predictions, which are 1 where a logit is above 0: (2, 2) for binary, else (C, 2, 2)."""
    labels = found.labels.to(torch.int64)
    valid = (labels == 0) | (labels == 1)
    codes = 2 * labels + (logits > 0)
    if found.mode == "multilabel":
        n_classes = logits.shape[1]
        codes = codes + 4 * torch.arange(n_classes, device=logits.device).view(-1, *[1] * (logits.dim() - 2))
        return torch.bincount(codes[valid], minlength=4 * n_classes).view(n_classes, 2, 2)
    return torch.bincount(codes[valid], minlength=4).view(2, 2)


def extended(found: Statistics, needs: Needs) -> Batch:
    """Add what the further thresholds and exponents give, from the losses of the pixels."""
    hard = {thresh: _hard_sums(found, loss_bound(thresh)) for thresh in needs.thresholds[1:]}
    return Batch(found, hard, {gamma: _focal_sums(found, gamma) for gamma in needs.gammas[1:]})


def _hard_sums(found: Statistics, bound: float) -> "Tensor":
    pixels = flat_pixels(found)
    # Few are hard; no list of the others is made. Ignored ones are below any bound.
    places = ((pixels > bound) & (pixels >= 0)).nonzero().flatten()
    losses = pixels[places].to(found.sums.dtype)
    columns = [_by_row(column, places, found) for column in (torch.ones_like(losses), losses)]
    return torch.stack(columns, 2)


def _focal_sums(found: Statistics, gamma: float) -> "Tensor":
    pixels = flat_pixels(found)
    places = (pixels >= 0).nonzero().flatten()
    losses = pixels[places].to(found.sums.dtype)
    # 1 - p of the loss -log p.
    return _by_row(losses * (-torch.expm1(-losses)).pow(gamma), places, found)


def _by_row(values: "Tensor", places: "Tensor", found: Statistics) -> "Tensor":
    """Add up by image and row: (N, rows)."""
    n_images, n_rows = found.sums.shape[:2]
    rows = rows_at(found.labels, places, None if found.mode == "multiclass" else n_rows // 2)
    images = places // max(1, found.labels.numel() // max(1, n_images))
    return sum_by_row(values, images * n_rows + rows, n_images * n_rows).view(n_images, n_rows)


def flat_pixels(found: Statistics) -> "Tensor":
    """Return the losses of the pixels, of all images in a row.

    Raises:
        ValueError: Where they were not read.
    """
    if found.pixels is None:
        message = "found has no losses of pixels, which other thresholds are compared with: read with pixels=True"
        raise ValueError(message)
    return found.pixels.reshape(-1)
