"""An evaluation as TensorBoard shows it: which number has which tag, and which run it is in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from segcli.loss.pictures.pixel_histogram import fine_bins
from segcli.loss.result import SweepPoint
from segcli.tensorboard import Events, clean_tag, event_writer

# A folder's name may have 255 bytes.
_MAX_RUN_NAME = 200


class EventLog:
    """Where an evaluation writes what TensorBoard shows; made by `event_log`.

    Tags: ``file/LOSS`` by file, ``image/LOSS`` by image where there is one file, ``loss/LOSS`` and whatever else is
    given for the whole, ``pixels/LOSS`` for histograms, ``hard/NAME`` for heatmaps; each point of a sweep is a run of
    its own in ``sweep``.
    """

    def __init__(self, folder: Path, events: Events) -> None:
        """Keep where runs of a sweep go, and the run that this process writes."""
        self._folder = folder
        self._events = events

    def file(self, step: int, losses: Mapping[str, float | None]) -> None:
        """Write the losses of one file.

        Args:
            step: The file's place among all, whatever rank evaluated it.
            losses: By name; None where there is nothing to say.
        """
        self._events.scalars({f"file/{name}": value for name, value in losses.items() if value is not None}, step)

    def image(self, step: int, losses: Mapping[str, float | None]) -> None:
        """Write the losses of one image of the only file.

        Args:
            step: The image's place in the file.
            losses: By name; None where there is nothing to say.
        """
        self._events.scalars({f"image/{name}": value for name, value in losses.items() if value is not None}, step)

    def whole(self, tagged: Mapping[str, float], step: int = 0) -> None:
        """Write numbers of the whole evaluation under their own tags: those of `segcli.loss.pictures.scalars`."""
        self._events.scalars(tagged, step)

    def pixel_losses(self, counts: Sequence[int], name: str = "ce", step: int = 0) -> None:
        """Write a histogram of the losses of pixels.

        Args:
            counts: (2048,), of `segcli.nn.kernels.selection.histogram`.
            name: Which loss.
            step: Of the run.
        """
        edges, finite = fine_bins(counts)
        self._events.histogram(f"pixels/{name}", edges, finite, step)

    def heatmap(self, name: str, png: bytes, step: int = 0) -> None:
        """Write a heatmap, as `segcli.loss.pictures.heatmap.write_heatmaps` made it.

        Args:
            name: Of the pair.
            png: The file's content.
            step: The file's place among all.
        """
        self._events.image(f"hard/{name}", png, step)

    def note(self, name: str, markdown: str) -> None:
        """Write a text, such as the settings or the files that were left out."""
        self._events.text(name, markdown)

    def sweep(self, points: Iterable[SweepPoint], settings: Mapping[str, object] | None = None) -> None:
        """Write each point of a sweep as a run of its own, with its parameters and what came of them.

        Losses that were evaluated at the same parameters are of one run. OHEM's share of kept pixels is beside its
        loss, as ``kept/ohem``.

        Args:
            points: The points.
            settings: Parameters that all of them have.
        """
        runs: dict[str, tuple[Mapping[str, object], dict[str, float]]] = {}
        for point in points:
            # A parameter may be a list, which is no key.
            _, metrics = runs.setdefault(repr(dict(point.point)), (point.point, {}))
            metrics[f"loss/{point.loss}"] = point.value
            if point.kept is not None:
                metrics[f"kept/{point.loss}"] = point.kept
        for place, (parameters, metrics) in enumerate(runs.values()):
            with event_writer(self._folder / "sweep" / _run_name(place, parameters)) as events:
                events.hparams({**(settings or {}), **parameters}, metrics)


@contextmanager
def event_log(folder: Path, *, rank: int = 0) -> Iterator[EventLog]:
    """Write events of one process of an evaluation.

    The first rank writes the run itself, others one of their own in ``rankN``: TensorBoard draws the events of a folder
    in the order of its files, so those of two ranks would make one line that runs to and fro.

    Args:
        folder: Created where it is missing.
        rank: Which of the processes this is.

    Raises:
        SegcliError: Where the folder or a file cannot be written.

    Examples:
        >>> import tempfile
        >>> with event_log(Path(tempfile.mkdtemp())) as log:
        ...     log.file(0, {"ce": 0.25, "ohem": 1.5})
        ...     log.whole({"loss/ce": 0.25})
        ...     log.sweep([SweepPoint("ohem", {"thresh": 0.7}, 1.5, kept=0.1)])
    """
    with event_writer(folder / f"rank{rank}" if rank else folder) as events:
        yield EventLog(folder, events)


def _run_name(place: int, parameters: Mapping[str, object]) -> str:
    """Name a run by its parameters; its place comes first, so that no two are called the same.

    Examples:
        >>> from fractions import Fraction
        >>> _run_name(3, {"thresh": 0.7, "n_min": Fraction(1, 16)})
        '003,thresh=0.7,n_min=1_16'
    """
    words = [f"{name}={clean_tag(str(value)).replace('/', '_')}" for name, value in parameters.items()]
    return ",".join((f"{place:03d}", *words))[:_MAX_RUN_NAME]
