"""Work on several checkpoints, one after another, into a folder; one that fails does not stop the others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from segcli.errors import ExitCode, SegcliError
from segcli.table import Column, Table

Done = TypeVar("Done")


@dataclass(frozen=True)
class Failure:
    """A checkpoint that nothing was made of, and why.

    Attributes:
        source: Its file or folder.
        message: What is wrong.
        hint: The way out.
        code: The exit code that it alone would have ended with.
    """

    source: Path
    message: str
    hint: str
    code: int


@dataclass(frozen=True)
class Batch(Generic[Done]):
    """What became of several checkpoints.

    Attributes:
        out_dir: The folder that they were written to.
        results: What was made of those that something was made of.
        failures: The others.
        dry_run: Whether nothing was written.
    """

    out_dir: Path
    results: tuple[Done, ...]
    failures: tuple[Failure, ...]
    dry_run: bool

    @property
    def code(self) -> int:
        """The exit code: the greatest of those of the failures."""
        return max((one.code for one in self.failures), default=int(ExitCode.DONE))


def destinations(sources: Sequence[Path], out_dir: Path, name_of: Callable[[Path, str], str]) -> dict[Path, Path]:
    """Return where in a folder each source goes; two that would go to one place are refused before any work is done.

    Args:
        sources: The checkpoints.
        out_dir: The folder.
        name_of: Gives the name of a source's destination, told of its path and of its own name.

    Raises:
        SegcliError: For two sources of one name, and a folder that does not exist.
    """
    if not out_dir.is_dir():
        message = f"there is no folder {out_dir}" if not out_dir.exists() else f"{out_dir} is no folder"
        raise SegcliError(message, hint=f"create it first: mkdir -p {out_dir}")
    taken: dict[str, Path] = {}
    found: dict[Path, Path] = {}
    for source in sources:
        # A link's own name, and not what it leads to, is the one that says something.
        name = name_of(source, source.name or source.resolve().name)
        # Some file systems take names that differ in case alone as one.
        first = taken.setdefault(name.lower(), source)
        if first is not source:
            message = f"{first} and {source} would both become {out_dir / name}"
            raise SegcliError(message, hint="take them one at a time, or into folders of their own")
        found[source] = out_dir / name
    return found


def each(sources: Iterable[Path], make: Callable[[Path], Done]) -> tuple[tuple[Done, ...], tuple[Failure, ...]]:
    """Make something of each source; return what was made, and what failed."""
    done: list[Done] = []
    failures: list[Failure] = []
    for source in sources:
        try:
            done.append(make(source))
        except SegcliError as error:
            failures.append(Failure(source, error.message, error.hint, int(error.code)))
    return tuple(done), tuple(failures)


def failure_table(failures: Sequence[Failure], done: str) -> Table:
    """Return what was wrong with each checkpoint that was not ``done``."""
    rows = [(str(one.source), f"{one.message}{f' ({one.hint})' if one.hint else ''}") for one in failures]
    return Table("failures", (Column("source"), Column(f"not {done}, since")), rows)
