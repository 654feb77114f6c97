"""Evaluates losses on saved predictions: a pair of files, or a hundred thousand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.loss.cases import Case, cases_of, losses_that_apply
from segcli.loss.collecting import Collector
from segcli.loss.kinds import Kind, names_of_classes
from segcli.loss.pictures.pixel_histogram import PixelHistogram, pixel_histogram
from segcli.loss.result import BadFile, ClassCount, LossInputs, LossResult, LossValue, OhemValue
from segcli.loss.settings import LossSettings
from segcli.loss.sources.sample import Pair, Sample
from segcli.loss.spreading.measured import Measured, add_into
from segcli.loss.totals import (
    Tally,
    gradient_of_files,
    metrics_of,
    sweep_points,
    values_of_all,
    values_of_files,
    whole_of_all,
)

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.measuring.levels import Scale
    from segcli.loss.measuring.whole import ReadAgain
    from segcli.loss.sources.reading import Arrangement

TOTAL = "total"


@dataclass(frozen=True)
class Evaluation:
    """What is done with each pair of files; plain data, which travels to other processes.

    Attributes:
        settings: Which losses, with which parameters.
        arrangement: How tensors are laid out in the files.
        axes: What is swept.
        device: Where to compute.
        n_pairs: How many pairs there are in all.
        kind: What all of them must be; None where it is not known.
        projects: Other projects whose numbers are wanted.
        heatmaps: Where pictures of the hard pixels go.
        force: Whether pictures that are there are replaced.
    """

    settings: LossSettings
    arrangement: "Arrangement"
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    device: str = "cpu"
    n_pairs: int = 1
    kind: Kind | None = None
    projects: tuple[str, ...] = ()
    heatmaps: Path | None = None
    force: bool = False

    def read(self, pair: Pair) -> Sample:
        """Read a pair, memory-mapped where that is possible.

        Raises:
            SegcliError: For files and shapes that will not do.
        """
        from segcli.loss.sources.reading import read_sample

        return read_sample(pair, self.arrangement)

    def measure(self, sample: Sample) -> Measured:
        """Evaluate the losses on a pair.

        Raises:
            SegcliError: For values that are none, losses that do not apply, and parameters out of range.
        """
        from segcli.loss.measuring.measure import measure

        return measure(sample, self)

    def levels_again(self, sample: Sample, scales: "Sequence[Scale]") -> dict[str, "Tensor"]:
        """Read the losses of a pair's pixels once more, into the bins of other scales; a tally by their number."""
        from segcli.loss.measuring.measure import explained
        from segcli.loss.measuring.reader import levels_again

        with explained(sample, self):
            return levels_again(sample, self.settings, self.device, scales)


def evaluate(
    logits: "Tensor",
    labels: "Tensor",
    settings: LossSettings | None = None,
    *,
    names: tuple[str, str] = ("logits", "labels"),
    device: str = "cpu",
) -> LossResult:
    """Evaluate the losses on two tensors.

    Args:
        logits: (C, H, W), (N, C, H, W), (N, C, D, H, W), or binary (H, W), (N, H, W).
        labels: The same without C.
        settings: Which losses, with which parameters.
        names: What messages call the two.
        device: Where to compute.

    Raises:
        SegcliError: For shapes, values or settings that will not do.

    Examples:
        >>> import torch
        >>> logits, labels = torch.zeros(4, 2, 2), torch.tensor([[0, 1], [2, 255]])
        >>> round(evaluate(logits, labels).losses["ce"].value, 4)
        1.3863
    """
    from segcli.loss.sources.reading import Arrangement, sample_of

    settings = settings or LossSettings()
    arrangement = Arrangement(mode=settings.mode)
    sample = sample_of(Pair(names[0], *names), logits, labels, arrangement)
    evaluation = Evaluation(settings, arrangement, device=device)
    collector, total = Collector(), dict[str, "Tensor"]()
    measured = evaluation.measure(sample)
    add_into(total, measured.tally)
    collector.add(measured.line)

    def read_again(scales: "Sequence[Scale]") -> "list[Tensor]":
        from segcli.loss.measuring.levels import levels_of

        levels = evaluation.levels_again(sample, scales)
        return [levels_of(levels, len(total["sums"]), str(i)) for i in range(len(scales))]

    return result_of(evaluation, collector, total, names, read_again=read_again)


