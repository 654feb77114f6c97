"""Several checkpoints stripped of the same, into a folder; one that fails does not stop the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcli.ckpt.batch import Failure, destinations, each, worst_code
from segcli.ckpt.stripping.strip import Advance, Strip, Wish, check_wish, strip
from segcli.formats.dcp_folder import is_dcp


@dataclass(frozen=True)
class StripBatch:
    """What became of several checkpoints.

    Attributes:
        out_dir: The folder that they were written to.
        strips: Those that were stripped.
        failures: Those that were not.
        dry_run: Whether nothing was written.
    """

    out_dir: Path
    strips: tuple[Strip, ...]
    failures: tuple[Failure, ...]
    dry_run: bool

    @property
    def code(self) -> int:
        """The exit code: the greatest of those of the failures."""
        return worst_code(self.failures)


def strip_all(
    sources: Sequence[Path], out_dir: Path, wish: Wish, *, dry_run: bool, force: bool, advance: Advance
) -> StripBatch:
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

    def one(source: Path, destination: Path) -> Strip:
        return strip(source, destination, wish, dry_run=dry_run, force=force, advance=advance)

    strips, failures = each(destinations(sources, out_dir, _name_of), one)
    return StripBatch(out_dir, strips, failures, dry_run)


def _name_of(source: Path, name: str) -> str:
    return f"{name.removesuffix('.dcp')}.pth" if is_dcp(source) else name
