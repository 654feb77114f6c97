"""``segcli shapes``: what shape a tensor expression has, and why."""

from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output


@with_output
def shapes(
    expr: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPR",
            show_default=False,
            help="Indexing and reductions of named tensors; quote it, so that the shell leaves it alone.",
        ),
    ] = None,
    specs: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=SPEC", show_default=False, help="What each name of EXPR stands for."),
    ] = None,
    *,
    numpy: Annotated[bool, typer.Option("--numpy", help="Lead with NumPy: its trace, formula and exit code.")] = False,
    output: "Output",
) -> None:
    r"""Say what shape a tensor expression has in PyTorch and in NumPy, and why. Neither is imported.

    EXPR indexes (integers, slices, None, ..., bools, tensors, masks, lists) and reduces:
    argmax argmin max min sum mean amax amin any all, as x.f() or torch.f(x), with dim and keepdim.

    SPEC is one of:

    [bold]8,16,3[/] or [bold]8x16x3[/]   a shape; so are [bold]3,[/] and [bold]()[/] but a plain 3 is a number
    [bold]int64:4,5[/]          a dtype and a shape; default int64 for an index, else float32
    [bold]bool:8,16#37[/]       a mask with 37 True; without [bold]#[/] their number stays a symbol
    [bold]\[0,2,5][/] [bold]3[/] [bold]True[/]     a Python list, number or bool, as if it stood in EXPR
    [bold]tensor(\[0,2,5])[/]    a tensor whose values are known; or [bold]uint8:tensor(3)[/]

    Exit code 1 where the library would raise.

    Examples:

    [bold]segcli shapes 'src\[a, b, :]' src=8,16,3 a=4,5 b=4,5[/]
    [bold]segcli shapes 'x.argmax(dim=1)' x=2,3,4[/]
    [bold]segcli shapes 'y\[0, :, i]' y=2,3,4 i=2, --numpy[/]
    """
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.shapes.examples import explain_examples
    from segcli.shapes.explanation import explain
    from segcli.shapes.report import example_tables, tables
    from segcli.shapes.spec import split_specs

    lead = "numpy" if numpy else "torch"
    if expr is None:
        examples = explain_examples(lead)
        emit("shapes", examples, lambda: example_tables(examples), output)
        return
    result = explain(expr, split_specs(specs or []), lead=lead)
    emit("shapes", result, lambda: tables(result), output)
    if result.answer.error is not None:
        raise typer.Exit(ExitCode.NO)
