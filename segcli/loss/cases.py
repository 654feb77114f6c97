"""What is to be evaluated: each loss with its parameters, once for every point of a sweep that it can tell apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from segcli.errors import SegcliError
from segcli.loss.settings import LOSSES_OF_MODE, KnownMode, LossSettings, written

_REGION = {"smooth": "smooth", "reduce": "reduce", "absent": "absent", "weight": "class_weights"}
_LOVASZ = {"classes": "lovasz_classes", "reduce": "reduce", "weight": "class_weights"}
# The parameters of each loss as `segcli.nn` calls them, and where their values stand in the settings. Those of the
# read, ``thresh`` and focal's ``gamma``, are among them.
PARAMETERS: dict[str, dict[str, str]] = {
    "ce": {"mean": "mean", "weight": "class_weights"},
    "bce": {"mean": "mean", "weight": "class_weights"},
    "ohem": {"thresh": "thresh", "n_min": "n_min", "semantics": "semantics", "weight": "class_weights"},
    "focal": {"gamma": "gamma", "alpha": "alpha", "mean": "mean"},
    "dice": {"squared": "squared"} | _REGION,
    "jaccard": {"squared": "squared"} | _REGION,
    "tversky": {"alpha": "tversky_alpha", "beta": "tversky_beta"} | _REGION,
    "focal-tversky": {"gamma": "tversky_gamma", "alpha": "tversky_alpha", "beta": "tversky_beta"} | _REGION,
    "generalized-dice": {"weighting": "weighting"} | _REGION,
    "lovasz-softmax": _LOVASZ,
    "lovasz-hinge": _LOVASZ,
}
_OF_ONE_CLASS = ("dice", "jaccard", "tversky", "focal-tversky", "generalized-dice", "lovasz-hinge")
# More points than anybody looks at; a mistyped step makes millions.
MAX_POINTS = 10_000

Axes = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """A loss with its parameters.

    Attributes:
        loss: Which one.
        point: The swept settings and their values here; empty for what was asked for besides a sweep.
        parameters: What `segcli.nn` is called with, by its names; defaults of its own are left out.
    """

    loss: str
    point: tuple[tuple[str, Any], ...]
    parameters: Mapping[str, Any]

    @property
    def key(self) -> str:
        """A name that no other case has.

        Examples:
            >>> Case("ohem", (("thresh", 0.6),), {}).key
            'ohem thresh=0.6'
        """
        return " ".join([self.loss, *(f"{name}={written(value)}" for name, value in self.point)])


def losses_that_apply(settings: LossSettings, mode: KnownMode, name: str) -> tuple[str, ...]:
    """Return the losses that were asked for and have a meaning for the mode.

    Args:
        settings: What was asked for.
        mode: How logits and labels belong together.
        name: What the logits are called.

    Raises:
        SegcliError: Where one that was named has none.

    Examples:
        >>> losses_that_apply(LossSettings(losses=("lovasz",)), "binary", "logits.pt")
        ('lovasz-hinge',)
    """
    applicable = LOSSES_OF_MODE[mode]
    lovasz = applicable[-1]
    wanted = tuple(lovasz if loss == "lovasz" else loss for loss in settings.losses)
    for loss in wanted:
        if loss not in applicable and not settings.all_that_apply:
            message = f"{loss} does not apply to {name}, whose logits are {mode}"
            raise SegcliError(message, hint=f"these do: {', '.join(applicable)}")
    return tuple(dict.fromkeys(loss for loss in wanted if loss in applicable))


def cases_of(settings: LossSettings, mode: KnownMode, losses: Sequence[str], axes: Axes) -> tuple[Case, ...]:
    """Return each loss as it was asked for, then each at the points of the sweep that change it.

    Examples:
        >>> [case.key for case in cases_of(LossSettings(), "multiclass", ("ce", "ohem"), {"thresh": (0.6, 0.7)})]
        ['ce', 'ohem', 'ohem thresh=0.6', 'ohem thresh=0.7']
    """
    plain = [_case(loss, settings, mode, ()) for loss in losses]
    swept = [_case(loss, settings, mode, point) for loss in losses for point in points_of(loss, axes)]
    return (*plain, *swept)


def points_of(loss: str, axes: Axes) -> list[tuple[tuple[str, Any], ...]]:
    """Return the points of a sweep that a loss can tell apart; none where it has none of the swept parameters."""
    own = [name for name in axes if name in PARAMETERS[loss].values()]
    return [tuple(zip(own, values, strict=True)) for values in product(*(axes[name] for name in own))] if own else []


def _case(loss: str, settings: LossSettings, mode: KnownMode, point: tuple[tuple[str, Any], ...]) -> Case:
    here = replace(settings, **dict(point))
    parameters = {name: getattr(here, field) for name, field in PARAMETERS[loss].items()}
    if parameters.get("smooth", 0) is None:
        # Of large classes, whose weights are small, a smooth of 1 would be all that is left.
        parameters["smooth"] = 0.0 if loss == "generalized-dice" else 1.0
    if mode == "binary" and loss in _OF_ONE_CLASS:
        # The weight of the only class changes no mean.
        parameters.pop("weight")
    return Case(loss, point, {name: value for name, value in parameters.items() if value is not None})


def check_parameters(settings: LossSettings, losses: Sequence[str], axes: Axes) -> None:
    """Refuse parameters out of range before any file is read, where no file has to be known for it.

    Raises:
        SegcliError: In the words of the library.
    """
    from segcli.nn import CombinedLoss

    modes = LOSSES_OF_MODE if settings.mode == "auto" else (settings.mode,)
    for mode in modes:
        known = [loss for loss in losses if loss in LOSSES_OF_MODE[mode]]
        for case in cases_of(settings, mode, known, axes):
            own: dict[str, Any] = dict(case.parameters)
            if settings.mode == "auto" and case.loss == "focal":
                # What alpha may be depends on the mode, which the files tell.
                own.pop("alpha", None)
            named: dict[str, Any] = {case.loss.replace("-", "_"): own}
            try:
                CombinedLoss(case.loss, mode=mode, **named)
            except ValueError as error:
                raise SegcliError(str(error)) from error
