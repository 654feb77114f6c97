"""A checkpoint that is ready to be written, with what is known beforehand of the result."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segcli.ckpt.conversion.request import Request
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.copying import Advance

# Writes what is asked for, and returns how many bytes the file has.
Crossing = Callable[[Request], int]


class WriteFolder(Protocol):
    """Writes a folder, and returns how many bytes it has."""

    def __call__(self, request: Request, destination: Path, advance: Advance, *, force: bool) -> int:
        """Write it."""


@dataclass(frozen=True)
class Prepared:
    """How a checkpoint is written.

    Attributes:
        checkpoint: The checkpoint, with the ties that it has.
        write: Writes it, where one of torch's formats is not what is asked for.
        write_folder: The same for a folder.
        left_out, made_contiguous, slack_bytes, ties, repeated_bytes, untied, expanded: As in `Conversion`.
    """

    checkpoint: Checkpoint
    write: Crossing | None = None
    write_folder: WriteFolder | None = None
    left_out: tuple[str, ...] = ()
    made_contiguous: tuple[str, ...] = ()
    slack_bytes: int = 0
    ties: tuple[str, ...] = ()
    repeated_bytes: int = 0
    untied: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()
