"""The losses of pixels that were never in memory together, as of one batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from segcli.loss.cases import Case
from segcli.loss.measuring.batch import Batch, Needs
from segcli.loss.measuring.figures import ohem_value, value_of
from segcli.loss.measuring.levels import Hardest, Scale, hardest, scale_for
from segcli.loss.result import LossValue, OhemValue
from segcli.loss.settings import KnownMode
from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.problem import COUNT, HARD, N_HARD
from segcli.nn.kernels.reading import Statistics
from segcli.nn.kernels.selection import Branch, Choice, as_ints, check_n_min, check_thresh, least_kept, loss_bound
from segcli.nn.losses.means import label_weights
from segcli.nn.losses.sums import ratio

if TYPE_CHECKING:
    from torch import Tensor

# Reads the losses once more, and returns counts and sums in the bins of each scale.
ReadAgain = Callable[[Sequence[Scale]], Sequence["Tensor"]]


@dataclass(frozen=True, eq=False)
class Whole:
    """What many reads added up to.

    Attributes:
        mode: How logits and labels belong together.
        backend: What read.
        n_labels: How many labels there are, ignored ones too.
        needs: What was read.
        sums: (rows, columns) of `segcli.nn.kernels.problem`.
        hard: The counts and sums for further thresholds, (rows, 2).
        focal: The sums for further exponents, (rows,).
        levels: (rows, bins, 2), as `segcli.loss.measuring.levels`; None where no OHEM is evaluated.
        read_again: How to read the losses of the pixels once more.
    """

    mode: KnownMode
    backend: Backend
    n_labels: int
    needs: Needs
    sums: "Tensor"
    hard: Mapping[float, "Tensor"]
    focal: Mapping[float, "Tensor"]
    levels: "Tensor | None"
    read_again: ReadAgain

    def batch(self) -> Batch:
        """Return the sums as those of one image."""
        # Only how many labels there are is asked of them.
        labels = torch.empty(1, dtype=torch.uint8).expand(self.n_labels)
        thresh = self.needs.thresholds[0] if self.needs.thresholds else 0.0
        found = Statistics(
            mode=self.mode,
            backend=self.backend,
            labels=labels,
            thresh=thresh,
            sums=self.sums.unsqueeze(0),
            has_squares=self.needs.squares,
        )
        hard = {thresh: part.unsqueeze(0) for thresh, part in self.hard.items()}
        return Batch(found, hard, {gamma: part.unsqueeze(0) for gamma, part in self.focal.items()})


def values_of_whole(cases: Sequence[Case], whole: Whole) -> list[LossValue]:
    """Return losses of all pixels as one batch; region losses as with ``reduce="batch"``.

    Raises:
        ValueError: For parameters out of range.
    """
    batch = whole.batch()
    of_ohem = [case for case in cases if case.loss == "ohem"]
    kept = _kept(of_ohem, batch, whole)
    return [_ohem(case, batch.at(case), kept) if case.loss == "ohem" else value_of(case, batch) for case in cases]


@dataclass(frozen=True)
class _Counts:
    """How many are valid and hard, and how many are kept at least."""

    n_valid: int
    n_hard: int
    least: int


def _counts(case: Case, found: Statistics) -> _Counts:
    check_thresh(case.parameters["thresh"])
    check_n_min(case.parameters["n_min"])
    n_valid, n_hard = (int(found.sums[:, :, column].sum()) for column in (COUNT, N_HARD))
    return _Counts(n_valid, n_hard, least_kept(as_ints(case.parameters["n_min"]), n_valid))


def _kept(cases: Sequence[Case], batch: Batch, whole: Whole) -> dict[int, Hardest]:
    """Choose the hardest for every number of them that is asked for; reads again for all together."""
    counts = [_counts(case, batch.at(case)) for case in cases]
    wanted = {count.least for count in counts if count.n_hard < count.least}
    if not wanted:
        return {}
    n_rows = len(whole.sums)
    scale = scale_for(n_rows)
    levels = cast("Tensor", whole.levels)
    chosen = {n_kept: (hardest(levels, n_kept, scale), scale) for n_kept in sorted(wanted)}
    while coarse := [n_kept for n_kept, (found, _) in chosen.items() if not found.exact]:
        finer = [chosen[n_kept][1].within(chosen[n_kept][0].place, n_rows) for n_kept in coarse]
        for n_kept, scale, levels in zip(coarse, finer, whole.read_again(finer), strict=True):
            found = chosen[n_kept][0]
            chosen[n_kept] = hardest(levels, found.n_left, scale, found.above), scale
    return {n_kept: found for n_kept, (found, _) in chosen.items()}


def _ohem(case: Case, found: Statistics, chosen: dict[int, Hardest]) -> OhemValue:
    counts, thresh = _counts(case, found), case.parameters["thresh"]
    by_row = found.sums.sum(0)
    if counts.n_hard >= counts.least:
        branch: Branch = "hard" if counts.n_hard else "none"
        kept, level = by_row[:, [N_HARD, HARD]], loss_bound(thresh)
    else:
        branch = "all" if counts.least == counts.n_valid else "top-k"
        kept, level = chosen[counts.least].sums, chosen[counts.least].level
    n_kept = max(counts.least, counts.n_hard)
    choice = Choice(counts.n_valid, counts.n_hard, counts.least, n_kept, level, 0.0, branch)
    shape = (-1,) if found.mode == "multiclass" else (-1, 2)
    losses, numbers = kept[:, 1].view(shape), kept[:, 0].view(shape)
    weights = label_weights(case.parameters.get("weight"), found.cross_entropy, found.mode)
    above, below = (part.sum() if weights is None else (weights * part).sum() for part in (losses, numbers))
    return ohem_value(case, found.mode, float(ratio(above, below)), losses, numbers, choice)
