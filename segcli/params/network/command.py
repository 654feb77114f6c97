"""``segcli params net``, ``segcli params module`` and ``segcli params file``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.counting.result import Network
    from segcli.emit import Output
    from segcli.params.network.claims import Claim


def _complete_networks(incomplete: str) -> list[str]:
    from segcli.nn.nets.registry import NETS

    return [name for name in NETS if name.startswith(incomplete)]


Claims = Annotated[
    list[str] | None,
    typer.Option(
        "--claim",
        metavar="WHAT=NUMBER",
        help="Check a printed figure: params=49M, macs=4.09G, flops=21.15G. Repeatable; 1 is returned if it is wrong.",
    ),
]
Depth = Annotated[int, typer.Option("--depth", min=0, help="How many levels of modules are shown.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw parameters against MACs to a .png, .svg or .pdf."),
]
LogDir = Annotated[
    Path | None, typer.Option("--log-dir", metavar="DIR", help="Write the graph of each network for TensorBoard.")
]
Size = Annotated[str | None, typer.Option("--size", metavar="HxW", help="Height and width of the input.")]
Batch = Annotated[int, typer.Option("--batch", metavar="N", help="Images in a batch.")]


@with_output
def net(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Networks; a list of them if none.", autocompletion=_complete_networks),
    ] = None,
    *,
    size: Size = None,
    batch: Batch = 1,
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="N", help="How many classes; the network's own if not given.")
    ] = None,
    depth: Depth = 2,
    claim: Claims = None,
    plot: Plot = None,
    log_dir: LogDir = None,
    output: "Output",
) -> None:
    """Count parameters, MACs and receptive fields of known networks; several are compared.

    Nothing is downloaded and no memory is taken: the networks run on tensors that have shapes alone.

    Examples:

    [bold]segcli params net[/]                                          which there are
    [bold]segcli params net bisenet_v2 --size 1024x2048[/]
    [bold]segcli params net resnet18 resnet50 resnet101[/]              side by side
    [bold]segcli params net bisenet_v1 --claim params=49M[/]            is what the paper says true?
    """
    from segcli.emit import emit
    from segcli.params.network.asked import check_names, listed
    from segcli.params.network.claims import parse_claim
    from segcli.params.network.report import list_table
    from segcli.params.network.values import check_count, parse_image_size

    asked = None if size is None else parse_image_size(size)
    claims = [parse_claim(text) for text in claim or ()]
    _check(plot, log_dir, output)
    if not names:
        rows = listed()
        emit("params", {"names": [row[0] for row in rows]}, lambda: [list_table(rows)], output)
        return
    check_count(batch, "--batch")
    check_count(classes, "--classes")
    checked = check_names(names, asked)
    with _needing_torch():
        from segcli.counting.asking import count_registered

    networks = [count_registered(name, asked, batch=batch, classes=classes) for name in checked]
    _answer(networks, claims, depth, (plot, log_dir), output)


@with_output
def module(
    factory: Annotated[
        str, typer.Argument(metavar="PKG.MOD:FACTORY", help="A class or function, found from here or installed.")
    ],
    *,
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", metavar="KEY=VALUE", help="What it is called with: numbers, true, null, [1, 2], text."),
    ] = None,
    size: Size = None,
    batch: Batch = 1,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="SHAPE[:DTYPE]", help="A whole input, such as 1x3x64x64 or 2x128:int64. Repeatable."
        ),
    ] = None,
    depth: Depth = 2,
    claim: Claims = None,
    plot: Plot = None,
    log_dir: LogDir = None,
    output: "Output",
) -> None:
    """Count parameters, MACs and receptive fields of a network of your own.

    It is built and run on tensors that have shapes and no memory, in training and in evaluation.

    Examples:

    [bold]segcli params module torchvision.models:resnet50[/]
    [bold]segcli params module mynet.model:Net --arg n_classes=19 --size 512x1024 --depth 3[/]
    [bold]segcli params module mynet:TwoStream --input 1x3x384x384 --input 1x3x384x384[/]
    """
    from segcli.params.network.asked import inputs_of
    from segcli.params.network.claims import parse_claim
    from segcli.params.network.values import parse_arguments

    shapes = inputs_of(size, batch, inputs or ())
    claims = [parse_claim(text) for text in claim or ()]
    _check(plot, log_dir, output)
    arguments = parse_arguments(arg or ())
    with _needing_torch():
        from segcli.counting.asking import count_factory

    _answer([count_factory(factory, arguments, shapes)], claims, depth, (plot, log_dir), output)


@with_output
def file(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CKPT", help="A checkpoint, .safetensors file or folder of a distributed one.")
    ],
    *,
    depth: Depth = 2,
    output: "Output",
) -> None:
    """Count what a checkpoint holds, module by module, from its header alone and without torch.

    Examples:

    [bold]segcli params file model.pth[/]
    [bold]segcli params file model.safetensors --depth 3[/]
    """
    from segcli.emit import emit
    from segcli.params.network.report import stored_records, stored_tables
    from segcli.params.network.stored import read_stored

    result = read_stored(checkpoint, depth)
    emit("params", result, lambda: stored_tables(result), output, records=lambda: stored_records(result))


@contextmanager
def _needing_torch() -> Iterator[None]:
    """Say that torch is missing, where it is: layers and files are counted without it."""
    from segcli.errors import ExitCode, SegcliError

    try:
        yield
    except ImportError as error:
        message = f"counting networks takes torch, which cannot be imported: {error}"
        raise SegcliError(message, hint="pip install torch", code=ExitCode.UNAVAILABLE) from error


def _check(plot: Path | None, log_dir: Path | None, output: "Output") -> None:
    """Refuse what cannot be written before the work, not after it."""
    from segcli.charts import check_chart
    from segcli.tensorboard import check_folder

    if log_dir is not None:
        check_folder(log_dir)
    if plot is not None:
        check_chart(plot, force=output.force)


def _answer(
    networks: "Sequence[Network]",
    claims: "Sequence[Claim]",
    depth: int,
    written: tuple[Path | None, Path | None],
    output: "Output",
) -> None:
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.params.network.asked import document, published_size
    from segcli.params.network.claims import judge
    from segcli.params.network.report import network_records, network_tables

    verdicts = [judge(claim, network, published_size(network.name)) for network in networks for claim in claims]
    plot, log_dir = written
    if log_dir is not None:
        _write_graphs(networks, log_dir)
    if plot is not None:
        from segcli.params.network.plot import plot_networks

        plot_networks(plot, networks, depth=depth, force=output.force)
    emit(
        "params",
        document(networks, verdicts, depth),
        lambda: network_tables(networks, verdicts, depth),
        output,
        records=lambda: network_records(networks, depth),
    )
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(ExitCode.NO)


def _write_graphs(networks: "Sequence[Network]", log_dir: Path) -> None:
    """Write a run for each network: TensorBoard shows one graph a run."""
    import re

    from segcli.tensorboard import event_writer

    for network in networks:
        # A factory's colon and dots are no good name of a folder.
        with event_writer(log_dir / re.sub(r"[^\w.-]", "_", network.name)) as events:
            events.graph([(one.name, one.op, one.reads, one.shape) for one in network.graph])
