"""Several checkpoints verified, one after another; one that cannot be read does not stop the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcli.ckpt.batch import Failure, each
from segcli.ckpt.verification.verifying import Advance, Verification, verify
from segcli.errors import ExitCode


@dataclass(frozen=True)
class Verifications:
    """What is known of several checkpoints.

    Attributes:
        ok: Whether all of them could be read, are whole and safe to load.
        files: What is known of each.
        failures: Those that could not be read.
    """

    ok: bool
    files: tuple[Verification, ...]
    failures: tuple[Failure, ...]

    @property
    def code(self) -> int:
        """The exit code: the greatest of those of the failures; else whether all are whole."""
        return max((one.code for one in self.failures), default=int(ExitCode.DONE if self.ok else ExitCode.NO))


def verify_all(
    sources: Sequence[Path], *, values: bool = False, allow: Collection[str] = (), advance: Advance | None = None
) -> Verifications:
    """Verify checkpoints.

    Args:
        sources: Their files and folders, as `expand` returns them.
        values: As for `verify`, like the rest.
        allow: Names that pickles may have.
        advance: Told of bytes as they are read.
    """
    files, failures = each(sources, lambda source: verify(source, values=values, allow=allow, advance=advance))
    return Verifications(not failures and all(one.ok for one in files), files, failures)
