"""Compares two runs, kernel by kernel."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from segcli.bench.comparing.bootstrap import Ratio, ratio_of
from segcli.bench.comparing.judging import is_sure
from segcli.bench.comparing.multiplicity import sure_among
from segcli.bench.comparing.pairing import Pair, pair, reference_of, timed_of
from segcli.bench.comparing.sides import Group, Key, Side, differences, other_machine
from segcli.bench.comparing.verdicts import Verdict
from segcli.bench.measuring.workload import WORKLOADS
from segcli.bench.plan import near_kernels
from segcli.errors import SegcliError, nearest

MIN_EFFECT = 0.03
"""Below it runs of one program on one machine differ by where its memory happens to lie."""


@dataclass(frozen=True)
class Question:
    """What is to be compared, and how closely.

    Attributes:
        min_effect: The least share that counts as a difference.
        suites: Names; none for all.
        kernel: A pattern of kernel names.
    """

    min_effect: float = MIN_EFFECT
    suites: tuple[str, ...] = ()
    kernel: str = "*"


@dataclass(frozen=True)
class Comparison:
    """What two runs, or two sets of runs, say of one another.

    Attributes:
        first: The files of the first side.
        second: Of the second.
        min_effect: The least share that counted as a difference.
        counts: How many kernels came to each verdict.
        kernels: One a kernel and condition, the worst first.
        machine: The ratio of the reference workloads, beside each group where both sides have them.
        warnings: What makes the comparison less sure.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    min_effect: float
    counts: dict[str, int]
    kernels: tuple[Pair, ...]
    machine: tuple["MachineRatio", ...]
    warnings: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """Whether a kernel is surely slower."""
        return bool(self.counts[Verdict.SLOWER.value])


@dataclass(frozen=True)
class MachineRatio:
    """How much longer the reference workload took on the second side, beside one group."""

    workload: str
    suite: str
    mode: str
    size: tuple[int, int]
    dtype: str
    device: str
    caches: str
    span: str
    ratio: float
    ci95: tuple[float, float]


def compare(
    first: Side, second: Side, question: Question | None = None, advance: Callable[[int], None] = lambda _: None
) -> Comparison:
    """Compare two sides.

    Args:
        first: The one before.
        second: The one after.
        question: What is to be compared.
        advance: Called for each kernel.

    Raises:
        SegcliError: Where a suite or kernel is in neither, or nothing can be compared.
    """
    question = question or Question()
    pairs = []
    for key in chosen(first, second, question):
        pairs.append(pair(key, first, second, question.min_effect))
        advance(1)
    pairs = sure_among(pairs)
    counts = Counter(each.verdict for each in pairs)
    if counts[Verdict.INCOMPARABLE] == len(pairs):
        raise _nothing(pairs, first, second)
    machine = tuple(_machine(pairs, first, second))
    return Comparison(
        first=first.names,
        second=second.names,
        min_effect=question.min_effect,
        counts={verdict.value: counts[verdict] for verdict in Verdict},
        kernels=tuple(sorted(pairs, key=_place)),
        machine=machine,
        warnings=tuple(_warnings(pairs, machine, first, second)),
    )


def chosen(first: Side, second: Side, question: Question) -> list[Key]:
    """Return the kernels of both sides that are asked for.

    Raises:
        SegcliError: Where there are none.
    """
    keys = list(dict.fromkeys([*first.results, *second.results]))
    suites = list(dict.fromkeys(key.group.suite for key in keys))
    for name in question.suites:
        if name not in suites:
            message = f"suite {name!r} is in neither run"
            raise SegcliError(message, hint=nearest(name, suites))
    keys = [key for key in keys if not question.suites or key.group.suite in question.suites]
    found = [key for key in keys if fnmatchcase(key.kernel, question.kernel)]
    if keys and not found:
        message = f"no kernel of either run matches {question.kernel!r}"
        hint = near_kernels(question.kernel, [key.kernel for key in keys], "leave --kernel out to see all")
        raise SegcliError(message, hint=hint)
    return found


def _place(found: Pair) -> tuple[int, float]:
    return list(Verdict).index(found.verdict), -(found.ratio or 0.0)


def _nothing(pairs: Sequence[Pair], first: Side, second: Side) -> SegcliError:
    names = f"{', '.join(first.names)} and {', '.join(second.names)}"
    if not pairs:
        return SegcliError(f"{names} hold no kernels")
    reason, count = Counter(each.reason for each in pairs).most_common(1)[0]
    return SegcliError(
        f"nothing in {names} can be compared: {reason} ({count} of {len(pairs)})",
        hint="compare runs that were made alike",
    )


def _machine(pairs: Sequence[Pair], first: Side, second: Side) -> Iterator[MachineRatio]:
    groups = dict.fromkeys(Group(*(getattr(each, name) for name in Group._fields)) for each in pairs)
    for group, workload in product(groups, WORKLOADS):
        references = (reference_of(side, group, workload) for side in (first, second))
        beside = [timed_of(reference) for reference in references if reference]
        if len(beside) == 2:  # noqa: PLR2004 - one a side
            found = ratio_of(*beside)
            yield MachineRatio(workload=workload, **group._asdict(), ratio=found.value, ci95=(found.low, found.high))


def _warnings(pairs: Sequence[Pair], machine: Sequence[MachineRatio], first: Side, second: Side) -> Iterator[str]:
    for foreign in other_machine(first.environment, second.environment):
        yield f"{foreign}: every ratio is divided by the reference workload's, which is rough"
    told = list(differences(first.environment, second.environment))
    if told:
        yield f"A and B differ in {', '.join(told)}"
    yield from _changed(machine)
    for side, names in (("A", first), ("B", second)):
        if names.partial:
            yield f"{side} was interrupted: kernels are missing, or have few samples"
        if all(len(result.passes) < 2 for result in names.results.values()):  # noqa: PLR2004 - one has no spread
            yield f"{side} has one pass: what drifts between passes is not seen; give --passes 6 or more"
    if any(each.verdict is Verdict.SLOWER for each in pairs) and not (first.runs and second.runs):
        yield (
            "one run a side cannot see by how much one process differs from the next; before blaming a change, compare "
            "several: segcli bench compare 'a*.json' 'b*.json'"
        )
    ambiguous = sum(each.verdict is Verdict.AMBIGUOUS for each in pairs)
    if ambiguous:
        yield f"{ambiguous} of {len(pairs)} are ambiguous; {_what_tells_more(first, second)}"


def _what_tells_more(first: Side, second: Side) -> str:
    if first.runs and second.runs:
        return "more runs a side tell more"
    is_moved = first.environment.threads > 1 and first.environment.gpu is None
    steadier = ", --threads 1 is steadier where cores are shared" if is_moved else ""
    return (
        f"a longer --time-budget tells more{steadier}, and so do several runs a side: "
        "segcli bench compare 'a*.json' 'b*.json'"
    )


def _changed(machine: Sequence[MachineRatio]) -> Iterator[str]:
    """Say where the machine itself was surely slower or faster."""
    for workload in WORKLOADS:
        beside = [each for each in machine if each.workload == workload]
        sure = [each.ratio for each in beside if is_sure(Ratio(each.ratio, *each.ci95))]
        if sure:
            yield (
                f"the machine changed: {workload} took {min(sure):.3g} to {max(sure):.3g} times as long in B beside "
                f"{len(sure)} of {len(beside)} groups"
            )
