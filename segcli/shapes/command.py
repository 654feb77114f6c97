"""``segcli shapes``: what shape a tensor expression has, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from typing import Any

    from segcli.emit import Output
    from segcli.shapes.confirm import Confirmation
    from segcli.shapes.result import Explanation


@with_output
def shapes(
    expr: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPR",
            show_default=False,
            help="An expression of named tensors; quote it, so that the shell leaves it alone.",
        ),
    ] = None,
    specs: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=SPEC...", show_default=False, help="What each name of EXPR stands for."),
    ] = None,
    *,
    numpy: Annotated[bool, typer.Option("--numpy", help="Lead with NumPy: its trace, formula and exit code.")] = False,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="FILE|-",
            show_default=False,
            help='Answer JSON lines {"expr": ..., "bind": {"x": "8,16,3"}}, one line each, errors included.',
        ),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Confirm PyTorch's answer with the installed torch: its import takes a while.")
    ] = False,
    output: "Output",
) -> None:
    r"""Say what shape a tensor expression has in PyTorch and in NumPy, and why.

    Neither library is imported, unless --run asks for it.

    EXPR is written as in Python; it is parsed, and never run.
    It knows, as x.f(), torch.f(x) or both:

    [bold]indexing[/]   integers, slices, None, ..., bools, tensors, masks, lists;
               x\[i, m] = v; x += v
    [bold]reduce[/]     argmax argmin max min sum mean amax amin any all std var prod
               median norm logsumexp topk kthvalue sort argsort cumsum softmax
               log_softmax
    [bold]join, cut[/]  cat stack hstack vstack dstack chunk split tensor_split unbind
    [bold]reshape[/]    reshape view flatten ravel unflatten permute transpose T mT t
               movedim squeeze unsqueeze expand expand_as broadcast_to repeat
               tile roll flip contiguous ...
    [bold]select[/]     gather scatter scatter_add take_along_dim index_select
               masked_select masked_fill where nonzero bincount
    [bold]compute[/]    + - * / // % ** == != < <= > >= & | ^ ~ << >>, add eq ne lt
               maximum exp clamp float long to ..., @ matmul mm bmm mv dot einsum
    [bold]make, ask[/]  arange zeros ones full zeros_like ...; shape size() numel() ndim
               item()
    [bold]F.[/]         conv1d conv2d conv3d conv_transpose2d max_pool2d avg_pool2d
               adaptive_avg_pool2d interpolate grid_sample pad unfold one_hot
               linear cross_entropy binary_cross_entropy_with_logits ...
    [bold]nn.[/]        Conv1d-3d ConvTranspose1d-3d BatchNorm1d-3d InstanceNorm1d-3d
               LayerNorm GroupNorm Linear Upsample MaxPool2d ReLU Flatten ...,
               as nn.Conv2d(3, 64, 7)(x);
               nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())(x)
    [bold]np.[/]        argmax concatenate stack where transpose ..., in NumPy's words:
               then NumPy leads

    SPEC is one of:

    [bold]8,16,3[/] or [bold]8x16x3[/]  a shape; so are [bold]3,[/] and [bold]()[/] but a plain 3 is a number
    [bold]N,19,H,W[/]          named sizes: equal names are equal sizes
    [bold]h:8,w:16,c:3[/]      labels on sizes, which go where their axes go
    [bold]int64:4,5[/]         a dtype and a shape; without one, int64 where it indexes,
                      else float32
    [bold]bool:8,16#37[/]      a mask with 37 True elements; without [bold]#[/] their number is a
                      symbol
    [bold]\[0,2,5][/] [bold]3[/] [bold]0.7[/]     a Python list, a number, or [bold]True[/], as if it stood in EXPR
    [bold]tensor(\[0,2,5])[/]   a tensor whose values are known; or [bold]uint8:tensor(3)[/]
    [bold]@model.pth:KEY[/]    a tensor in a .pt, .pth, .npy, .npz or .safetensors file,
    [bold]@logits.pt[/]        whose header alone is read; one tensor needs no KEY

    Exit code 1 where the library would raise, or --run disagrees; 3 where --run
    cannot be done. With --batch a library's error is an answer, and 1 says that
    a line could not be explained.

    Examples:

    [bold]segcli shapes 'src\[a, b, :]' src=8,16,3 a=4,5 b=4,5[/]
    [bold]segcli shapes 'x.argmax(dim=1)' x=2,3,4[/]
    [bold]segcli shapes 'y\[0, :, i]' y=2,3,4 i=2, --numpy[/]
    [bold]segcli shapes 'logits.argmax(1)\[:, ::2]' logits=N,19,H,W[/]
    [bold]segcli shapes 'x.mean((0, 2, 3))' x=@logits.pt[/]
    [bold]segcli shapes 'x.view(x.size(0), -1)' x=N,19,H,W[/]
    [bold]segcli shapes 'nn.Conv2d(3, 64, 7, stride=2, padding=3)(x)' x=N,3,H,W[/]
    [bold]segcli shapes --batch questions.jsonl -o answers.jsonl[/]
    """
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.shapes.explanation import explain
    from segcli.shapes.report import tables, trace_table
    from segcli.shapes.text.spec import split_specs

    lead = "numpy" if numpy else "torch"
    if batch is not None:
        _refuse_beside_batch(expr, output)
        _answer_batch(batch, lead, output, run=run)
        return
    if expr is None:
        from segcli.shapes.examples import explain_examples
        from segcli.shapes.report import example_tables

        _refuse_run_alone(run=run)
        examples = explain_examples(lead)
        emit("shapes", examples, lambda: example_tables(examples), output)
        return
    result = explain(expr.strip(), split_specs(specs or []), lead=lead)
    if run:
        _confirm(result, output)
    else:
        emit("shapes", result, lambda: tables(result), output, records=lambda: [trace_table(result)])
    if result.answer.error is not None:
        raise typer.Exit(ExitCode.NO)


def _confirm(result: "Explanation", output: "Output") -> None:
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.shapes.confirm import confirm, document
    from segcli.shapes.operations import is_known
    from segcli.shapes.report import confirmation_table, tables, trace_table
    from segcli.tensorrun import TensorRunner

    confirmation = confirm(result, TensorRunner(is_known))
    shown = document(result, confirmation)
    emit(
        "shapes",
        shown,
        lambda: [*tables(result), confirmation_table(result, confirmation)],
        output,
        records=lambda: [trace_table(result)],
    )
    _complain_of(result.expr, confirmation)
    if confirmation.agrees is None:
        raise typer.Exit(ExitCode.UNAVAILABLE)
    if not confirmation.agrees:
        raise typer.Exit(ExitCode.NO)


def _complain_of(expr: str, confirmation: "Confirmation") -> None:
    from segcli.emit import complain

    if confirmation.agrees is None:
        complain(f"{expr} was not confirmed: {confirmation.why}")
    elif not confirmation.agrees:
        complain(
            f"torch {confirmation.version} does not do what segcli says of {expr}: {confirmation.why}",
            hint="please report it with the command: segcli is wrong, or torch has changed",
        )


def _answer_batch(file: Path, lead: str, output: "Output", *, run: bool) -> None:
    from segcli.errors import ExitCode
    from segcli.jsonlines import read_lines, source_of_lines, to_line, write_lines
    from segcli.progress import progress
    from segcli.shapes.batch import MAX_LINE_BYTES, Tally, answer_lines
    from segcli.shapes.confirm import confirm, document
    from segcli.shapes.explanation import explain

    runner = None
    if run:
        from segcli.shapes.operations import is_known
        from segcli.tensorrun import TensorRunner

        runner = TensorRunner(is_known)
    tally = Tally()

    def answer(expr: str, bind: dict[str, str]) -> "Explanation | dict[str, Any]":
        result = explain(expr, bind, lead=lead)
        if runner is None:
            return result
        confirmation = confirm(result, runner)
        _complain_of(expr, confirmation)
        tally.disagreed += confirmation.agrees is False
        return document(result, confirmation)

    with (
        source_of_lines(file) as (source, size),
        progress("read", size, output, in_bytes=True, streams=True) as advance,
    ):
        results = answer_lines(read_lines(source, MAX_LINE_BYTES), answer, tally, advance)
        write_lines((to_line("shapes", result) for result in results), output.file, force=output.force)
    if tally.bugs:
        raise typer.Exit(ExitCode.BUG)
    if tally.refused or tally.disagreed:
        raise typer.Exit(ExitCode.NO)


def _refuse_beside_batch(expr: str | None, output: "Output") -> None:
    from segcli.errors import SegcliError

    if expr is not None:
        message = f"--batch takes its expressions from a file, so {expr[:60]!r} beside it has no place"
        raise SegcliError(message, hint="ask for one or the other")
    if output.csv or (output.file is not None and output.file.suffix.lower() == ".csv"):
        message = "--batch writes JSON lines, and has no CSV"
        raise SegcliError(message, hint="leave --csv out, and name the file answers.jsonl")


def _refuse_run_alone(*, run: bool) -> None:
    from segcli.errors import SegcliError

    if run:
        message = "--run confirms an expression, and none was given"
        raise SegcliError(message, hint="segcli shapes 'src[a, b, :]' src=8,16,3 a=4,5 b=4,5 --run")
