"""All pairs through an evaluation, on this process or many, and what they say together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.loss.collecting import Collector
from segcli.loss.evaluation import Evaluation, result_of
from segcli.loss.kinds import kind_of_many
from segcli.loss.result import BadFile, ImageValue, LossResult
from segcli.loss.settings import LossSettings
from segcli.loss.sources.sample import Pair, Sample
from segcli.loss.spreading.measured import Measured
from segcli.loss.spreading.pipeline import Outcome, run
from segcli.loss.spreading.scale import Scale

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.launch import Group
    from segcli.loss.measuring.levels import Scale as Levels
    from segcli.loss.pictures.event_log import EventLog

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """What is to be done.

    Attributes:
        pairs: The files.
        names: What logits and labels are called together: two files or two folders.
        evaluation: What is done with each pair.
        scale: How the work is spread.
        top: How many images are listed.
        log_dir: Where TensorBoard's events go; None is nowhere.
    """

    pairs: Sequence[Pair]
    names: tuple[str, str]
    evaluation: Evaluation
    scale: Scale
    top: int = 10
    log_dir: Path | None = None


@dataclass(frozen=True)
class Again:
    """Reads the losses of pixels once more, into the bins of other scales."""

    evaluation: Evaluation
    scales: "tuple[Levels, ...]"

    def read(self, pair: Pair) -> Sample:
        """Read a pair, memory-mapped where that is possible."""
        return self.evaluation.read(pair)

    def measure(self, sample: Sample) -> Measured:
        """Count the losses of its pixels."""
        tally = self.evaluation.levels_again(sample, self.scales)
        return Measured(sample.pair.name, {"name": sample.pair.name}, tally, sample.n_bytes)


def evaluate_pairs(
    request: Request, group: "Group", advance: Advance = lambda _files, _bytes: None
) -> tuple[LossResult, Outcome]:
    """Evaluate every pair, and return what all of them say together, the same on every rank.

    Args:
        request: What is to be done.
        group: The processes that share the work.
        advance: Called with files and bytes as they are done.

    Raises:
        SegcliError: For a pair that cannot be evaluated, unless bad files are to be left out; and where none can.
    """
    collector = Collector(top=request.top)
    with _event_log(request.log_dir, group) as log:
        steps = {pair.name: step for step, pair in enumerate(request.pairs)} if log else {}

        def on_line(line: dict[str, Any]) -> None:
            collector.add(line)
            if log and "losses" in line:
                _log_line(log, line, steps[line["name"]], alone=len(steps) == 1)

        outcome = run(request.pairs, request.evaluation, request.scale, group, on_line=on_line, advance=advance)
        together = _merged(collector, group)
        result = _result(request, together, outcome, group)
        if log and group.ranks.is_first:
            _log_whole(log, result, outcome, together.worst, steps)
    return result, outcome


def _log_line(log: "EventLog", line: Mapping[str, Any], step: int, *, alone: bool) -> None:
    log.file(step, {name: loss["value"] for name, loss in line["losses"].items()})
    # How many images the files before have is known of one file alone.
    for image in line.get("images", ()) if alone else ():
        log.image(image["index"], image["losses"])


def _merged(collector: Collector, group: "Group") -> Collector:
    """Put together what the ranks collected, in their order."""
    together, *others = group.gather(collector)
    for other in others:
        together.merge(other)
    return together


def _result(request: Request, collector: Collector, outcome: Outcome, group: "Group") -> LossResult:
    failed = {failure.name for failure in outcome.failures}
    good = [pair for pair in request.pairs if pair.name not in failed]
    plain = replace(request.scale, per_file=None)

    def read_again(scales: "Sequence[Levels]") -> "list[Tensor]":
        from segcli.loss.measuring.levels import levels_of

        levels = run(good, Again(request.evaluation, tuple(scales)), plain, group).tally
        n_rows = len(outcome.tally["sums"])
        return [levels_of(levels, n_rows, str(i)) for i in range(len(scales))]

    errors = tuple(BadFile(failure.name, failure.message) for failure in outcome.failures)
    return result_of(request.evaluation, collector, outcome.tally, request.names, errors=errors, read_again=read_again)


@contextmanager
def _event_log(folder: Path | None, group: "Group") -> Iterator["EventLog | None"]:
    if folder is None:
        yield None
        return
    from segcli.loss.pictures.event_log import event_log

    with event_log(folder, rank=group.ranks.rank) as log:
        yield log


def _log_whole(
    log: "EventLog", result: LossResult, outcome: Outcome, worst: Sequence[ImageValue], steps: Mapping[str, int]
) -> None:
    from segcli.loss.pictures.scalars import scalars

    log.whole(scalars(result))
    if result.histogram is not None and result.histogram.n_valid:
        log.pixel_losses(outcome.tally["histogram"].tolist(), "ohem")
    if result.sweep:
        log.sweep(result.sweep)
    for image in worst:
        # A file of several images has one step; where another machine drew it, it may not be here.
        if image.heatmap and Path(image.heatmap).is_file():
            step = steps.get(image.name, steps.get(image.name.rpartition("[")[0], 0))
            log.heatmap(image.name, Path(image.heatmap).read_bytes(), step)
    for error in result.errors:
        log.note(f"errors/{error.name}", error.message)


def evaluate_files(
    logits: str,
    labels: str,
    settings: LossSettings | None = None,
    *,
    device: str = "cpu",
    scale: Scale | None = None,
) -> LossResult:
    """Evaluate the losses on two files, such as ``out.pt:logits`` and ``labels.npy``, or on two folders of them.

    Args:
        logits: A file, ``file:key`` or a folder.
        labels: Another.
        settings: Which losses, with which parameters.
        device: ``cpu``, ``cuda``, ``auto`` ...
        scale: How the work on many pairs is spread.

    Raises:
        SegcliError: For files, shapes, values, settings or a device that will not do.
    """
    from segcli.device import resolve_device
    from segcli.launch import Group
    from segcli.loss.sources.pairs import pair_sources
    from segcli.loss.sources.reading import Arrangement

    asked = settings or LossSettings()
    pairs = pair_sources(logits, labels)
    arrangement = Arrangement(asked.mode)
    evaluation = Evaluation(
        asked,
        arrangement,
        device=str(resolve_device(device)),
        n_pairs=len(pairs),
        kind=kind_of_many(pairs, arrangement),
    )
    request = Request(pairs, (logits, labels), evaluation, scale or Scale())
    return evaluate_pairs(request, Group())[0]
