"""What all files together say: the sums of `segcli.loss.measuring.tallies` as a result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segcli.loss.cases import Case
from segcli.loss.result import MIXED, LossValue, Metrics, OhemValue, PerClass, SweepPoint
from segcli.loss.settings import LossSettings, written

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.measuring.whole import ReadAgain, Whole
    from segcli.loss.settings import KnownMode
    from segcli.nn.kernels.backends import Backend

_THRESHOLD, _LOSS_THRESHOLD, _FIRST_BRANCH = 4, 5, 6

Tally = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Facts:
    """What is the same of all files.

    Attributes:
        mode: How logits and labels belong together.
        backend: What read them.
        n_classes: How many classes they have, 2 for binary.
    """

    mode: "KnownMode"
    backend: "Backend"
    n_classes: int


def values_of_files(cases: Sequence[Case], tally: Tally) -> list[LossValue]:
    """Return each loss as the mean of its values of files."""
    choices = iter(range(len(cases)))
    return [
        _ohem(case, i, next(choices), tally) if case.loss == "ohem" else _mean(case, i, tally)
        for i, case in enumerate(cases)
    ]


def _mean(case: Case, place: int, tally: Tally) -> LossValue:
    total, weight = tally["values"][place].tolist()
    n_classes = len(tally["classes"])
    per_class = _quotients(tally["per_class"][place]) if not case.point else (None,) * n_classes
    return LossValue(total / weight if weight else 0.0, per_class, case.parameters, n_averaged=int(weight))


def _ohem(case: Case, place: int, choice: int, tally: Tally) -> OhemValue:
    from segcli.nn.kernels.selection import BRANCHES

    mean = _mean(case, place, tally)
    row = tally["choices"][choice].tolist()
    files: dict[str, int] = dict(zip(BRANCHES, map(int, row[_FIRST_BRANCH:]), strict=True))
    n_files = sum(files.values())
    taken = [branch for branch, count in files.items() if count]
    kept = tuple(tally["kept"].tolist())
    return OhemValue(
        value=mean.value,
        per_class=mean.per_class,
        parameters=case.parameters,
        n_averaged=mean.n_averaged,
        n_valid=int(row[0]),
        n_hard=int(row[1]),
        n_min=int(row[2]),
        n_kept=int(row[3]),
        threshold=row[_THRESHOLD] / n_files if n_files else case.parameters["thresh"],
        loss_threshold=row[_LOSS_THRESHOLD] / n_files if n_files else 0.0,
        branch=taken[0] if len(taken) == 1 else MIXED if taken else "none",
        n_kept_per_class=kept if not case.point else (),
        n_files_by_branch=files if n_files > 1 else None,
    )


def values_of_all(cases: Sequence[Case], tally: Tally, whole: "Whole") -> list[LossValue]:
    """Return each loss of all pixels of all files as one batch; means over images where ``reduce`` says so."""
    from segcli.loss.measuring.tallies import averages_images
    from segcli.loss.measuring.whole import values_of_whole

    together = iter(values_of_whole([case for case in cases if not averages_images(case)], whole))
    return [_mean(case, i, tally) if averages_images(case) else next(together) for i, case in enumerate(cases)]


def whole_of_all(
    settings: LossSettings, cases: Sequence[Case], tally: Tally, facts: "Facts", read_again: "ReadAgain"
) -> "Whole":
    """Return what all files added up to as one batch."""
    from segcli.loss.measuring.batch import needs_of
    from segcli.loss.measuring.levels import levels_of
    from segcli.loss.measuring.whole import Whole

    needs = needs_of(cases, settings)
    return Whole(
        mode=facts.mode,
        backend=facts.backend,
        n_labels=int(tally["counts"][2]),
        needs=needs,
        sums=tally["sums"],
        hard={thresh: tally[f"hard {i}"] for i, thresh in enumerate(needs.thresholds[1:])},
        focal={gamma: tally[f"focal {i}"] for i, gamma in enumerate(needs.gammas[1:])},
        levels=levels_of(tally, len(tally["sums"])) if needs.thresholds else None,
        read_again=read_again,
    )


def metrics_of(confusion: "Tensor") -> Metrics:
    """Return what a confusion matrix says.

    Args:
        confusion: (C, C), pixels by label and prediction; for multilabel (C, 2, 2), of each class by itself.

    Examples:
        >>> import torch
        >>> found = metrics_of(torch.tensor([[3, 1], [0, 4]]))
        >>> found.pixel_accuracy, found.iou_per_class
        (0.875, (0.75, 0.8))
    """
    if confusion.dim() > 2:  # noqa: PLR2004 - a matrix a class
        labelled, predicted, right = confusion[:, 1].sum(1), confusion[:, :, 1].sum(1), confusion[:, 1, 1]
        n_right, n_valid = confusion.diagonal(dim1=1, dim2=2).sum(), confusion.sum()
    else:
        labelled, predicted, right = confusion.sum(1), confusion.sum(0), confusion.diagonal()
        n_right, n_valid = right.sum(), confusion.sum()
    iou = _parts(right, labelled + predicted - right)
    known = [value for value in iou if value is not None]
    return Metrics(
        pixel_accuracy=_parts(n_right.view(1), n_valid.view(1))[0],
        mean_iou=sum(known) / len(known) if known else None,
        iou_per_class=iou,
        accuracy_per_class=_parts(right, labelled),
        confusion=_tuples(confusion.tolist()),
    )


def sweep_points(cases: Sequence[Case], values: Sequence[LossValue]) -> tuple[SweepPoint, ...]:
    """Return the losses at the points of the sweep."""
    points = []
    for case, value in zip(cases, values, strict=True):
        if not case.point:
            continue
        point = {name: written(x) for name, x in case.point}
        if isinstance(value, OhemValue):
            kept = value.n_kept / value.n_valid if value.n_valid else None
            points.append(SweepPoint(case.loss, point, value.value, kept, value.branch))
        else:
            points.append(SweepPoint(case.loss, point, value.value))
    return tuple(points)


def gradient_of_files(names: Sequence[str], tally: Tally) -> dict[str, PerClass]:
    """Return the mean of the gradient's norm by loss and class."""
    return {name: _quotients(part) for name, part in zip(names, tally["gradients"], strict=True)}


def _quotients(sums: "Tensor") -> PerClass:
    """Divide the first row by the second."""
    return _parts(sums[0], sums[1])


def _parts(above: "Tensor", below: "Tensor") -> PerClass:
    pairs = zip(above.tolist(), below.tolist(), strict=True)
    return tuple(part / whole if whole else None for part, whole in pairs)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - lists of lists of whole numbers
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
