"""Inputs by formula, so that numbers which other projects' code gave for them stay checkable, and real ones by case."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from segcli.loss.projects import ProjectSettings

SHAPE = (2, 4, 5, 6)
BINARY = ProjectSettings(mode="binary")


def formula_logits(shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Return numbers from -3.125 to 3.125, exact in every dtype, no two neighbours alike."""
    n = torch.Size(shape).numel()
    return ((torch.arange(n) * 37 % 101).float() - 50).div(16).view(shape)


def formula_labels(ignore_index: int = 255, *, classes: int = 4, ignored: int = 0, empty: bool = False) -> Tensor:
    """Return labels below ``classes``, every seventh from the first ignored, up to ``ignored`` of them."""
    n = SHAPE[0] * SHAPE[2] * SHAPE[3]
    labels = torch.arange(n) * 5 // 3 % classes
    labels[: 7 * ignored : 7] = ignore_index
    labels = labels.view(SHAPE[0], *SHAPE[2:])
    if empty:
        labels[1] = ignore_index
    return labels


@dataclass(frozen=True, eq=False)
class Case:
    """Labels, and the settings that go with them."""

    labels: Tensor
    settings: ProjectSettings

    @property
    def logits(self) -> Tensor:
        return formula_logits() if self.settings.mode == "multiclass" else formula_logits()[:, 0].contiguous()


def _case(labels: Tensor, settings: ProjectSettings | None = None, **changes: Any) -> Case:  # noqa: ANN401 - settings
    return Case(labels, replace(settings or ProjectSettings(n_min=9), **changes))


PLAIN, HOLES = formula_labels(), formula_labels(classes=3, ignored=5)
MASKS = formula_labels(classes=2, ignored=4)
EMPTY = formula_labels(classes=3, ignored=2, empty=True)
NOTHING = torch.full_like(PLAIN, 255)
ALONE = NOTHING.clone()
ALONE[0, 1, 2] = 1

CASES: dict[str, Case] = {
    "plain": _case(PLAIN),
    "no ignore_index": _case(PLAIN, ignore_index=None, alpha=0.25),
    "holes": _case(HOLES),
    "holes, thresh .1, n_min 30": _case(HOLES, thresh=0.1, n_min=30),
    "holes, thresh .1, n_min 54": _case(HOLES, thresh=0.1, n_min=54),
    "holes, thresh .1, n_min 57": _case(HOLES, thresh=0.1, n_min=57),
    "holes, thresh .1, n_min 60": _case(HOLES, thresh=0.1, n_min=60),
    "holes, thresh .001, n_min 0": _case(HOLES, thresh=0.001, n_min=0),
    "holes, n_min 1/4": _case(HOLES, thresh=0.1, n_min=Fraction(1, 4)),
    "holes, batch, smooth 0": _case(HOLES, reduce="batch", smooth=0.0),
    "holes, alpha .25": _case(HOLES, alpha=0.25, gamma=1.5),
    "holes, alpha a class": _case(HOLES, alpha=(0.1, 0.2, 0.3, 0.4)),
    "holes, squared": _case(HOLES, squared=True),
    "empty image": _case(EMPTY),
    "empty image, batch": _case(EMPTY, reduce="batch"),
    "nothing": _case(NOTHING),
    "nothing, batch": _case(NOTHING, reduce="batch"),
    "one pixel": _case(ALONE, reduce="batch"),
    "ignore -1": _case(formula_labels(-1, ignored=4), ignore_index=-1),
    "ignore 0": _case(formula_labels(), ignore_index=0),
    "masks": _case(MASKS, BINARY),
    "masks, batch, smooth 0": _case(MASKS, BINARY, reduce="batch", smooth=0.0),
    "masks, alpha .25": _case(MASKS, BINARY, alpha=0.25, gamma=0.5),
    "masks, empty image": _case(formula_labels(classes=2, empty=True), BINARY),
    "masks, no foreground": _case(formula_labels(classes=1), BINARY),
    "masks, nothing": _case(NOTHING, BINARY),
    "masks, ignore -1": _case(formula_labels(-1, classes=2, ignored=4), BINARY, ignore_index=-1),
    "masks, ignore 0": _case(formula_labels(classes=2), BINARY, ignore_index=0),
}
