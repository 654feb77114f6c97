"""Several checkpoints stripped of the same, into a folder; one that fails does not stop the others."""

from collections.abc import Sequence
from pathlib import Path

from segcli.ckpt.batch import Batch, destinations, each
from segcli.ckpt.stripping.strip import Advance, Strip, Wish, check_wish, strip
from segcli.formats.dcp_folder import is_dcp


def strip_all(
    sources: Sequence[Path], out_dir: Path, wish: Wish, *, dry_run: bool, force: bool, advance: Advance
) -> Batch[Strip]:
    """Strip checkpoints into a folder, where they keep their names; what was a folder becomes a ``.pth``.

    Args:
        sources: The checkpoints, as `expand` returns them.
        out_dir: The folder.
        wish: As for `strip`, like the rest.
        dry_run: Whether nothing is written.
        force: Whether to replace destinations that exist.
        advance: Told of bytes as they are written.

    Raises:
        SegcliError: Before anything is written: for a wish that is empty, two sources of one name, and a folder that
            does not exist.
    """
    check_wish(wish)

    places = destinations(sources, out_dir, _name_of)

    def one(source: Path) -> Strip:
        return strip(source, places[source], wish, dry_run=dry_run, force=force, advance=advance)

    results, failures = each(places, one)
    return Batch(out_dir, results, failures, dry_run)


def _name_of(source: Path, name: str) -> str:
    return f"{name.removesuffix('.dcp')}.pth" if is_dcp(source) else name
