"""A comparison as tables, as one table of records, and as Markdown for a pull request."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from segcli.bench.comparing.comparing import Comparison
from segcli.bench.comparing.multiplicity import FALSE_SHARE
from segcli.bench.comparing.pairing import Pair
from segcli.bench.comparing.verdicts import Verdict
from segcli.table import Cell, Column, Table
from segcli.units import format_ratio, format_seconds, format_size
from segcli.words import printable

_MAX_INCOMPARABLE = 20
# What is the same for all rows is said once, above them.
_CIRCUMSTANCES = ("size", "dtype", "device", "caches", "span")
_COLUMNS = (
    Column("A", "seconds"),
    Column("B", "seconds"),
    Column("B/A", "ratio"),
    Column("95 %"),
    Column("verdict"),
)
_RECORD_COLUMNS = (
    Column("suite"),
    Column("kernel"),
    Column("variant"),
    Column("mode"),
    Column("size"),
    Column("dtype"),
    Column("device"),
    Column("caches"),
    Column("span"),
    Column("verdict"),
    Column("first", "seconds"),
    Column("second", "seconds"),
    Column("ratio", "ratio"),
    Column("ci95 low", "ratio"),
    Column("ci95 high", "ratio"),
    Column("p value", "number"),
    Column("reference"),
    Column("unscaled", "ratio"),
    Column("unscaled ci95 low", "ratio"),
    Column("unscaled ci95 high", "ratio"),
    Column("reason"),
)
_MARKS = {Verdict.SLOWER: "**slower**", Verdict.FASTER: "**faster**"}


def comparison_tables(found: Comparison) -> list[Table]:
    """Return a table for each suite and mode, the one with the worst kernel first, and what was not compared."""
    notes = [_counted(found), *_legend(found)]
    tables = [_table(pairs) for pairs in _groups(found)]
    left = [each for each in found.kernels if each.verdict is Verdict.INCOMPARABLE]
    return [Table(_title(found), notes=notes), *tables, *([_incomparable(left)] if left else [])]


def comparison_records(found: Comparison) -> list[Table]:
    """Return one table with a row a kernel and condition, for CSV."""
    return [Table("comparison", _RECORD_COLUMNS, [_record(each) for each in found.kernels])]


def comparison_markdown(found: Comparison) -> str:
    """Return the comparison as Markdown; what is the same, and what was not compared, is folded."""
    lines = [f"### {_escaped(_title(found))}", "", _counted(found), ""]
    for pairs in _groups(found):
        changed = [each for each in pairs if each.verdict is not Verdict.SAME]
        same = [each for each in pairs if each.verdict is Verdict.SAME]
        lines += [f"**{_escaped(_heading(pairs))}**", "", *_markdown_table(changed, pairs)]
        if same:
            lines += _folded(f"{len(same)} the same", _markdown_table(same, pairs))
    left = [each for each in found.kernels if each.verdict is Verdict.INCOMPARABLE]
    if left:
        lines += _folded(f"{len(left)} incomparable", [*(f"- {_escaped(line)}" for line in _fates(left)), ""])
    lines += [f"- {_escaped(line)}" for line in (*_legend(found), *found.warnings)]
    return "\n".join(lines).rstrip() + "\n"


def _title(found: Comparison) -> str:
    return f"{' + '.join(found.first)} (A) and {' + '.join(found.second)} (B)"


def _counted(found: Comparison) -> str:
    return ", ".join(f"{count:,} {verdict}" for verdict, count in found.counts.items() if count)


def _legend(found: Comparison) -> list[str]:
    share = f"{found.min_effect * 100:g} %"
    legend = [f"B/A: median over median, with its 95 % bootstrap interval; less than {share} is no difference."]
    if len(found.kernels) - found.counts[Verdict.INCOMPARABLE.value] > 1:
        legend.append(
            f"slower, faster: sure also as one of so many; {FALSE_SHARE * 100:g} % of what is called so may be chance, "
            "on average."
        )
    names = sorted({name for each in found.kernels for name in each.reference.split("+") if name})
    if names:
        legend.append(
            f"/ {', '.join(names)}: without the changes of that reference workload, timed in the same passes, as far "
            "as the kernel follows them."
        )
    return legend


def _groups(found: Comparison) -> Iterator[list[Pair]]:
    """Give the kernels that were compared by suite and mode, in the order of their worst."""
    compared = [each for each in found.kernels if each.verdict is not Verdict.INCOMPARABLE]
    order = list(dict.fromkeys((each.suite, each.mode) for each in compared))
    compared.sort(key=lambda each: order.index((each.suite, each.mode)))
    for _, pairs in groupby(compared, key=lambda each: (each.suite, each.mode)):
        yield list(pairs)


def _table(pairs: list[Pair]) -> Table:
    columns = (Column("kernel"), *(Column(name) for name in _varying(pairs)), *_COLUMNS)
    by_reason: dict[str, list[str]] = {}
    for each in pairs:
        if each.reason:
            by_reason.setdefault(each.reason, []).append(" ".join(_start(each, pairs)))
    notes = [f"{_several(names)}: {reason}" for reason, names in by_reason.items()]
    return Table(_heading(pairs), columns, [(*_start(each, pairs), *_end(each)) for each in pairs], notes)


def _heading(pairs: list[Pair]) -> str:
    alike = [_circumstance(pairs[0], name) for name in _CIRCUMSTANCES if name not in _varying(pairs)]
    return f"{pairs[0].suite}, {pairs[0].mode}: {' '.join(alike)}"


def _varying(pairs: list[Pair]) -> list[str]:
    return [name for name in _CIRCUMSTANCES if len({getattr(each, name) for each in pairs}) > 1]


def _circumstance(pair: Pair, name: str) -> str:
    return format_size(pair.size) if name == "size" else str(getattr(pair, name))


def _start(pair: Pair, pairs: list[Pair]) -> tuple[str, ...]:
    return _named(pair), *(_circumstance(pair, name) for name in _varying(pairs))


def _named(pair: Pair) -> str:
    return f"{pair.kernel} {pair.variant}".rstrip()


def _end(pair: Pair) -> tuple[Cell, ...]:
    return pair.first_s, pair.second_s, pair.ratio, _interval(pair), pair.verdict.value


def _interval(pair: Pair) -> str:
    if pair.ci95 is None:
        return "-"
    low, high = pair.ci95
    scaled = f" / {pair.reference}" if pair.reference else ""
    return f"{low:.3f} to {high:.3f}{scaled}"


def _incomparable(pairs: Sequence[Pair]) -> Table:
    notes = _fates(pairs)
    more = [f"and {len(notes) - _MAX_INCOMPARABLE:,} more, which --json lists"] * (len(notes) > _MAX_INCOMPARABLE)
    return Table(f"{len(pairs):,} incomparable", notes=[*notes[:_MAX_INCOMPARABLE], *more])


def _fates(pairs: Sequence[Pair]) -> list[str]:
    """Say why kernels were not compared, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for each in pairs:
        conditions = f"{each.mode} {format_size(each.size)} {each.dtype} {each.caches} {each.span}"
        by_reason.setdefault(each.reason, []).append(f"{each.suite}/{_named(each)} {conditions}")
    return [f"{reason}: {_several(names)}" for reason, names in by_reason.items()]


