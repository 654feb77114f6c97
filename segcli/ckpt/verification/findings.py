"""What is found wrong, or worth knowing, in a checkpoint."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from segcli.errors import SegcliError

# A file made to fill the terminal has many.
MAX_FINDINGS = 10_000


class Severity(StrEnum):
    """What follows from a finding."""

    ERROR = "error"
    """The file is damaged, is no checkpoint, or is not safe to load."""
    WARNING = "warning"
    """It loads, but not in every way, or holds what it hardly should."""
    NOTE = "note"
    """Something that could not be checked, or is only unusual."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them.

    Attributes:
        severity: What follows from it.
        what: The fact.
        where: The record, key or name that it is about; empty where it is about the whole file.
    """

    severity: Severity
    what: str
    where: str


class Findings:
    """Gathers findings, each once.

    Attributes:
        hints: Ways out, in the order in which they came up.
    """

    def __init__(self, name: str) -> None:
        """Start without any; ``name`` is how errors call the file."""
        self._name = name
        self._found: dict[Finding, None] = {}
        self._dropped = 0
        self.hints: list[str] = []

    def add(self, severity: Severity, what: str, where: str = "") -> None:
        """Take note of a fact."""
        finding = Finding(severity, what, where)
        if len(self._found) < MAX_FINDINGS or finding in self._found:
            self._found[finding] = None
        else:
            self._dropped += 1

    def complain(self, error: SegcliError, where: str = "") -> None:
        """Take note of what a reader would have refused."""
        what = error.message.removeprefix(f"{self._name} is damaged: ").removeprefix(f"{self._name} is ")
        self.add(Severity.ERROR, what, where)
        self.suggest(error.hint)

    def without(self, places: Collection[str]) -> Callable[[SegcliError, str], None]:
        """Return what complains of other places only."""

        def complain(error: SegcliError, where: str) -> None:
            if where not in places:
                self.complain(error, where)

        return complain

    def suggest(self, hint: str) -> None:
        """Take note of a way out."""
        if hint and hint not in self.hints:
            self.hints.append(hint)

    def listed(self) -> tuple[Finding, ...]:
        """Return all of them, the gravest first."""
        more = Finding(Severity.ERROR, f"and {self._dropped:,} more, which are not listed", "")
        order = list(Severity)
        found = sorted(self._found, key=lambda finding: order.index(finding.severity))
        return (*found, *([more] if self._dropped else []))
