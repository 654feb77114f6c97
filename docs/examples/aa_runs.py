"""How often `segcli bench compare` is wrong: runs of one program called slower, and kernels that are 10 % slower found.

    python docs/examples/aa_runs.py runs/ --pairs 20

Each pair is two runs in processes of their own, and a third whose kernels take 10 % longer. They are kept in
the folder: what was interrupted goes on, and what is there is only compared. Nothing else should run on the machine.
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from pathlib import Path
from statistics import median

import torch

from segcli.bench import Request, run
from segcli.bench.comparing.comparing import MIN_EFFECT, Question, chosen
from segcli.bench.comparing.multiplicity import sure_among
from segcli.bench.comparing.pairing import Pair, pair
from segcli.bench.comparing.sides import Key, side_of
from segcli.bench.comparing.stored import read_run
from segcli.bench.comparing.verdicts import Verdict
from segcli.bench.measuring.conditions import Condition
from segcli.bench.measuring.instruments import Instruments, instruments_for
from segcli.bench.measuring.timer import Clock, Timer, Work
from segcli.bench.spelling import chosen_names
from segcli.emit import to_json
from segcli.files import replacing
from segcli.units import parse_size

SHARE = 0.10
"""How much longer a kernel takes on purpose."""
ALL_SLOWED = f"all {SHARE:.0%} slower on purpose"


@dataclass(frozen=True)
class SlowedTimer:
    """Times work after which the core is kept busy for a tenth of what the work took.

    Attributes:
        timer: What times.
        spared: What is not slowed: the reference workload.
    """

    timer: Timer
    spared: list[Work]

    @property
    def name(self) -> str:
        """What is read, in words."""
        return self.timer.name

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self.timer.clock

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds that calls take, each with what was put after it."""
        if calls and not any(work is spared for spared in self.spared):
            work = partial(_and_busy, work)
        return self.timer.time_s(work, calls)


def _and_busy(work: Work) -> object:
    start = time.perf_counter_ns()
    output = work()
    end = time.perf_counter_ns()
    end += round(SHARE * (end - start))
    while time.perf_counter_ns() < end:
        pass
    return output


def time_kernels(request: Request, path: Path, *, slowed: bool) -> None:
    """Time kernels as ``segcli bench`` does, and write the run."""
    instruments = instruments_for(torch.device("cpu"), cold="cold" in (request.caches or ("cold",)))
    if slowed:
        instruments = _slowing(instruments)
    found = run(request, instruments=instruments)
    with replacing(path) as file:
        file.write(to_json("bench", found).encode())


def _slowing(instruments: Instruments) -> Instruments:
    spared: list[Work] = []
    timers: dict[Condition, Timer] = {}

    def workload() -> Mapping[str, Work]:
        works = instruments.workload()
        spared.extend(works.values())
        return works

    def timer_of(condition: Condition) -> Timer:
        return timers.setdefault(condition, SlowedTimer(instruments.timer_of(condition), spared))

    return replace(instruments, workload=workload, timer_of=timer_of)


def judged(before: Sequence[Path], after: Sequence[Path]) -> dict[Key, Pair]:
    """Return every kernel that could be compared, each judged as if it were the only one."""
    first, second = (
        side_of([str(path) for path in side], [read_run(path) for path in side]) for side in (before, after)
    )
    pairs = {key: pair(key, first, second, MIN_EFFECT) for key in chosen(first, second, Question())}
    return {key: found for key, found in pairs.items() if found.verdict is not Verdict.INCOMPARABLE}


def each_alone(changed: Mapping[Key, Pair], unchanged: Mapping[Key, Pair]) -> Iterator[Pair]:
    """Give what each changed kernel comes to as the only one among unchanged ones."""
    for key, found in changed.items():
        yield sure_among([found, *(each for other, each in unchanged.items() if other != key)])[0]


@dataclass(frozen=True)
class Count:
    """Of how many kernels how many came to what."""

    pairs: list[Pair]

    def share(self, verdict: Verdict) -> str:
        """Return the share of a verdict, in percent, and the count."""
        return self._percent(sum(each.verdict is verdict for each in self.pairs))

    def slower_by_clock(self) -> str:
        """Return how many would be called slower without the reference workload."""
        most = 1 + MIN_EFFECT
        return self._percent(
            sum(each.unscaled_ci95 is not None and each.unscaled_ci95[0] > most for each in self.pairs)
        )

    def half_width(self) -> str:
        """Return the median of half the intervals' widths."""
        widths = [log(each.ci95[1] / each.ci95[0]) / 2 for each in self.pairs if each.ci95]
        return f"{median(widths):.1%}"

    def _percent(self, count: int) -> str:
        return f"{count / len(self.pairs):.2%} ({count:,})"


