"""The options that several commands of ckpt have, declared once."""

from pathlib import Path
from typing import Annotated, Any

import typer

OutDir = Annotated[
    Path | None,
    typer.Option("--out-dir", metavar="DIR", help="Write there, under the same names; one failure stops no other."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]


def keys_option(meaning: str) -> Any:  # noqa: ANN401 - what typer declares options with
    """Return what declares ``--keys`` GLOB, where the keys that are meant are for something else each time."""
    return typer.Option("--keys", metavar="GLOB", help=f"{meaning} Repeatable.")
