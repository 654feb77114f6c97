"""What a run tells while it goes on: each result as it comes, and each group of kernels as it ends."""

from collections import Counter
from dataclasses import dataclass, field

from segcli.bench.results import Result
from segcli.units import format_seconds, format_size

_Group = tuple[str, str, tuple[int, int], str]


def headline(result: Result) -> str:
    """Return a result in a few words.

    Examples:
        >>> from segcli.bench import Request, run
        >>> request = Request(("index",), "argmax", ("forward",), ((4, 4),), budget_s=0.01, caches=("hot",), passes=1)
        >>> headline(run(request).results[0]).rpartition(" ")[0].rpartition(" ")[0]
        'index/argmax forward'
    """
    variant = f" ({result.variant})" if result.variant else ""
    time = result.status.value if result.median_s is None else format_seconds(result.median_s)
    return f"{result.suite}/{result.kernel}{variant} {result.mode} {time}"


@dataclass
class GroupNews:
    """Makes of results, in the order in which they come, a line for each group of kernels and pass.

    Attributes:
        passes: Of the run, at most.
    """

    passes: int
    _group: _Group | None = None
    _kernels: dict[str, Result] = field(default_factory=dict)
    _told: set[tuple[str, ...]] = field(default_factory=set)
    _seen: Counter[_Group] = field(default_factory=Counter)

    def take(self, result: Result) -> str:
        """Take a result and return the line of the group that has ended with it, or nothing; the first has its own."""
        group = result.suite, result.mode, result.size, result.dtype
        one = result.kernel, result.variant, result.caches, result.span
        starts = self._group is None
        # Of a run of one group alone, what comes again tells the next pass.
        goes_on = group == self._group and one not in self._told
        line = f"first: {headline(result)}" if starts else "" if goes_on else self.end()
        self._group = group
        self._told.add(one)
        # Conditions come one after the other: the first is shown.
        self._kernels.setdefault(f"{result.kernel} ({result.variant})" if result.variant else result.kernel, result)
        return line

    def end(self) -> str:
        """Return the line of the group that was last taken, or nothing where there was none."""
        if self._group is None:
            return ""
        suite, mode, size, dtype = self._group
        self._seen[self._group] += 1
        times = [(result.median_s, name) for name, result in self._kernels.items() if result.median_s is not None]
        fastest = "none was timed" if not times else f"fastest {min(times)[1]}, {format_seconds(min(times)[0])}"
        count = len(self._kernels)
        self._kernels = {}
        self._told.clear()
        return (
            f"pass {self._seen[self._group]} of up to {self.passes}: {suite}, {mode}, {format_size(size)} {dtype}: "
            f"{count} kernel{'s' if count > 1 else ''}, {fastest}"
        )
