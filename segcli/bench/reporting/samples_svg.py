"""A kernel's samples as SVG: each in the order taken, pass by pass, with the median and its interval."""

from itertools import accumulate

from segcli.bench.measuring.order_statistics import quantile
from segcli.bench.reporting.svg import Scale, element, picture, text
from segcli.bench.results import Result
from segcli.units import format_seconds

_WIDTH, _HEIGHT = 560.0, 92.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 548.0, 8.0, 74.0
# What lies far above nine samples in ten is drawn at the edge: one late sample would flatten all others.
_SHOWN = 0.9
_MARGIN = 0.3


def samples_svg(result: Result) -> str:
    """Draw a timed result's samples."""
    samples = result.samples_s
    x = Scale(-0.5, len(samples) - 0.5, _LEFT, _RIGHT, is_log=False)
    y = _time_scale(result)
    inside = [element("path", d=f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}", class_="axis")]
    if result.ci95_s is not None:
        low, high = (y(end) for end in result.ci95_s)
        band = {"x": _LEFT, "y": high, "width": _RIGHT - _LEFT, "height": max(low - high, 1.0)}
        inside.append(element("rect", **band, class_="interval"))
    inside += [element("path", d=f"M{x(end - 0.5):.1f} {_TOP}V{_BOTTOM}", class_="pass") for end in _ends(result)]
    median = y(result.median_s or 0.0)
    inside.append(element("path", d=f"M{_LEFT} {median:.1f}H{_RIGHT}", class_="median"))
    within = [(x(place), y(sample), sample <= y.high) for place, sample in enumerate(samples)]
    caches = "hot" if result.caches == "hot" else "cold"
    inside.append(
        element("path", d=_dots([(at, height) for at, height, fits in within if fits]), class_=f"dots {caches}")
    )
    late = [(at, _TOP) for at, _, fits in within if not fits]
    if late:
        said = element("title", text(f"{len(late)} beyond {format_seconds(y.high)}"))
        inside.append(element("path", said, d=_ticks(late), class_=f"late {caches}"))
    for number in (y.low, y.high):
        at = _TOP + 8 if number == y.high else _BOTTOM
        inside.append(
            element("text", text(format_seconds(number)), x=_LEFT - 8, y=at, class_="tick", text_anchor="end")
        )
    passes = f", {len(result.passes)} passes" if len(result.passes) > 1 else ""
    said = f"{len(samples)} samples{passes}"
    inside.append(element("text", text(said), x=_RIGHT, y=_BOTTOM + 15, class_="tick", text_anchor="end"))
    return picture(_WIDTH, _HEIGHT, f"samples of {result.kernel}", *inside)


def _time_scale(result: Result) -> Scale:
    ranked = sorted(result.samples_s)
    low, high = ranked[0], quantile(ranked, _SHOWN)
    if result.ci95_s is not None:
        low, high = min(low, result.ci95_s[0]), max(high, result.ci95_s[1])
    # A clock that saw no difference still has a scale.
    room = (high - low) * _MARGIN or high * _MARGIN or 1.0
    return Scale(max(0.0, low - room), high + room, _BOTTOM, _TOP, is_log=False)


def _ends(result: Result) -> list[int]:
    """Return where a pass ended and another began."""
    return list(accumulate(result.passes))[:-1]


def _dots(places: list[tuple[float, float]]) -> str:
    """Return one path of lines without length, whose round ends are the dots: a file of thousands stays small."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places) or "M0 0"


def _ticks(places: list[tuple[float, float]]) -> str:
    return "".join(f"M{x:.1f} {y:.1f}v5" for x, y in places)
