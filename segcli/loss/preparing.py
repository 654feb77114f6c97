"""From what a person typed to what is done: everything that can be refused before the work is refused here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from segcli.errors import SegcliError
from segcli.files import check_source
from segcli.loss.cases import check_parameters, losses_that_apply
from segcli.loss.evaluation import Evaluation
from segcli.loss.kinds import kind_of_many, names_of_classes
from segcli.loss.projects import parse_projects
from segcli.loss.running import Request
from segcli.loss.settings import LossSettings, written
from segcli.loss.sources.layout import Axes
from segcli.loss.sources.pairs import pair_sources, pictureless, read_manifest, with_images
from segcli.loss.sources.reading import Arrangement
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.journal import PerFile
from segcli.loss.spreading.scale import Scale
from segcli.loss.sweep import check_swept, parse_sweep
from segcli.tensorio import STANDARD_INPUT, split_reference

_TWO = 2
_LABELS = 2**63


@dataclass(frozen=True)
class Sources:
    """Where the pairs are.

    Attributes:
        logits: A file, ``file:key`` or a folder; empty with a manifest.
        labels: Another.
        manifest: A list of pairs.
        suffixes: What names in the two folders end in besides; none, or two.
        images: A folder of pictures.
    """

    logits: str = ""
    labels: str = ""
    manifest: Path | None = None
    suffixes: tuple[str, ...] = ()
    images: Path | None = None


@dataclass(frozen=True)
class Wishes:
    """How it is done, and what is made besides the result; as typed."""

    layout: Axes = ""
    resize: Literal["", "logits", "labels"] = ""
    sweep: tuple[str, ...] = ()
    projects: str = ""
    device: str = "cpu"
    workers: str = "auto"
    batch_size: int = 1
    on_error: Literal["stop", "skip"] = "stop"
    per_file: Path | None = None
    resume: bool = False
    force: bool = False
    top: int = 10
    heatmap: Path | None = None
    plot: Path | None = None
    log_dir: Path | None = None


def prepare(sources: Sources, settings: LossSettings, wishes: Wishes) -> tuple[Request, list[str]]:
    """Return what is to be done, and remarks on it.

    Raises:
        SegcliError: For files that are not there, settings that contradict, destinations that cannot be written.
    """
    axes = parse_sweep(wishes.sweep)
    _check_suffixes(sources)
    if not settings.all_that_apply or axes:
        check_swept(axes, settings.losses)
    projects = parse_projects(wishes.projects) if wishes.projects else ()
    _check_together(settings, wishes)
    _check_destinations(wishes)
    # A configuration may name the pictures once for all runs.
    pairs, names = _pairs(sources if wishes.heatmap is not None else replace(sources, images=None))
    check_parameters(settings, settings.losses, axes)
    remarks = [_pictureless(pairs, wishes)] if sources.images is not None else []
    from segcli.device import resolve_device

    device = str(resolve_device(wishes.device))
    arrangement = Arrangement(settings.mode, wishes.layout, wishes.resize)
    kind = kind_of_many(pairs, arrangement)
    if kind is not None:
        names_of_classes(settings, kind)
        losses_that_apply(settings, kind.mode, kind.name)
    evaluation = Evaluation(
        settings,
        arrangement,
        axes,
        device=device,
        n_pairs=len(pairs),
        kind=kind,
        projects=projects,
        heatmaps=wishes.heatmap,
        force=wishes.force or wishes.resume,
    )
    request = Request(pairs, names, evaluation, _scale(evaluation, wishes), wishes.top, wishes.log_dir)
    return request, [remark for remark in remarks if remark]


def _pictureless(pairs: Sequence[Pair], wishes: Wishes) -> str:
    return "--images is for --heatmap, and not looked at" if wishes.heatmap is None else pictureless(pairs)


def _check_suffixes(sources: Sources) -> None:
    if sources.suffixes and (sources.manifest is not None or not _are_folders(sources)):
        message = "--suffixes says how files of two folders are called, and none are given"
        raise SegcliError(message, hint="leave it out")


def _are_folders(sources: Sources) -> bool:
    return all(Path(name.partition(":")[0] or name).is_dir() for name in (sources.logits, sources.labels))


def _check_together(settings: LossSettings, wishes: Wishes) -> None:
    """Refuse what has no meaning together."""
    if not -_LABELS <= settings.ignore_index < _LABELS:
        message = f"--ignore-index is {settings.ignore_index}, expected a label: a number of 64 bits"
        raise SegcliError(message)
    everything = settings.over == "all"
    if everything and settings.semantics != "exact":
        message = f"--semantics {settings.semantics} goes with --over file: that project mines each batch by itself"
        raise SegcliError(message, hint="leave one of the two out")
    if everything and settings.gradient:
        message = "--grad goes with --over file: a gradient is that of a batch"
        raise SegcliError(message, hint="leave one of the two out")
    if everything and settings.reduce == "batch" and any(name.startswith("lovasz") for name in settings.losses):
        message = "lovasz with --reduce batch goes with --over file: it sorts the errors of a batch in memory"
        raise SegcliError(message, hint="--reduce image has a mean over the images of all files")
    own = [option for option, is_given in _not_of_projects(settings).items() if is_given]
    if wishes.projects and own:
        message = f"--as goes without {own[0]}, which the projects' losses are not compared with"
        raise SegcliError(message, hint="leave one of the two out")
    if wishes.resume and wishes.per_file is None:
        message = "--resume is given without --per-file, whose file says what is done"
        raise SegcliError(message, hint="name the file of the run that ended: --per-file out.jsonl --resume")
    if wishes.plot is not None and not wishes.sweep:
        message = "--plot draws a sweep, and none is asked for"
        raise SegcliError(message, hint="for example: --sweep thresh=0.5:0.95:0.05")
    if wishes.heatmap is not None and "ohem" not in settings.losses:
        message = f"--heatmap draws what ohem keeps, which is not among {', '.join(settings.losses) or 'no losses'}"
        raise SegcliError(message, hint="evaluate it too: --loss ohem")


def _not_of_projects(settings: LossSettings) -> dict[str, bool]:
    """Return which settings change our number and are not passed on to the projects, and whether they are given."""
    return {
        "--class-weights": settings.class_weights is not None,
        "--mean": settings.mean is not None,
        "--semantics": settings.semantics != "exact",
        "--weighting": settings.weighting != "square",
        "--lovasz-classes": settings.lovasz_classes is not None,
    }


def _check_destinations(wishes: Wishes) -> None:
    if wishes.log_dir is not None:
        from segcli.tensorboard import check_folder

        check_folder(wishes.log_dir)
    if wishes.plot is not None:
        from segcli.charts import check_chart

        check_chart(wishes.plot, force=wishes.force)


def _pairs(sources: Sources) -> tuple[Sequence[Pair], tuple[str, str]]:
    if sources.manifest is not None:
        if sources.logits:
            message = (
                f"--manifest {sources.manifest} and {sources.logits} were both given, expected one source of pairs"
            )
            raise SegcliError(message)
        pairs: Sequence[Pair] = read_manifest(sources.manifest)
        names = (str(sources.manifest), "its labels")
    else:
        pairs, names = _named_pairs(sources), (sources.logits, sources.labels)
    return (pairs if sources.images is None else with_images(pairs, sources.images)), names


def check_streams(sources: Sources, nproc: int) -> None:
    """Refuse to share standard input among processes, which read it once.

    Raises:
        SegcliError: Naming the way out.
    """
    named = (sources.logits, sources.labels, str(sources.manifest or ""))
    if nproc > 1 and any(str(split_reference(reference)[0]) == STANDARD_INPUT for reference in named):
        message = f"standard input is read once, and --nproc is {nproc}"
        raise SegcliError(message, hint="save it to a file, or leave --nproc out")


def _named_pairs(sources: Sources) -> Sequence[Pair]:
    if not sources.labels:
        message = f"LABELS is missing, expected a file or folder beside {sources.logits}"
        raise SegcliError(message, hint="for example: segcli loss logits.pt labels.pt")
    if sources.suffixes and len(sources.suffixes) != _TWO:
        message = f"--suffixes holds {len(sources.suffixes)} endings, expected 2: of logits, and of labels"
        raise SegcliError(message, hint="one of them may be empty: --suffixes ,_gtFine_labelTrainIds")
    paths = [split_reference(reference)[0] for reference in (sources.logits, sources.labels)]
    for path in paths:
        if str(path) != STANDARD_INPUT and not path.is_dir():
            check_source(path)
    if [str(path) for path in paths] == [STANDARD_INPUT] * _TWO:
        message = "LOGITS and LABELS are both standard input, which is read once"
        raise SegcliError(message, hint="name a file for one of them")
    logits, labels = (*sources.suffixes, "", "")[:_TWO]
    return pair_sources(sources.logits, sources.labels, (logits, labels))


def _scale(evaluation: Evaluation, wishes: Wishes) -> Scale:
    per_file = None
    if wishes.per_file is not None:
        facts = {
            **{name: written(value) for name, value in asdict(evaluation.settings).items()},
            **asdict(evaluation.arrangement),
            "layout": evaluation.arrangement.layout or "NCHW",
            "sweep": {name: [written(value) for value in values] for name, values in evaluation.axes.items()},
            "as": list(evaluation.projects),
            "heatmap": None if evaluation.heatmaps is None else str(evaluation.heatmaps),
        }
        per_file = PerFile(wishes.per_file, facts, resume=wishes.resume, force=wishes.force)
    return Scale(
        workers=_workers(wishes.workers),
        batch_size=wishes.batch_size,
        on_error=wishes.on_error,
        on_cuda=evaluation.device.startswith("cuda"),
        per_file=per_file,
    )


def _workers(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and len(text) < len("10000"):
        return int(text)
    message = f"--workers is {text[:20]!r}, expected a number or auto"
    raise SegcliError(message)
