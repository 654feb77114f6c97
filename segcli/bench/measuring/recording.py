"""What is known of a group of kernels while a run goes on: samples of each pass, and what became of each kernel."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from segcli.bench.measuring.conditions import Caches, Condition
from segcli.bench.measuring.sampling import Sampling, pooled
from segcli.bench.results import Reference, Result, Status, timed, untimed, with_standing

if TYPE_CHECKING:
    from segcli.bench.ceilings.ceiling import Ceilings
    from segcli.bench.kernel import Kernel
    from segcli.bench.measuring.correctness import Prepared
    from segcli.bench.plan import Group

INTERRUPTED = "interrupted before it had enough samples"
NO_TIME = "the time budget was spent before"


@dataclass
class Entry:
    """A kernel of the group.

    Attributes:
        kernel: The kernel.
        status: What became of it; ``SKIPPED`` until it is known to be right.
        reason: Why it is not timed.
        error: Of its answer.
        tolerance: What that may be.
        peak_bytes: The most memory that a call holds.
        samplings: What each pass has measured, by condition.
        timers: What was read, in words, by condition.
    """

    kernel: "Kernel"
    status: Status = Status.SKIPPED
    reason: str = NO_TIME
    error: float | None = None
    tolerance: float | None = None
    peak_bytes: int | None = None
    samplings: dict[Condition, list[Sampling]] = field(default_factory=dict)
    timers: dict[Condition, str] = field(default_factory=dict)

    def judge(self, prepared: "Prepared") -> None:
        """Take what the comparison with float64 has shown."""
        self.status = Status.WRONG if prepared.reason else Status.TIMED
        self.reason, self.error, self.tolerance = prepared.reason, prepared.error, prepared.tolerance

    def fail(self, error: Exception) -> None:
        """Take what the kernel raised."""
        self.status, self.reason = words_of(error)
        self.samplings.clear()

    def agree(self, agree: Callable[[Any], list[Any]]) -> bool:
        """Return whether the kernel is to be timed: where several ranks time it, if it is right on all of them."""
        views: list[tuple[Status, str]] = agree((self.status, self.reason))
        self.status, self.reason = next((view for view in views if view[0] is not Status.TIMED), views[0])
        return self.is_right

    @property
    def is_right(self) -> bool:
        """Whether it is to be timed."""
        return self.status is Status.TIMED

    def add(self, condition: Condition, sampling: Sampling) -> None:
        """Take what a pass has measured."""
        if sampling.error is not None:
            self.fail(sampling.error)
        else:
            self.samplings.setdefault(condition, []).append(sampling)


@dataclass
class Record:
    """A group and what is known of it.

    Attributes:
        group: The group.
        device: Where it runs.
        least_samples: With fewer, what Ctrl-C has left is not shown.
        entries: One a kernel.
        references: Of the reference workload, what each pass has measured, by name and condition.
    """

    group: "Group"
    device: str
    least_samples: int
    entries: list[Entry] = field(init=False)
    references: dict[tuple[str, Condition], list[Sampling]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = [Entry(kernel) for kernel in self.group.kernels]

    @property
    def right(self) -> list[Entry]:
        """The kernels that are to be timed."""
        return [entry for entry in self.entries if entry.is_right]

    @property
    def is_timed(self) -> bool:
        """Whether any pass has measured anything."""
        return any(entry.samplings for entry in self.entries)

    def blocks(self, condition: Condition, entries: Sequence[Entry], names: Sequence[str]) -> list[int | None]:
        """Return the calls a block, of kernels and then of the reference workload, where they are known.

        An earlier pass has found them. Cold calls are timed each by itself.
        """
        if condition.caches is Caches.COLD:
            return [1] * (len(entries) + len(names))
        known = [*(entry.samplings.get(condition) for entry in entries)]
        known += [self.references.get((name, condition)) for name in names]
        return [found[-1].calls if found else None for found in known]

    def results(self, ceilings: "Ceilings | None" = None, *, is_interrupted: bool = False) -> Iterator[Result]:
        """Give a result for each kernel under each condition, condition by condition."""
        for condition in self.group.conditions:
            for entry in self.entries:
                yield self.result(entry, condition, ceilings, is_interrupted=is_interrupted)

    def result(
        self, entry: Entry, condition: Condition, ceilings: "Ceilings | None" = None, *, is_interrupted: bool = False
    ) -> Result:
        """Return what is known of one kernel under one condition."""
        samplings = entry.samplings.get(condition, [])
        bare = untimed(self.group, entry.kernel, self.device, entry.status, entry.reason, condition)
        bare = replace(bare, error=entry.error, tolerance=entry.tolerance, peak_bytes=entry.peak_bytes)
        if self._is_enough(samplings):
            found = timed(replace(bare, timer=entry.timers[condition]), samplings)
            return with_standing(found, entry.kernel, self.group.case, ceilings)
        if entry.status in (Status.TIMED, Status.SKIPPED):
            return replace(bare, status=Status.SKIPPED, reason=INTERRUPTED if is_interrupted else NO_TIME)
        return bare

    def _is_enough(self, samplings: Sequence[Sampling]) -> bool:
        if not any(each.samples_s for each in samplings):
            return False
        found = pooled(samplings)
        return found.stopped != "interrupt" or len(found.samples_s) >= self.least_samples

    def add_reference(self, name: str, condition: Condition, sampling: Sampling) -> None:
        """Take what a pass has measured of the reference workload."""
        self.references.setdefault((name, condition), []).append(sampling)

    def reference_results(self) -> Iterator[Reference]:
        """Give the samples of the reference workload under each condition."""
        for (name, condition), samplings in self.references.items():
            found = pooled(samplings)
            if found.samples_s:
                yield Reference(
                    workload=name,
                    suite=self.group.suite.name,
                    mode=self.group.mode.value,
                    size=self.group.case.size,
                    dtype=self.group.case.dtype,
                    device=self.device,
                    caches=condition.caches.value,
                    span=condition.span.value,
                    samples_s=found.samples_s,
                    passes=tuple(len(each.samples_s) for each in samplings),
                )


def words_of(error: Exception) -> tuple[Status, str]:
    """Tell what torch lacks from what went wrong, and keep its first line.

    Examples:
        >>> words_of(RuntimeError("not implemented for 'Half'"))
        (<Status.UNSUPPORTED: 'unsupported'>, "not implemented for 'Half'")
    """
    words = str(error).strip().partition("\n")[0]
    lacks = isinstance(error, NotImplementedError) or any(
        lack in words.lower() for lack in ("not implemented", "not support", "unsupported")
    )
    return Status.UNSUPPORTED if lacks else Status.FAILED, words
