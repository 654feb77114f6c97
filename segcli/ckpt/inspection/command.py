"""``segcli ckpt inspect``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.ckpt.inspection.listing import Inspection
    from segcli.emit import Output


@with_output
def inspect(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Checkpoints (zip, legacy, tar), DCP folders, .safetensors files, pickles."
        ),
    ],
    *,
    tree: Annotated[
        int | None,
        typer.Option("--tree", metavar="DEPTH", min=0, help="Sums for each module, so many dots down the keys."),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(
            "--grep", metavar="PATTERN", help="Only keys that contain it; with *, ? or [ in it: that are such a glob."
        ),
    ] = None,
    output: "Output",
) -> None:
    """List a checkpoint's tensors, other values, devices, and every name in its pickle.

    Only headers and the pickle are read, and nothing in it is run. Of several files --json is a document a line.

    Examples:

    [bold]segcli ckpt inspect model.pth[/]
    [bold]segcli ckpt inspect model.pth --tree 2[/]
    [bold]segcli ckpt inspect 'runs/*.ckpt' --grep '*.running_mean'[/]
    [bold]segcli ckpt inspect model.safetensors --json[/]
    """
    from segcli.ckpt.inspection.report import inspection_records, inspection_tables
    from segcli.ckpt.sources import matching
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.jsonlines import to_line, write_lines

    paths = [path for source in sources for path in matching(source)]
    found = _Answers(paths, grep, tree)
    is_json = output.json or (output.file is not None and output.file.suffix.lower() == ".json" and not output.csv)
    if len(paths) > 1 and is_json:
        write_lines((to_line("ckpt", one.document()) for one in found), output.file, force=output.force)
    else:
        results = list(found)
        document = results[0].document() if len(paths) == 1 and is_json else {}
        emit(
            "ckpt",
            document,
            lambda: [table for one in results for table in inspection_tables(one)],
            output,
            records=lambda: inspection_records(results),
        )
    if found.failed:
        raise typer.Exit(ExitCode.USAGE)


class _Answers:
    """Looks into files one after another; of several, those that cannot be read are told of and passed over."""

    def __init__(self, paths: list[Path], grep: str | None, depth: int | None) -> None:
        self._paths = paths
        self._grep = grep
        self._depth = depth
        self.failed = 0

    def __iter__(self) -> Iterator["Inspection"]:
        """Yield what each file holds."""
        from segcli.ckpt.inspection.listing import inspect as run
        from segcli.emit import complain
        from segcli.errors import SegcliError

        for path in self._paths:
            try:
                yield run(path, grep=self._grep, depth=self._depth)
            except SegcliError as error:
                if len(self._paths) == 1:
                    raise
                self.failed += 1
                complain(error.message, error.hint)
