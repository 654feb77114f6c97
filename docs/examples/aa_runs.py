"""How often `segcli bench compare` is wrong: runs of one program called slower, and kernels that are 10 % slower found.

    python docs/examples/aa_runs.py runs/ --pairs 20

Each pair is three runs in processes of their own: A, B, and one whose kernels take 10 % longer. They are kept in the
folder: what was interrupted goes on, and what is there is only compared. Nothing else should run on the machine.
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from pathlib import Path
from statistics import median

import torch

from segcli.bench import Request, run
from segcli.bench.comparing.comparing import MIN_EFFECT, compare
from segcli.bench.comparing.pairing import Pair
from segcli.bench.comparing.sides import side_of
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


def compared(before: Path, after: Path) -> list[Pair]:
    """Return every kernel that could be compared."""
    first, second = (side_of([str(path)], [read_run(path)]) for path in (before, after))
    found = compare(first, second)
    return [pair for pair in found.kernels if pair.verdict is not Verdict.INCOMPARABLE]


@dataclass(frozen=True)
class Count:
    """Of how many comparisons how many came to what."""

    pairs: list[Pair]

    def share(self, verdict: Verdict) -> str:
        """Return the share of a verdict, in percent, and the count."""
        return self._percent(sum(pair.verdict is verdict for pair in self.pairs))

    def slower_by_clock(self) -> str:
        """Return how many would be called slower without the reference workload."""
        most = 1 + MIN_EFFECT
        return self._percent(
            sum(pair.unscaled_ci95 is not None and pair.unscaled_ci95[0] > most for pair in self.pairs)
        )

    def half_width(self) -> str:
        """Return the median of half the intervals' widths."""
        widths = [log(pair.ci95[1] / pair.ci95[0]) / 2 for pair in self.pairs if pair.ci95]
        return f"{median(widths):.1%}"

    def _percent(self, count: int) -> str:
        return f"{count / len(self.pairs):.2%} ({count:,})"


def table(unchanged: Sequence[Pair], slowed: Sequence[Pair]) -> str:
    """Return what was counted, as Markdown."""
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.INCOMPARABLE]
    names = [f"called {verdict.value}" for verdict in verdicts]
    lines = [
        f"| kernels | comparisons | {' | '.join(names)} | slower by the clock alone | half the interval |",
        f"| --- |{' --: |' * (len(names) + 3)}",
    ]
    for name, pairs in (("the same program", unchanged), (f"{SHARE:.0%} slower on purpose", slowed)):
        if pairs:
            count = Count(list(pairs))
            cells = [count.share(verdict) for verdict in verdicts]
            line = [name, f"{len(pairs):,}", *cells, count.slower_by_clock(), count.half_width()]
            lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def worst(pairs: Sequence[Pair], verdict: Verdict) -> str:
    """Return the kernels that most often came to a verdict which they should not have come to."""
    names = Counter(
        f"{pair.suite}/{pair.kernel} {pair.mode} {pair.caches}" for pair in pairs if pair.verdict is verdict
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
    unchanged: list[Pair] = []
    slowed: list[Pair] = []
    for number in range(options.pairs):
        files = [options.folder / f"{number:03}-{name}.json" for name in ("a", "b", "slowed")]
        for file in files:
            if not file.exists():
                print(f"{file.name} ...", file=sys.stderr, flush=True)
                subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", file.name], check=True)  # noqa: S603 - this very script
        unchanged += compared(files[0], files[1])
        slowed += compared(files[1], files[2])
    print(table(unchanged, slowed))
    print(f"\nCalled slower, and the same: {worst(unchanged, Verdict.SLOWER)}.")
    print(f"Ambiguous, and slower: {worst(slowed, Verdict.AMBIGUOUS)}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are, or will be")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs, each with a slowed one")
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