def _several(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _record(pair: Pair) -> tuple[Cell, ...]:
    return (
        pair.suite,
        pair.kernel,
        pair.variant,
        pair.mode,
        format_size(pair.size),
        pair.dtype,
        pair.device,
        pair.caches,
        pair.span,
        pair.verdict.value,
        pair.first_s,
        pair.second_s,
        pair.ratio,
        *(pair.ci95 or (None, None)),
        pair.p_value,
        pair.reference,
        pair.unscaled,
        *(pair.unscaled_ci95 or (None, None)),
        pair.reason,
    )


def _markdown_table(pairs: list[Pair], group: list[Pair]) -> list[str]:
    """Return the rows of some of a group's kernels, with the columns that the group has."""
    if not pairs:
        return []
    headings = ["kernel", *_varying(group), "A", "B", "B/A", "95 %", "verdict"]
    rules = ["---" if heading in ("kernel", *_CIRCUMSTANCES, "95 %", "verdict") else "--:" for heading in headings]
    return [_line(headings), _line(rules), *(_line(_markdown_cells(each, group)) for each in pairs), ""]


def _markdown_cells(pair: Pair, group: list[Pair]) -> list[str]:
    times = [format_seconds(seconds or 0.0) for seconds in (pair.first_s, pair.second_s)]
    verdict = _MARKS.get(pair.verdict, pair.verdict.value)
    start = [_escaped(cell) for cell in _start(pair, group)]
    return [*start, *times, format_ratio(pair.ratio or 0.0), _escaped(_interval(pair)), verdict]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _folded(summary: str, lines: list[str]) -> list[str]:
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, "</details>", ""]


def _escaped(text: str) -> str:
    """Keep what a name holds from being taken for Markdown or HTML."""
    text = printable(text).replace("\n", " ")
    # The ampersand first: it is part of what stands for others.
    for mark in "&\\`*_[]<>|":
        text = text.replace(mark, f"&#{ord(mark)};" if mark in "&<>|" else f"\\{mark}")
    return text
