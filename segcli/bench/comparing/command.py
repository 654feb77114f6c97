"""``segcli bench compare``."""

from typing import TYPE_CHECKING, Annotated

import typer

from segcli.bench.spelling import chosen_names
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.bench.comparing.comparing import Comparison
    from segcli.bench.comparing.sides import Side
    from segcli.emit import Output


def _let_more_through(context: typer.Context, value: str) -> str:
    """Let the command refuse further files itself: it knows where they come from."""
    context.allow_extra_args = True
    return value


@with_output
def compare(
    context: typer.Context,
    first: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="The run before: what -o run.json wrote; a pattern puts several together.",
            callback=_let_more_through,
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The run after, likewise; - reads standard input.")],
    *,
    suite: Annotated[str, typer.Option("--suite", metavar="NAME,...", help="Only these suites.")] = "all",
    kernel: Annotated[
        str, typer.Option("--kernel", metavar="GLOB", help="Only kernels whose name matches, such as 'ohem*'.")
    ] = "*",
    min_effect: Annotated[
        str, typer.Option("--min-effect", metavar="SHARE", help="The least difference that counts: 3% or 0.03.")
    ] = "3%",
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown, for a pull request.")] = False,
    output: "Output",
) -> None:
    """Compare two runs, kernel by kernel: same, faster, slower, ambiguous or incomparable.

    The ratio of medians has a bootstrap interval that knows of the passes.
    It is judged beside the reference workload that is timed in both runs.
    Exit code 1 says that a kernel is surely slower; ambiguous ones are a note.

    Examples:

    [bold]segcli bench compare before.json after.json[/]
    [bold]segcli bench compare before.json after.json --suite loss --min-effect 5%[/]
    [bold]segcli bench compare 'main-*.json' 'branch-*.json' --markdown[/]  several a side
    """
    from segcli.bench.comparing.comparing import Question, chosen
    from segcli.bench.comparing.comparing import compare as run
    from segcli.emit import note
    from segcli.errors import ExitCode, SegcliError
    from segcli.progress import progress

    if context.args:
        # A shell makes many of a pattern.
        message = f"{2 + len(context.args)} files were given, expected two sides, A and B"
        raise SegcliError(message, hint="several runs a side are a pattern in quotes: 'main-*.json' 'branch-*.json'")

    markdown = markdown or (output.file is not None and output.file.suffix == ".md")
    if markdown and (output.json or output.csv):
        message = f"--markdown and {'--json' if output.json else '--csv'} were both given, expected one format"
        raise SegcliError(message)
    if first == second == "-":
        message = "A and B are both standard input, expected one of them to be a file"
        raise SegcliError(message)
    names = chosen_names(suite)
    question = Question(_share(min_effect), names, kernel)
    sides = _side(first), _side(second)
    with progress("kernels compared", len(chosen(*sides, question)), output) as advance:
        found = run(*sides, question, advance)
    for warning in found.warnings:
        note(warning, output)
    _show(found, output, markdown=markdown)
    if found.regressed:
        raise typer.Exit(ExitCode.NO)


def _show(found: "Comparison", output: "Output", *, markdown: bool) -> None:
    from segcli.bench.comparing.report import comparison_markdown, comparison_records, comparison_tables
    from segcli.emit import emit, emit_text

    if markdown:
        emit_text(comparison_markdown(found), output)
        return
    emit("bench.compare", found, lambda: comparison_tables(found), output, records=lambda: comparison_records(found))


def _side(pattern: str) -> "Side":
    from segcli.bench.comparing.sides import side_of
    from segcli.bench.comparing.stored import matching, read_run

    paths = matching(pattern)
    return side_of([str(path) for path in paths], [read_run(path) for path in paths])


def _share(text: str) -> float:
    """Read ``3%`` or ``0.03``."""
    from segcli.errors import SegcliError

    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    # One that is 1 or more was meant in percent.
    if rest or not 0 <= share < 1:
        message = f"--min-effect is {text!r}, expected a share from 0 to below 1, or a percentage"
        raise SegcliError(message, hint="write it as 3% or 0.03")
    return share
