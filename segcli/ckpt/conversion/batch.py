"""Conversions of several checkpoints into a folder; one that fails does not stop the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcli.ckpt.batch import Failure, destinations, each, worst_code
from segcli.ckpt.conversion.converting import convert
from segcli.ckpt.conversion.recipe import Recipe
from segcli.ckpt.conversion.result import Conversion
from segcli.ckpt.conversion.target import asked_for, name_for
from segcli.formats.copying import Advance
from segcli.formats.dcp_folder import is_dcp
from segcli.formats.sniff import Kind


@dataclass(frozen=True)
class Batch:
    """What became of several checkpoints.

    Attributes:
        out_dir: The folder that they were written to.
        conversions: Those that were converted.
        failures: Those that were not.
        dry_run: Whether nothing was written.
    """

    out_dir: Path
    conversions: tuple[Conversion, ...]
    failures: tuple[Failure, ...]
    dry_run: bool

    @property
    def code(self) -> int:
        """The exit code: the greatest of those of the failures."""
        return worst_code(self.failures)


def convert_all(
    sources: Sequence[Path],
    out_dir: Path,
    to: str | None = None,
    *,
    file_format: str | None = None,
    recipe: Recipe,
    force: bool = False,
    advance: Advance,
) -> Batch:
    """Convert checkpoints into a folder, where they keep their names, but for the ending of another format.

    Args:
        sources: The checkpoints, as `expand` returns them.
        out_dir: The folder.
        to: As for `convert`, like the rest.
        file_format: Left out, each keeps its own format.
        recipe: What else shall change.
        force: Whether to replace destinations that exist.
        advance: Told of bytes as they are written.

    Raises:
        SegcliError: Before anything is written: for two sources of one name, and a folder that does not exist.
    """
    asked = asked_for(Path(), file_format)

    def name_of(source: Path, name: str) -> str:
        if asked or is_dcp(source):
            return name_for(name if asked else f"{name}.dcp", asked or Kind.ZIP)
        return name

    def one(source: Path, destination: Path) -> Conversion:
        return convert(source, destination, to, file_format=file_format, recipe=recipe, force=force, advance=advance)

    conversions, failures = each(destinations(sources, out_dir, name_of), one)
    return Batch(out_dir, conversions, failures, recipe.dry_run)
