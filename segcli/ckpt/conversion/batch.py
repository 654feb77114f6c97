"""Conversions of several checkpoints into a folder; one that fails does not stop the others."""

from collections.abc import Sequence
from pathlib import Path

from segcli.ckpt.batch import Batch, destinations, each
from segcli.ckpt.conversion.converting import convert
from segcli.ckpt.conversion.recipe import Recipe
from segcli.ckpt.conversion.result import Conversion
from segcli.ckpt.conversion.target import asked_for, name_for
from segcli.formats.copying import Advance
from segcli.formats.dcp_folder import is_dcp
from segcli.formats.sniff import Kind


def convert_all(
    sources: Sequence[Path],
    out_dir: Path,
    to: str | None = None,
    *,
    file_format: str | None = None,
    recipe: Recipe,
    force: bool = False,
    advance: Advance,
) -> Batch[Conversion]:
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

    places = destinations(sources, out_dir, name_of)

    def one(source: Path) -> Conversion:
        return convert(source, places[source], to, file_format=file_format, recipe=recipe, force=force, advance=advance)

    results, failures = each(places, one)
    return Batch(out_dir, results, failures, recipe.dry_run)