def result_of(
    evaluation: Evaluation,
    collector: Collector,
    tally: Tally,
    names: tuple[str, str],
    *,
    errors: Sequence[BadFile] = (),
    read_again: "ReadAgain",
) -> LossResult:
    """Return what all files together say.

    Args:
        evaluation: What was done with each.
        collector: What it kept of their lines.
        tally: What they added up to.
        names: Of the files or folders of logits and labels.
        errors: Files that were left out.
        read_again: Reads the losses of all pixels once more; asked for with ``--over all`` alone.

    Raises:
        SegcliError: Where no file could be evaluated.
    """
    settings = evaluation.settings
    if collector.first is None:
        message = "no pair of files could be evaluated"
        raise SegcliError(message, hint=f"the first says: {errors[0].message}" if errors else "")
    facts = collector.facts
    losses = losses_that_apply(settings, facts.mode, names[0])
    cases = cases_of(settings, facts.mode, losses, evaluation.axes)
    values = _values(evaluation, cases, tally, collector, read_again)
    plain = {case.loss: value for case, value in zip(cases, values, strict=True) if not case.point}
    gradients = [*plain, *([TOTAL] if settings.factors else [])]
    return LossResult(
        losses=plain,
        total=_total(settings, plain),
        metrics=metrics_of(tally["confusion"]) if "confusion" in tally else None,
        per_image=collector.worst if collector.n_images > 1 else (),
        sweep=sweep_points(cases, values),
        projects=tuple(comparison.figure() for comparison in collector.comparisons.values()),
        gradient=gradient_of_files(gradients, tally) if "gradients" in tally else None,
        histogram=_histogram(tally, plain.get("ohem")),
        inputs=_inputs(evaluation, collector, tally, names),
        settings=settings.as_json(tuple(losses))
        | {"layout": evaluation.arrangement.layout or "NCHW", "resize": evaluation.arrangement.resize or None},
        backend=facts.backend,
        errors=tuple(errors),
        notes=tuple(collector.remarks(int(tally["counts"][0]))),
    )


def _values(
    evaluation: Evaluation,
    cases: Sequence[Case],
    tally: Tally,
    collector: Collector,
    read_again: "ReadAgain",
) -> list[LossValue]:
    settings = evaluation.settings
    # Where nothing was evaluated there are no sums.
    if settings.over == "file" or not cases:
        return values_of_files(cases, tally)
    return values_of_all(cases, tally, whole_of_all(settings, cases, tally, collector.facts, read_again))


def _histogram(tally: Tally, ohem: LossValue | None) -> PixelHistogram | None:
    if not isinstance(ohem, OhemValue) or "histogram" not in tally:
        return None
    # That which was asked for: how many are above it is known of any number of files.
    thresh = ohem.parameters["thresh"]
    bound = -math.log(thresh) if thresh > 0 else math.inf
    return pixel_histogram(tally["histogram"], threshold=bound, n_hard=ohem.n_hard)


def _total(settings: LossSettings, values: Mapping[str, LossValue]) -> float | None:
    if not settings.factors:
        return None
    return sum(factor * value.value for factor, value in zip(settings.factors, values.values(), strict=True))


def _inputs(evaluation: Evaluation, collector: Collector, tally: Tally, names: tuple[str, str]) -> LossInputs:
    facts = collector.facts
    n_files, n_images, n_labels, n_valid, n_bytes = tally["counts"].tolist()
    logits, labels = collector.sources(*names)
    class_names = names_of_classes(evaluation.settings, Kind(names[0], facts.mode, facts.n_classes))
    counts = tally["classes"].tolist()
    return LossInputs(
        logits=logits,
        labels=labels,
        mode=facts.mode,
        device=evaluation.device,
        n_files=n_files,
        n_images=n_images,
        n_labels=n_labels,
        n_valid=n_valid,
        n_ignored=n_labels - n_valid,
        n_bytes=n_bytes,
        classes=tuple(map(ClassCount, range(len(counts)), class_names, counts)),
    )