def table(rows: Mapping[str, Sequence[Pair]]) -> str:
    """Return what was counted, as Markdown, with a row a name."""
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.INCOMPARABLE]
    names = [f"called {verdict.value}" for verdict in verdicts]
    lines = [
        f"| kernels | compared | {' | '.join(names)} | slower by the clock alone | half the interval |",
        f"| --- |{' --: |' * (len(names) + 3)}",
    ]
    for name, pairs in rows.items():
        if pairs:
            count = Count(list(pairs))
            cells = [count.share(verdict) for verdict in verdicts]
            line = [name, f"{len(pairs):,}", *cells, count.slower_by_clock(), count.half_width()]
            lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def worst(pairs: Sequence[Pair], verdict: Verdict) -> str:
    """Return the kernels that most often came to a verdict which they should not have come to."""
    names = Counter(
        f"{each.suite}/{each.kernel} {each.mode} {each.caches}" for each in pairs if each.verdict is verdict
    )
    return ", ".join(f"{name} ({count})" for name, count in names.most_common(5)) or "none"


def main() -> None:
    """Time what is missing in the folder, and print what comparing comes to."""
    options = _options()
    request = Request(
        suites=chosen_names(options.suite),
        kernel=options.kernel,
        sizes=(options.size,) if options.size else (),
        caches=chosen_names(options.caches),
        threads=options.threads,
        budget_s=options.budget,
        passes=options.passes,
    )
    if options.only:
        time_kernels(request, options.folder / options.only, slowed="slowed" in options.only)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    unchanged, slowed = timed_files(options)
    same: list[dict[Key, Pair]] = []
    rows: dict[str, list[Pair]] = {"of the same program": [], ALL_SLOWED: [], "one of them so": []}
    for number, (before, after) in enumerate(zip(unchanged[::2], unchanged[1::2], strict=False)):
        same.append(judged(before, after))
        rows["of the same program"] += sure_among([*same[-1].values()])
        if number < len(slowed):
            changed = judged(after, slowed[number])
            rows[ALL_SLOWED] += sure_among([*changed.values()])
            rows["one of them so"] += each_alone(changed, same[-1])
    print(table(rows))
    ended = sum(any(each.verdict is Verdict.SLOWER for each in sure_among([*pairs.values()])) for pairs in same)
    print(f"\nOf {len(same)} comparisons of the same program, {ended} would have failed a build.")
    print(f"Called slower, and the same: {worst(rows['of the same program'], Verdict.SLOWER)}.")
    print(f"Ambiguous, and slower: {worst(rows[ALL_SLOWED], Verdict.AMBIGUOUS)}.")


def timed_files(options: argparse.Namespace) -> tuple[list[Sequence[Path]], list[Sequence[Path]]]:
    """Time what is missing, and return the files of sides of the same program, and of slowed ones."""
    unchanged: list[Path] = []
    slowed: list[Path] = []
    for number in range(options.pairs):
        for name in ("a", "b", "slowed")[: 3 if number < options.slowed else 2]:
            file = options.folder / f"{number:03}-{name}.json"
            if not file.exists():
                print(f"{file.name} ...", file=sys.stderr, flush=True)
                subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", file.name], check=True)  # noqa: S603 - this very script
            (slowed if name == "slowed" else unchanged).append(file)
    return _sides(unchanged, options.together), _sides(slowed, options.together)


def _sides(files: Sequence[Path], together: int) -> list[Sequence[Path]]:
    return [files[start : start + together] for start in range(0, len(files) - together + 1, together)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are, or will be")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs, each with a slowed one")
    parser.add_argument("--slowed", type=int, default=20, help="of how many pairs a slowed run is timed, too")
    parser.add_argument("--together", type=int, default=1, help="how many runs are put together to a side")
    parser.add_argument("--budget", type=float, default=Request().budget_s, help="seconds a run")
    parser.add_argument("--passes", type=int, default=Request().passes, help="passes a run")
    parser.add_argument("--suite", default="all", help="suites, by comma")
    parser.add_argument("--kernel", default="", help="a pattern of kernel names")
    parser.add_argument("--size", type=parse_size, help="such as 64x128; by default each suite has its own")
    parser.add_argument("--caches", default="all", help="hot, cold, or both")
    parser.add_argument("--threads", type=int, help="of torch's kernels")
    parser.add_argument("--only", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
