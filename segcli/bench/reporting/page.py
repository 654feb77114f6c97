"""Runs as one HTML page that opens without a network: no script, no font, no picture is fetched.

What a run's file holds may be anybody's: every word of it is escaped, and the page's own policy lets nothing run.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files

from segcli.bench.ceilings.standing import MOST
from segcli.bench.reporting.gathering import Group, Named, gathered
from segcli.bench.reporting.report import ceiling_table, environment_table, group_table, size_of
from segcli.bench.reporting.roofline_svg import panel_svg
from segcli.bench.reporting.samples_svg import samples_svg
from segcli.bench.reporting.shortfalls import shortfalls
from segcli.bench.reporting.svg import element, text
from segcli.bench.results import Result
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_number, format_rate, format_ratio, format_seconds

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NUMBERS = {"seconds", "bytes", "rate", "ratio", "count", "number"}
_COLOURS = {"hot": "hot caches", "cold": "cold caches"}
_KEY = (
    "rooflines: squares are variants; the dark lines are memory and matmul, the faint ones caches. Samples: in the "
    "order taken, dashes between passes, the median as a line in its 95 % interval, later ones as ticks at the edge."
)


def page(runs: Sequence[Named]) -> str:
    """Return the page: environment, ceilings, and of each group of kernels a table, the roofline, and every sample.

    Args:
        runs: One or more, from `named`; more are shown side by side.
    """
    groups = gathered(runs)
    body = [
        *_header(runs),
        *_list(shortfalls(runs, groups), "lacks"),
        _contents(groups),
        _key(),
        *_list(_warnings(runs), "warnings"),
        element("div", *map(_section, (environment_table(runs), ceiling_table(runs))), class_="beside"),
        *(_group(group, runs, place) for place, group in enumerate(groups)),
    ]
    style = files("segcli.bench.reporting").joinpath("page.css").read_text(encoding="utf-8")
    head = (
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", text(f"segcli bench: {', '.join(each.name for each in runs)}")),
        f"<style>{style}</style>",
    )
    html = element("html", element("head", *head), element("body", element("main", *body)), lang="en")
    return f"<!DOCTYPE html>\n{html}\n"


def _header(runs: Sequence[Named]) -> Iterator[str]:
    where = runs[0].run.environment
    yield element("h1", text("segcli bench"))
    said = f"{where.gpu.name if where.gpu else where.cpu}, torch {where.torch}"
    names = ", ".join(f"{each.mark}: {each.name}" if len(runs) > 1 else each.name for each in runs)
    yield element("p", text(f"{said}. {names}"), class_="lead")


def _contents(groups: Sequence[Group]) -> str:
    links = [element("li", element("a", text(group.title), href=f"#g{place}")) for place, group in enumerate(groups)]
    return element("nav", element("ul", *links)) if links else ""


def _key() -> str:
    """Return what colours and marks mean."""
    colours = [element("span", text(name), class_=f"key {kind}") for kind, name in _COLOURS.items()]
    return element("p", *colours, text(_KEY), class_="note")


def _warnings(runs: Sequence[Named]) -> list[str]:
    return [f"{each.mark}: {warning}" if len(runs) > 1 else warning for each in runs for warning in each.run.warnings]


def _list(said: Sequence[str], class_: str) -> Iterator[str]:
    """Give a list of what is said, and nothing where that is nothing."""
    if said:
        yield element("ul", *(element("li", text(words)) for words in said), class_=class_)


def _section(table: Table) -> str:
    return element("section", element("h2", text(str(table.title))), _table(table)) if table.rows else ""


def _group(group: Group, runs: Sequence[Named], place: int) -> str:
    """Return a group: its table, its panels of the roofline, and its kernels' samples, the runs' side by side."""
    table = group_table(group, runs)
    inside = [element("h2", text(group.title)), element("p", text(size_of(group)), class_="sub")]
    inside.append(_table(table, "runs" if len(runs) > 1 else "run"))
    drawn = [
        _figure(panel_svg(panel), each.mark if len(runs) > 1 else "")
        for each, some in zip(runs, group.panels, strict=True)
        for panel in some
    ]
    if drawn:
        inside.append(element("div", *drawn, class_="figures"))
    samples = [
        _figure(samples_svg(result), _caption(result, row.kernel, each.mark if len(runs) > 1 else ""))
        for row in group.rows
        for each, result in zip(runs, row.results, strict=True)
        if result is not None and result.samples_s
    ]
    if samples:
        inside += [element("h3", text("samples")), element("div", *samples, class_="figures")]
    return element("section", *inside, id=f"g{place}")


def _caption(result: Result, kernel: str, mark: str) -> str:
    parts = [f"{mark}:" if mark else "", f"{kernel}, {result.caches}, {format_seconds(result.median_s or 0.0)}"]
    return " ".join(filter(None, parts))


def _figure(svg: str, caption: str) -> str:
    said = [element("figcaption", text(caption))] if caption else []
    return element("figure", *said, svg)


def _table(table: Table, class_: str = "facts") -> str:
    heading = element("tr", *(element("th", text(column.name), class_=_kind(column)) for column in table.columns))
    rows = [
        element("tr", *(_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)))
        for row in table.rows
    ]
    whole = element("table", element("thead", heading), element("tbody", *rows), class_=class_)
    notes = [element("p", text(str(note)), class_="note") for note in table.notes]
    return element("div", whole, class_="wide") + "".join(notes)


def _kind(column: Column) -> str:
    return "number" if column.kind in _NUMBERS else column.kind


def _cell(column: Column, cell: Cell) -> str:
    is_none = cell is None or cell == ""
    class_ = f"{_kind(column)} none" if is_none else _kind(column)
    if column.kind == "bar":
        return element("td", *_bar(cell if isinstance(cell, float) else None), class_=class_)
    if is_none:
        return element("td", text("-"), class_=class_)
    return element("td", text(_words(column, cell)), class_=class_)


def _bar(share: float | None) -> Iterator[str]:
    """Give a per cent with its bar; what is above the ceiling is marked as a fault of the count."""
    yield element("span", text("-" if share is None else f"{share:.0%}"), class_="share")
    if share is not None:
        class_ = "over" if share > MOST else "fill"
        fill = element("span", text(""), class_=class_, style=f"width:{min(share, 1.0):.1%}")
        yield element("span", fill, class_="track")


def _words(column: Column, cell: Cell) -> str:
    """Print a cell as its column says; a word that stands for a number stays."""
    if not isinstance(cell, int | float) or isinstance(cell, bool):
        return str(cell)
    if column.kind == "rate":
        return format_rate(cell, column.unit)
    formats = {"seconds": format_seconds, "bytes": format_bytes, "ratio": format_ratio}
    return formats.get(column.kind, format_number)(cell)
