"""A panel of the roofline as SVG, for the page."""

from collections.abc import Iterator, Sequence

from segcli.bench.reporting.panels import Panel, axis_limits, intensity, label_of, spread
from segcli.bench.reporting.svg import Scale, element, picture, text
from segcli.bench.results import Result
from segcli.units import format_number, format_rate, format_seconds

_WIDTH, _HEIGHT = 560.0, 312.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 376.0, 14.0, 256.0
_LABELS = _RIGHT + 14
_LINE = 14.0
_ROW = 24.0
_ROOF_CLASSES = ("roof", "roof faint")


def panel_svg(panel: Panel) -> str:
    """Draw a panel: FLOP/s over FLOPs a byte, or rows of bytes/s where nothing is computed."""
    return _roofline(panel) if panel.has_flops else _rates(panel)


def _roofline(panel: Panel) -> str:
    xs = [intensity(result) for result in panel.results]
    ys = [result.flops / (result.median_s or 1.0) for result in panel.results]
    peak = panel.flops_per_s
    tops = [peak] if peak else [roof.bytes_per_s * min(xs) for roof in panel.roofs]
    ridges = [peak / roof.bytes_per_s for roof in panel.roofs[:1]] if peak else []
    x = Scale(*axis_limits([*xs, *ridges], 2.5), _LEFT, _RIGHT)
    y = Scale(*axis_limits([*ys, *tops], 2.0), _BOTTOM, _TOP)
    inside = [*_grid(x, y), *_roofs(panel, x, y)]
    inside += _names(panel.results, [x(each) for each in xs], [y(each) for each in ys])
    inside += [_mark(*each) for each in zip(panel.results, map(x, xs), map(y, ys), strict=True)]
    return picture(_WIDTH, _HEIGHT, f"roofline of {panel.title}", *inside)


def _grid(x: Scale, y: Scale) -> Iterator[str]:
    for mark in x.powers():
        yield element("path", d=f"M{x(mark):.1f} {_TOP}V{_BOTTOM}", class_="grid")
        yield _words(x(mark), _BOTTOM + 16, f"{mark:g}", "tick", "middle")
    for mark in y.powers():
        yield element("path", d=f"M{_LEFT} {y(mark):.1f}H{_RIGHT}", class_="grid")
        yield _words(_LEFT - 8, y(mark) + 4, _short_rate(mark, "FLOP/s"), "tick", "end")
    yield element("path", d=f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}", class_="axis")
    yield _words((_LEFT + _RIGHT) / 2, _BOTTOM + 34, "FLOPs a byte", "name", "middle")


def _roofs(panel: Panel, x: Scale, y: Scale) -> Iterator[str]:
    """Draw the faint roofs first; a line's ends are where it enters and leaves the panel."""
    peak = panel.flops_per_s
    for place, roof in reversed(list(enumerate(panel.roofs))):
        rate = roof.bytes_per_s
        start = max(x.low, y.low / rate)
        end = min(x.high, (peak or y.high) / rate)
        if start >= end:
            continue
        said = f"{roof.name} {format_rate(rate, 'B/s')}"
        line = f"M{x(start):.1f} {y(start * rate):.1f}L{x(end):.1f} {y(end * rate):.1f}"
        yield element("path", element("title", text(said)), d=line, class_=_ROOF_CLASSES[bool(place)])
    if peak:
        start = min(x.high, max([x.low, *(peak / roof.bytes_per_s for roof in panel.roofs[-1:])]))
        yield element("path", d=f"M{x(start):.1f} {y(peak):.1f}H{_RIGHT}", class_="roof")
        yield _words(_RIGHT - 4, y(peak) - 5, f"matmul {format_rate(peak, 'FLOP/s')}", "roofname", "end")
    said = ", ".join(f"{roof.name} {format_rate(roof.bytes_per_s, 'B/s')}" for roof in panel.roofs)
    yield _words(_RIGHT, _BOTTOM + 50, said, "roofname", "end")


