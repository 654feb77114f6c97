"""A sweep as charts, before anything is drawn: which parameter is along the axis, which tells the lines apart."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from segcli.errors import SegcliError
from segcli.loss.result import SweepPoint
from segcli.units import format_number

# More lines than this are a thicket: their values become colours of a field.
_MAX_LINES = 8
_MAX_CHARTS = 48


@dataclass(frozen=True)
class Chart:
    """Numbers over one parameter, or over two.

    Attributes:
        title: What it is of.
        quantity: What the numbers are: ``loss`` or ``kept``, a share.
        group: Charts of one group have one scale.
        x_name: The parameter along the axis.
        xs: Its values, in ascending order where they are numbers.
        line_name: What tells the lines apart: a parameter, or ``loss``.
        lines: A value and the numbers at ``xs``, None where there is none. More than eight are drawn as a field.
    """

    title: str
    quantity: str
    group: str
    x_name: str
    xs: tuple[Any, ...]
    line_name: str
    lines: tuple[tuple[Any, tuple[float | None, ...]], ...]

    @property
    def is_field(self) -> bool:
        """Whether the lines are too many to be told apart."""
        return len(self.lines) > _MAX_LINES


def charts(points: Sequence[SweepPoint]) -> tuple[list[Chart], list[str]]:
    """Arrange a sweep: losses over one parameter share a chart, those over more have their own.

    The parameter with the most values is along the axis, the next one tells lines apart, and further ones make a chart
    for each of their values. Where OHEM's share of kept pixels is known, it has charts of its own.

    Args:
        points: Of any number of losses, which need not have the same parameters.

    Returns:
        The charts, and in words the losses that no parameter changes.

    Raises:
        SegcliError: Where nothing was swept, or that makes more than 48 charts.

    Examples:
        >>> found, constant = charts([SweepPoint("ohem", {"thresh": t}, 1 - t) for t in (0.5, 0.7)])
        >>> [(chart.title, chart.x_name, chart.xs, chart.lines) for chart in found]
        [('ohem', 'thresh', (0.5, 0.7), (('ohem', (0.5, 0.30000000000000004)),))]
    """
    of_loss: dict[str, list[SweepPoint]] = {}
    for point in points:
        of_loss.setdefault(point.loss, []).append(point)
    axes = {loss: _axes(some) for loss, some in of_loss.items()}
    constant = [f"{loss} {format_number(of_loss[loss][0].value)}" for loss, found in axes.items() if not found]
    single = dict.fromkeys(next(iter(found)) for found in axes.values() if len(found) == 1)
    arranged = [chart for name in single for chart in _of_one_axis(name, axes, of_loss)]
    for loss, found in axes.items():
        if len(found) > 1:
            arranged += _of_many_axes(loss, found, of_loss[loss])
    if not 0 < len(arranged) <= _MAX_CHARTS:
        message = f"a sweep of {len(points)} points makes {len(arranged)} charts, expected 1 to {_MAX_CHARTS}"
        raise SegcliError(message, hint="sweep one or two parameters, with two values or more")
    return arranged, constant


def number_of(value: Hashable) -> float | None:
    """Return a parameter's value as a number; None for words.

    Examples:
        >>> number_of(Fraction(1, 16)), number_of("1/4"), number_of("batch"), number_of(True)
        (0.0625, 0.25, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        number = float(Fraction(value)) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def has_one_measure(values: Iterable[Hashable]) -> bool:
    """Tell whether all are numbers, and not counts, of pixels, beside shares of them.

    Examples:
        >>> has_one_measure([0, 0.5, 2.0]), has_one_measure([Fraction(1, 16), 1000]), has_one_measure(["a", 1])
        (True, False, False)
    """
    known = list(values)
    has_shares = any(isinstance(value, Fraction) for value in known)
    has_counts = any(isinstance(value, int) for value in known)
    return not (has_shares and has_counts) and all(number_of(value) is not None for value in known)


def label_of(value: Hashable) -> str:
    """Return a parameter's value as a person writes it.

    Examples:
        >>> label_of(Fraction(1, 16)), label_of(0.1 + 0.2), label_of(100000)
        ('1/16', '0.3', '100,000')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return format_number(value) if isinstance(value, float) else str(value)


def _axes(points: Iterable[SweepPoint]) -> dict[str, tuple[Any, ...]]:
    """Return the parameters that have several values, those with the most first."""
    values: dict[str, dict[Any, None]] = {}
    for point in points:
        for name, value in point.point.items():
            values.setdefault(name, {})[_plain(value)] = None
    axes = {name: tuple(sorted(found, key=_order)) for name, found in values.items() if len(found) > 1}
    return dict(sorted(axes.items(), key=lambda axis: -len(axis[1])))


def _plain(value: Any) -> Hashable:  # noqa: ANN401 - whatever a sweep holds
    """Return what can be looked up: a weight for each class may be a list."""
    return value if isinstance(value, str | bool | int | float | Fraction) else str(value)


def _order(value: Hashable) -> tuple[bool, float, str]:
    """Order numbers by size, and words after them."""
    number = number_of(value)
    return number is None, number or 0.0, str(value)


def _of_one_axis(
    name: str, axes: Mapping[str, Mapping[str, tuple[Any, ...]]], of_loss: Mapping[str, Sequence[SweepPoint]]
) -> Iterable[Chart]:
    losses = [loss for loss, found in axes.items() if list(found) == [name]]
    xs = tuple(sorted({value for loss in losses for value in axes[loss][name]}, key=_order))
    for quantity in ("loss", "kept"):
        lines = []
        for loss in losses:
            at = {_plain(point.point.get(name)): _number(point, quantity) for point in of_loss[loss]}
            lines.append((loss, tuple(at.get(x) for x in xs)))
        shown = [line for line in lines if any(number is not None for number in line[1])]
        if shown:
            titles = ", ".join(str(loss) for loss, _ in shown)
            yield Chart(titles, quantity, f"{quantity} over {name}", name, xs, "loss", tuple(shown))


def _of_many_axes(loss: str, axes: Mapping[str, tuple[Any, ...]], points: Sequence[SweepPoint]) -> Iterable[Chart]:
    x_name, line_name, *others = axes
    at = {tuple(_plain(point.point.get(name)) for name in axes): point for point in points}
    for quantity in ("loss", "kept"):
        for held in product(*(axes[name] for name in others)):
            lines = tuple(
                (line, tuple(_number(at.get((x, line, *held)), quantity) for x in axes[x_name]))
                for line in axes[line_name]
            )
            if any(number is not None for _, numbers in lines for number in numbers):
                words = [f"{name} {label_of(value)}" for name, value in zip(others, held, strict=True)]
                title = ", ".join((loss, *words))
                yield Chart(title, quantity, f"{quantity} of {loss}", x_name, axes[x_name], line_name, lines)


def _number(point: SweepPoint | None, quantity: str) -> float | None:
    number = None if point is None else point.value if quantity == "loss" else point.kept
    return number if number is not None and math.isfinite(number) else None
