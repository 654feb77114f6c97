"""The region losses of each project, as rules: written from what their code does at the versions of `PROJECTS`."""

from dataclasses import replace

from segcli.loss.projects.reads import Reads
from segcli.loss.projects.region import RegionRule, nan_or, our_rule
from segcli.loss.projects.result import ProjectSettings

# What stands below in smp is this at least.
_SMP_EPS = 1e-7
# Added below, and nothing above.
_KORNIA_EPS = 1e-8
_PADDLE_EPS = 1e-8
_MMSEG_EPS = 1e-3


def our_region_rule(loss: str, settings: ProjectSettings) -> RegionRule:
    """Return ours of Dice, Jaccard or Tversky."""
    if loss == "dice":
        return our_rule(settings, 0.5, 0.5, settings.smooth / 2)
    if loss == "jaccard":
        return our_rule(settings, 1, 1, settings.smooth)
    rule = our_rule(settings, settings.tversky_alpha, settings.tversky_beta, settings.smooth)
    return replace(rule, squared=False)


def their_region_rule(project: str, loss: str, form: str, reads: Reads) -> RegionRule:
    """Return a project's; ``form`` as in `ProjectLoss`."""
    ours = our_region_rule(loss, reads.settings)
    if project == "mmseg" and loss == "dice":
        return _mmseg_dice(ours, reads, by_default=form == "default")
    if project == "mmseg":
        return _mmseg_tversky(ours, reads.settings, reads.n_classes)
    return {
        "notes": _notes,
        "paddle": _paddle,
        "smp": _smp,
        "monai": _monai,
        "kornia": _kornia_micro if loss == "dice" and form != "macro" else _kornia_macro,
    }[project](ours, reads.settings)


def _notes(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    del settings
    words = "smooth is 1, above and below"
    rule = replace(ours, above=0.5, below=0.5, squared=False, reduce="image", absent="count", empty="formula")
    return replace(rule, smooth_words=words)


def _smp(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    words = f"smooth {settings.smooth:g} is added to TP and not to 2 TP, which is twice as much"
    if not settings.smooth:
        words = f"what stands below is {_SMP_EPS:g} at least"
    rule = replace(ours, squared=False, reduce="batch", absent="zero", empty="skip")
    return replace(rule, above=settings.smooth, below=settings.smooth, guard=_SMP_EPS, smooth_words=words)


def _monai(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    nothing = nan_or(1, settings.smooth)
    words = "nothing by nothing is NaN"
    return replace(ours, absent="count", empty="formula", nothing=nothing, smooth_words=words)


def _kornia_micro(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    return replace(_kornia_macro(ours, settings), merged=True, below=_KORNIA_EPS / 2, absent="count")


def _kornia_macro(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    del settings
    words = f"no smooth: {_KORNIA_EPS:g} is added, below alone"
    below = _KORNIA_EPS / 2 if ours.alpha == ours.beta == 0.5 and not ours.squared else _KORNIA_EPS  # noqa: PLR2004
    rule = replace(ours, squared=False, reduce="image", absent="skip", empty="one")
    return replace(rule, above=0.0, below=below, nothing=0.0, smooth_words=words)


def _paddle(ours: RegionRule, settings: ProjectSettings) -> RegionRule:
    half = settings.smooth / 2
    words = f"{_PADDLE_EPS:g} more is added below"
    rule = replace(ours, squared=False, reduce="image", absent="count", empty="formula")
    return replace(rule, above=half, below=half + _PADDLE_EPS / 2, smooth_words=words)


def _mmseg_tversky(ours: RegionRule, settings: ProjectSettings, n_classes: int) -> RegionRule:
    words = "nothing by nothing is NaN"
    rule = replace(ours, reduce="image", absent="count", empty="formula")
    # The class of that number is left out of the sum over classes, and not of how many there are.
    zeroed = settings.ignore_index if 0 <= (settings.ignore_index or 0) < n_classes else None
    return replace(rule, zeroed=zeroed, nothing=nan_or(1, settings.smooth), smooth_words=words)


def _mmseg_dice(ours: RegionRule, reads: Reads, *, by_default: bool) -> RegionRule:
    squared = by_default or reads.settings.squared
    words = f"no smooth: {_MMSEG_EPS:g} twice below, none above" if squared else f"no smooth: {_MMSEG_EPS:g} for it"
    rule = replace(ours, squared=squared, reduce="image", merged=True, absent="count", empty="formula")
    rule = replace(rule, above=0.0 if squared else _MMSEG_EPS / 2, below=_MMSEG_EPS if squared else _MMSEG_EPS / 2)
    rule = replace(rule, form="sigmoid" if by_default else "own", flipped=not reads.multiclass, smooth_words=words)
    return _mmseg_ignores(rule, reads)


def _mmseg_ignores(rule: RegionRule, reads: Reads) -> RegionRule:
    """Return what becomes of ``ignore_index``, which takes out the class of that number, and no pixel."""
    index = reads.settings.ignore_index
    if index is None:
        return rule
    if index >= reads.n_classes:
        # Labels are cut to the number of classes, which is no class.
        return replace(rule, ignored="predicted")
    return replace(rule, ignored="labelled", dropped=index if index >= 0 else None)