def _names(results: Sequence[Result], xs: Sequence[float], ys: Sequence[float]) -> Iterator[str]:
    """Write kernels' names beside the panel, each joined to the upper of its points."""
    tops: dict[str, tuple[float, float, float]] = {}
    for result, x, y in zip(results, xs, ys, strict=True):
        _, least, most = tops.get(label_of(result), (x, y, y))
        tops[label_of(result)] = x, min(least, y), max(most, y)
    ranked = sorted(tops.items(), key=lambda item: item[1][1])
    length = _BOTTOM - _TOP
    places = spread([(top - _TOP) / length for _, (_, top, _) in ranked], _LINE / length)
    for (name, (x, top, bottom)), place in zip(ranked, places, strict=True):
        there = _TOP + place * length
        yield element("path", d=f"M{x:.1f} {bottom:.1f}V{top:.1f}L{_LABELS - 4} {there:.1f}", class_="leader")
        yield _words(_LABELS, there + 4, name, "label")


def _rates(panel: Panel) -> str:
    """Draw a row a kernel, the roofs as lines across."""
    names = list(dict.fromkeys(label_of(result) for result in panel.results))
    rates = [result.bytes / (result.median_s or 1.0) for result in panel.results]
    x = Scale(*axis_limits([*rates, *(roof.bytes_per_s for roof in panel.roofs)], 2.0), _LEFT, _RIGHT)
    bottom = _TOP + _ROW * (len(names) + 0.5)
    inside = [element("path", d=f"M{_LEFT} {_TOP}V{bottom}H{_RIGHT}", class_="axis")]
    for mark in Scale(x.low, x.high * 300, 0, 1).powers():
        if mark <= x.high:
            inside.append(element("path", d=f"M{x(mark):.1f} {_TOP}V{bottom}", class_="grid"))
            inside.append(_words(x(mark), bottom + 16, _short_rate(mark, "B/s"), "tick", "middle"))
    for place, roof in enumerate(panel.roofs):
        there = x(roof.bytes_per_s)
        said = element("title", text(f"{roof.name} {format_rate(roof.bytes_per_s, 'B/s')}"))
        inside.append(element("path", said, d=f"M{there:.1f} {_TOP}V{bottom}", class_=_ROOF_CLASSES[bool(place)]))
    ys = [_TOP + _ROW * (names.index(label_of(result)) + 0.75) for result in panel.results]
    inside += [_words(_LABELS, _TOP + _ROW * (row + 0.75) + 4, name, "label") for row, name in enumerate(names)]
    inside += [_mark(result, x(rate), y) for result, rate, y in zip(panel.results, rates, ys, strict=True)]
    roofs = ", ".join(f"{roof.name} {format_rate(roof.bytes_per_s, 'B/s')}" for roof in panel.roofs)
    inside.append(_words((_LEFT + _RIGHT) / 2, bottom + 34, "bytes/s, nothing to compute", "name", "middle"))
    inside.append(_words(_RIGHT, bottom + 50, roofs, "roofname", "end"))
    return picture(_WIDTH, bottom + 54, f"bytes a second of {panel.title}", *inside)


def _mark(result: Result, x: float, y: float) -> str:
    """Return a point, a square for a variant, that says what it is when it is pointed at."""
    of_ceiling = "" if result.fraction is None else f", {result.fraction:.0%} of its ceiling ({result.bound})"
    said = f"{label_of(result)}, {result.caches}: {format_seconds(result.median_s or 0.0)}{of_ceiling}"
    caches = "hot" if result.caches == "hot" else "cold"
    title = element("title", text(said))
    if result.variant:
        return element("rect", title, x=x - 4, y=y - 4, width=8, height=8, class_=f"point {caches}")
    return element("circle", title, cx=x, cy=y, r=4.5, class_=f"point {caches}")


def _words(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return element("text", text(words), x=x, y=y, class_=kind, text_anchor=anchor)


def _short_rate(rate: float, unit: str) -> str:
    """Write a round rate without needless digits."""
    number, _, prefixed = format_rate(rate, unit).partition(" ")
    return f"{format_number(float(number))} {prefixed}"
