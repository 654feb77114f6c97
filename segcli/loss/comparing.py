"""What other projects make of the files: of each its own reasons, of many how much each reason moves the mean."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segcli.loss.result import ProjectFigure

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.projects import ProjectSettings
    from segcli.loss.settings import LossSettings

Entry = Mapping[str, Any]


def project_entries(
    projects: Sequence[str],
    losses: Sequence[str],
    logits: "Tensor",
    labels: "Tensor",
    mode: str,
    settings: "LossSettings",
) -> list[dict[str, Any]]:
    """Return what projects say of one file, as plain data for its line.

    Args:
        projects: Their names.
        losses: Which losses; those that a project has.
        logits: (N, C, *S), or (N, *S) for binary.
        labels: (N, *S).
        mode: ``multiclass`` or ``binary``.
        settings: With which parameters.

    Raises:
        ValueError: For settings out of range.
    """
    from segcli.loss.projects import Reads, values_of_reads

    # What is the default of most would drown generalized Dice's weights: asked by itself, as our own.
    others = tuple(loss for loss in losses if loss != "generalized-dice")
    asked = [_asked(others, mode, settings, 1.0)] if others else []
    asked += [_asked(("generalized-dice",), mode, settings, 0.0)] if "generalized-dice" in losses else []
    reads = [Reads(logits, labels, part) for part in asked]
    return [
        {
            "project": value.project,
            "loss": value.loss,
            "call": value.call,
            "value": None if math.isnan(value.value) else value.value,
            "ours": value.ours,
            "reasons": list(value.reasons),
            "steps": _deltas(value.ours, [(step.key, step.words, step.value) for step in value.steps]),
            "error": value.error,
            "remark": value.remark,
        }
        for project in projects
        for part in reads
        for value in values_of_reads(project, part)
    ]


def _asked(losses: tuple[str, ...], mode: str, settings: "LossSettings", smooth: float) -> "ProjectSettings":
    from segcli.loss.projects import ProjectSettings

    return ProjectSettings(
        mode="binary" if mode == "binary" else "multiclass",
        losses=losses,
        thresh=settings.thresh,
        n_min=settings.n_min,
        gamma=settings.gamma,
        alpha=settings.alpha,
        smooth=smooth if settings.smooth is None else settings.smooth,
        squared=settings.squared,
        reduce=settings.reduce,
        absent=settings.absent,
        tversky_alpha=settings.tversky_alpha,
        tversky_beta=settings.tversky_beta,
        ignore_index=settings.ignore_index,
    )


def _deltas(start: float, steps: Iterable[tuple[str, str, float]]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for key, words, value in steps:
        found.append([key, words, None if math.isnan(value) else value - start])
        start = value
    return found


@dataclass
class Comparison:
    """One loss of one project over files.

    Attributes:
        first: The first file's entry.
        n_files: How many files there were.
        n_values: In how many of them the project has a number.
        value: The sum of these.
        ours: The sum of ours of the same files.
        ours_of_all: That of all files.
        errors: In how many files what was there in place of a number, and why.
        steps: For each convention, in how many files it changes the number, by how much in all, and the words of one.
    """

    first: Entry
    n_files: int = 0
    n_values: int = 0
    value: float = 0.0
    ours: float = 0.0
    ours_of_all: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    steps: dict[str, tuple[int, float, str]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take a file's entry."""
        self.n_files += 1
        self.ours_of_all += entry["ours"] or 0.0
        if entry["value"] is None or entry["ours"] is None:
            error = _why(entry)
            self.errors[error] = self.errors.get(error, 0) + 1
            return
        self.n_values += 1
        self.value += entry["value"]
        self.ours += entry["ours"]
        for key, words, delta in entry["steps"]:
            count, total, known = self.steps.get(key, (0, 0.0, words))
            self.steps[key] = count + 1, total + (delta or 0.0), known

    def merge(self, other: "Comparison") -> None:
        """Take what another process compared."""
        self.n_files += other.n_files
        self.n_values += other.n_values
        self.value += other.value
        self.ours += other.ours
        self.ours_of_all += other.ours_of_all
        for error, count in other.errors.items():
            self.errors[error] = self.errors.get(error, 0) + count
        for key, (count, total, words) in other.steps.items():
            known, sums, first = self.steps.get(key, (0, 0.0, words))
            self.steps[key] = known + count, sums + total, first

    def figure(self) -> ProjectFigure:
        """Return the means, with reasons: of one file as they are, of many by how far each moves the mean."""
        first = self.first
        shared = {"project": first["project"], "loss": first["loss"], "call": first["call"], "remark": first["remark"]}
        if self.n_files == 1:
            reasons, error = tuple(first["reasons"]), first["error"]
            return ProjectFigure(value=first["value"], ours=first["ours"], reasons=reasons, error=error, **shared)
        reasons = tuple(self._reason(*step) for step in self.steps.values())
        errors = "; ".join(f"{error} in {count} of {self.n_files} files" for error, count in self.errors.items())
        n = self.n_values
        value, ours = (self.value / n, self.ours / n) if n else (None, self.ours_of_all / self.n_files)
        return ProjectFigure(value=value, ours=ours, reasons=reasons, error=errors, **shared)

    def _reason(self, count: int, total: float, words: str) -> str:
        alike = f"and alike in {count - 1} more" if count > 1 else "in one file"
        return f"{words} ({alike}): {total / self.n_values:+.6g} in the mean"


def _why(entry: Entry) -> str:
    """Return what is there in place of a number, and where it is known the convention that makes it so."""
    error = entry["error"] or "no number"
    # The last step is the one that there is no number after.
    words = [words for _, words, delta in entry["steps"][-1:] if delta is None]
    return f"{words[0]}: {error}" if words else str(error)


# A project may have several forms of a loss: they come in the same order of every file.
Comparisons = dict[tuple[str, str, int], Comparison]


def add_comparisons(comparisons: Comparisons, entries: Iterable[Entry]) -> None:
    """Add a file's entries."""
    forms: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = entry["project"], entry["loss"]
        forms[key] = forms.get(key, 0) + 1
        comparisons.setdefault((*key, forms[key]), Comparison(entry)).add(entry)
