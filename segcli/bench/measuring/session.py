"""The walk over groups, pass by pass: draw tensors, compare with float64, time what is right, keep to the budget."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from segcli.bench.ceilings.ceiling import Ceilings, better, differing
from segcli.bench.kernel import Case, Mode, Suite
from segcli.bench.measuring.conditions import Caches
from segcli.bench.measuring.correctness import prepare, rework
from segcli.bench.measuring.recording import Entry, Record
from segcli.bench.measuring.sampling import Course, Rule, measure
from segcli.bench.measuring.workload import raised_by
from segcli.bench.results import Reference, Result, with_speedups

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.conditions import Condition
    from segcli.bench.measuring.instruments import Instruments
    from segcli.bench.measuring.timer import Work
    from segcli.bench.plan import Group, Request

# With torch's import and the comparisons, five seconds on two cores.
_FIRST_NS = 1_000_000_000
# Of the budget, what drawing tensors and making kernels anew may take; the fewest passes that tell drift from noise.
_MAKING_SHARE = 0.25
_LEAST_PASSES = 3
# Ceilings are measured at both ends of a run, and again where the two best do not agree.
_MOST_CEILINGS = 4
_T = TypeVar("_T")
_Drawn = tuple[tuple[str, Case], Mapping[str, "torch.Tensor"]]


def steps_of(groups: Sequence["Group"], passes: int) -> int:
    """Return how many steps a session counts: a kernel is one when it has been compared, and one more a pass."""
    return (1 + passes) * sum(len(group.kernels) for group in groups)


@dataclass
class Session:
    """A run in the making.

    Attributes:
        request: What was asked for.
        device: Where the kernels run.
        instruments: What measures.
        rule: When enough is enough, in each pass.
        advance: Called with the steps done.
        found: Called with each result as far as it is known, again after each pass.
        interrupted: Whether Ctrl-C came.
        ceilings: What the device can do at most, as far as it was measured.
    """

    request: "Request"
    device: "torch.device"
    instruments: "Instruments"
    rule: Rule
    advance: Callable[[int], None]
    found: Callable[[Result], None] = lambda _: None
    interrupted: bool = False
    ceilings: Ceilings | None = None
    _records: list[Record] = field(default_factory=list)
    _pass: int = 0
    _passes: int = 0
    _promised: int = 0
    _making_ns: int = 0
    _comparing_ns: int = 0
    _measured: list[Ceilings] = field(default_factory=list)
    _end_ns: int = 0
    _works_to_come: int = 0
    _drawn: _Drawn | None = None
    _workload: Mapping[str, "Work"] | None = None

    def run(self, groups: Sequence["Group"]) -> None:
        """Time every group in every pass, sharing out what is left of the budget by what is still to come."""
        self._end_ns = self._now_ns() + round(self.request.budget_s * 1e9)
        self._records = [Record(group, str(self.device), self.rule.min_samples) for group in groups]
        self._passes = self.request.passes
        self._works_to_come = self._passes * sum(_works(group) for group in groups)
        try:
            self._walk()
            self._drawn = self._workload = None
            # Again: what disturbs a ceiling only lowers it.
            self._measure_ceilings()
            while self.differing and len(self._measured) < _MOST_CEILINGS and not self.interrupted:
                self._measure_ceilings()
            if self.ceilings is not None:
                # It was timed all along, and most often undisturbed.
                self.ceilings = raised_by(self.ceilings, self.references())
        except KeyboardInterrupt:
            # Between two kernels, where nothing is lost by it.
            self.interrupted = True

    def _walk(self) -> None:
        self._walk_groups()
        while not self.interrupted and self._left_ns() and self.passes < self._passes:
            self._promised += self._least()
            self._pass += 1
            self._renew()
            self._walk_groups()
            if self._pass == 1:
                self._limit_passes()
        if not self.interrupted:
            self.advance((self.request.passes - self.passes) * sum(len(record.entries) for record in self._records))

    def _walk_groups(self) -> None:
        for place, record in enumerate(self._records):
            if self.interrupted:
                return
            is_first = self._pass == place == 0
            # The first group is timed however small the budget: a run always says something.
            if self._left_ns() or is_first:
                self._visit(record)
            else:
                self.advance(len(record.entries) * (1 + (self._pass == 0)))
            self._works_to_come -= _works(record.group)
            if is_first:
                # Only now: somebody waits for the first result.
                self._measure_ceilings()

    def _limit_passes(self) -> None:
        """Plan only as many passes as leave most of the time to timing, now that it is known what one takes to make."""
        affordable = round(_MAKING_SHARE * self._left_ns()) // max(1, self._making_ns)
        self._passes = min(self._passes, max(_LEAST_PASSES, self.passes + affordable))
        self._works_to_come = (self._passes - self.passes) * sum(_works(record.group) for record in self._records)

    def _measure_ceilings(self) -> None:
        """Measure what the device can do, beside the budget; of several measurements keep the best."""
        if self.instruments.ceilings is None or self.interrupted:
            return
        start_ns = self._now_ns()
        dtypes = tuple(dict.fromkeys(record.group.case.dtype for record in self._records))
        try:
            found = self.instruments.ceilings(dtypes)
        except KeyboardInterrupt:
            self.interrupted = True
        else:
            self._measured.append(found)
            self.ceilings = found if self.ceilings is None else better(self.ceilings, found)
        self._end_ns += self._now_ns() - start_ns

    @property
    def passes(self) -> int:
        """How many passes were begun."""
        return self._pass + 1

    @property
    def comparing_s(self) -> float:
        """What comparing with float64 took."""
        return self._comparing_ns / 1e9

    @property
    def differing(self) -> str:
        """The ceilings on which measurements do not agree, in words."""
        return differing(self._measured)

    def results(self) -> list[Result]:
        """Return a result for each kernel under each condition, group by group, as far as the run has come."""
        of_records = (record.results(self.ceilings, is_interrupted=self.interrupted) for record in self._records)
        return with_speedups(list(chain.from_iterable(of_records)))

    def references(self) -> list[Reference]:
        """Return what was measured of the reference workload."""
        return [reference for record in self._records for reference in record.reference_results()]

    def _renew(self) -> None:
        """Forget the tensors of the pass before and give back their memory: the next pass shall get other."""
        self._drawn = self._workload = None
        self.instruments.renew_memory()

    def _visit(self, record: Record) -> None:
        import torch

        try:
            with torch.set_grad_enabled(record.group.mode is Mode.TRAINING):
                start_ns = self._now_ns()
                works = list(self._rework(record) if self._pass else self._compare(record))
                made_ns = self._now_ns()
                if self._pass:
                    self._making_ns += made_ns - start_ns
                else:
                    self._comparing_ns += made_ns - start_ns
                # Only now: what a slow comparison took is missing to all groups alike.
                self._time(record, works, made_ns + self._share_ns(record))
        except KeyboardInterrupt:
            self.interrupted = True
        else:
            self.advance(len(record.entries))

    def _share_ns(self, record: Record) -> int:
        """Return the part of what is left that is a group's."""
        share_ns = round(self._left_ns() * _works(record.group) / self._works_to_come)
        # The very first one hurries, since somebody waits for it; it gets the more in the passes after.
        hurries = self.request.passes > 1 and not any(each.is_timed for each in self._records)
        return min(share_ns, _FIRST_NS) if hurries else share_ns

    def _compare(self, record: Record) -> Iterator[tuple[Entry, "Work"]]:
        """Give the kernels that answer right, with their work."""
        tensors = self._tensors(record.group)
        for entry in record.entries:
            # One is compared however small the budget.
            if self._left_ns() or not record.right:
                prepared = _attempt(entry, partial(prepare, entry.kernel, record.group.mode, tensors))
                if prepared is not None:
                    entry.judge(prepared)
                if entry.agree(self.instruments.agree) and prepared is not None:
                    entry.peak_bytes = _attempt(entry, partial(self.instruments.peak_bytes, prepared.work))
                    yield entry, prepared.work
            self.advance(1)

    def _rework(self, record: Record) -> Iterator[tuple[Entry, "Work"]]:
        tensors = self._tensors(record.group)
        for entry in record.right:
            work = _attempt(entry, partial(rework, entry.kernel, record.group.mode, tensors))
            if work is not None and record.group.conditions[0].caches is Caches.COLD:
                # A hot sample follows an untimed call; a cold one would see memory that was never touched.
                _attempt(entry, work)
            if entry.agree(self.instruments.agree) and work is not None:
                yield entry, work

    def _time(self, record: Record, works: list[tuple[Entry, "Work"]], deadline_ns: int) -> None:
        if not works:
            return
        conditions = record.group.conditions
        for place, condition in enumerate(conditions):
            # Not before the condition's turn: what the others leave over goes to it.
            left_ns = max(0, deadline_ns - self._now_ns())
            until_ns = deadline_ns - left_ns + left_ns // (len(conditions) - place)
            right = [(entry, work) for entry, work in works if entry.is_right]
            self._time_under(record, condition, right, until_ns)
            if self.interrupted:
                return

    def _time_under(
        self,
        record: Record,
        condition: "Condition",
        works: list[tuple[Entry, "Work"]],
        deadline_ns: int,
    ) -> None:
        beside = self._beside()
        under = partial(self.instruments.under, condition)
        timed = [(entry, *under(work)) for entry, work in works]
        samplings = measure(
            [*(work for _, work, _ in timed), *(under(work)[0] for work in beside.values())],
            self.instruments.timer_of(condition),
            deadline_ns,
            self.rule,
            Course(
                blocks=record.blocks(condition, [entry for entry, _, _ in timed], list(beside)),
                least=self._least(),
                end_ns=self._end_ns,
                spoiled=self._spoiled,
            ),
        )
        for (entry, _, name), sampling in zip(timed, samplings, strict=False):
            entry.timers[condition] = name
            entry.add(condition, sampling)
            self.found(record.result(entry, condition, is_interrupted=self.interrupted))
        for name, sampling in zip(beside, samplings[len(timed) :], strict=True):
            record.add_reference(name, condition, sampling)
        self.interrupted |= any(each.stopped == "interrupt" for each in samplings)

    def _least(self) -> int:
        """Return how many samples kernels get even past their share, so that those that take long have an interval.

        None in the first pass, which shall reach all groups; the passes after it share the fewest that are enough.
        """
        if not self._pass:
            return 0
        missing = self.rule.min_samples - self._promised
        return max(1, ceil(missing / (self._passes - self._pass)))

    def _spoiled(self) -> bool:
        return any(self.instruments.agree(self.instruments.throttling.seen()))

    def _beside(self) -> Mapping[str, "Work"]:
        """Return the reference workload, in the memory of this pass."""
        if self._workload is None:
            self._workload = self.instruments.workload()
            for work in self._workload.values():
                work()
        return self._workload

    def _tensors(self, group: "Group") -> Mapping[str, "torch.Tensor"]:
        """Return the suite's tensors: drawn once a pass, the same for all its modes and on every device."""
        of = group.suite.name, group.case
        if self._drawn is None or self._drawn[0] != of:
            self._drawn = None
            self._drawn = of, draw(group.suite, group, self.request.seed, self.device)
        return self._drawn[1]

    def _left_ns(self) -> int:
        return max(0, self._end_ns - self._now_ns())

    def _now_ns(self) -> int:
        return self.instruments.clock.now_ns()


def _attempt(entry: Entry, make: Callable[[], _T]) -> _T | None:
    """Return what is made; where that raises what torch raises, the kernel has failed."""
    try:
        return make()
    except (RuntimeError, ValueError) as error:
        entry.fail(error)
        return None


def _works(group: "Group") -> int:
    """Return what a group counts for when the budget is shared out."""
    return len(group.kernels) * len(group.conditions)


def draw(suite: Suite, group: "Group", seed: int, device: "torch.device") -> dict[str, "torch.Tensor"]:
    """Draw a suite's tensors on the host, in float32, and take them to their device and dtype."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, group.case.dtype)
    return {
        name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in suite.tensors(group.case, generator).items()
    }
