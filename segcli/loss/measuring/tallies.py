"""Sums that add up over files, processes and interruptions: two tallies become one by adding what shares a name.

===============  =====================  ============================================================================
``counts``       (5,) int64             files, images, labels, valid labels, bytes
``classes``      (C,) int64             valid pixels by label
``values``       (cases, 2)             sum of the losses of files (of images, for region losses over all files), and
                                        of how many
``per_class``    (plain, 2, C)          the same of each class, of the losses as they were asked for
``choices``      (OHEM cases, 10)       valid, hard, least, kept, thresholds, loss thresholds, files by branch
``kept``         (plain OHEM, C)        kept pixels by class
``gradients``    (plain + 1, 2, C)      sum of the norms of files, and of how many
``confusion``    (C, C), (C, 2, 2)      pixels by label and prediction, int64
``histogram``    (2048,) int64          pixel losses by the first 11 bits of their float32
``sums``         (rows, columns)        with ``--over all``: those of `segcli.nn.kernels.problem` ...
``hard i``       (rows, 2)              ... the counts and sums of the further thresholds ...
``focal i``      (rows,)                ... the sums of the further exponents ...
``levels/...``   (rows * bins,)         ... and the losses of pixels, as `segcli.loss.measuring.levels` has them
===============  =====================  ============================================================================
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from segcli.loss.cases import Case
from segcli.loss.measuring.batch import Needs
from segcli.loss.measuring.figures import OF_PIXELS, count_classes
from segcli.loss.measuring.reader import Read, levels_of_pixels
from segcli.loss.result import LossValue, OhemValue
from segcli.nn.kernels.selection import BRANCHES, histogram

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.settings import Over
    from segcli.loss.sources.sample import Sample

_N_CHOICE_SUMS = 6


def tally_of(
    sample: "Sample",
    cases: Sequence[Case],
    values: Sequence[LossValue],
    read: Read,
    needs: Needs,
    over: "Over",
    gradient: Mapping[str, Sequence[float]],
) -> dict[str, "Tensor"]:
    """Return the sums of one sample, on the CPU."""
    found = read.batch.found
    n_valid, n_labels = int(found.count.sum()), sample.labels.numel()
    pairs = list(zip(cases, values, strict=True))
    plain = [value for case, value in pairs if not case.point]
    counts = [1, len(sample.labels), n_labels, n_valid, sample.n_bytes]
    tally = {
        "counts": torch.tensor(counts),
        "classes": count_classes(found).to(torch.int64),
        "values": _rows([_weighed(case, value, n_valid, over) for case, value in pairs], 2),
        "per_class": torch.stack([_by_class(value.per_class) for value in plain])
        if plain
        else torch.zeros(0, dtype=torch.float64),
    }
    ohem = [value for value in values if isinstance(value, OhemValue)]
    if ohem:
        tally["choices"] = _rows([_choice(value) for value in ohem], _N_CHOICE_SUMS + len(BRANCHES))
        tally["kept"] = torch.tensor(ohem[0].n_kept_per_class, dtype=torch.float64)
    if gradient:
        tally["gradients"] = torch.stack(
            [_by_class(norms if n_valid else [None] * len(norms)) for norms in gradient.values()]
        )
    if found.confusion is not None:
        tally["confusion"] = found.confusion
    if found.pixels is not None:
        tally["histogram"] = histogram(found.pixels)
    if over == "all":
        tally |= _of_whole(read, needs)
    return {name: part.cpu() for name, part in tally.items()}


def _weighed(case: Case, value: LossValue, n_valid: int, over: "Over") -> tuple[float, float]:
    """Return a loss and what it weighs in the mean: a file with nothing valid has none, and no part in it."""
    if not n_valid:
        return 0.0, 0.0
    if over == "file":
        return value.value, 1.0
    averaged = averages_images(case)
    return (value.value * (value.n_averaged or 0), float(value.n_averaged or 0)) if averaged else (0.0, 0.0)


def averages_images(case: Case) -> bool:
    """Tell whether a loss over all files is the mean of its values of images."""
    return case.parameters.get("reduce") == "image"


def _by_class(parts: Sequence[float | None]) -> "Tensor":
    known = [(0.0, 0.0) if part is None or math.isnan(part) else (part, 1.0) for part in parts]
    return torch.tensor(known, dtype=torch.float64).view(-1, 2).T


def _choice(value: OhemValue) -> list[float]:
    if not value.n_valid:
        return [0.0] * (_N_CHOICE_SUMS + len(BRANCHES))
    counts = [value.n_valid, value.n_hard, value.n_min, value.n_kept, value.threshold, value.loss_threshold]
    return [*map(float, counts), *(float(value.branch == branch) for branch in BRANCHES)]


def _rows(rows: Sequence[Sequence[float]], n_columns: int) -> "Tensor":
    return torch.tensor(rows, dtype=torch.float64).view(-1, n_columns)


def _of_whole(read: Read, needs: Needs) -> dict[str, "Tensor"]:
    batch = read.batch
    tally = {"sums": batch.found.sums.sum(0)}
    tally |= {f"hard {i}": batch.hard[thresh].sum(0) for i, thresh in enumerate(needs.thresholds[1:])}
    tally |= {f"focal {i}": batch.focal[gamma].sum(0) for i, gamma in enumerate(needs.gammas[1:])}
    if needs.thresholds:
        tally |= read.levels or levels_of_pixels(batch.found)
    return tally


__all__ = ["OF_PIXELS", "averages_images", "tally_of"]
