"""The sampling loop: warm-up until steady, blocks that drown the timer's cost, contenders in turn, a stop on noise.

Knows neither torch nor kernels: work is anything that can be called.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from math import ceil
from typing import Literal

from segcli.bench.measuring.order_statistics import summarise
from segcli.bench.measuring.timer import Timer, Work

Stop = Literal["noise", "budget", "interrupt", "error"]
# Of several passes, what is worth telling most.
_GRAVEST: tuple[Stop, ...] = ("error", "interrupt", "budget", "noise")


@dataclass(frozen=True)
class Rule:
    """When enough is enough.

    Attributes:
        precision: A contender is settled when the 95 % interval of its median reaches no further than this share
            of the median to either side (half its width).
        min_samples: Samples before that is asked; six are the fewest that have a 95 % interval.
        steady: Warm-up ends when two blocks in a row bring the best time down by no more than this share.
        max_warm_up: Blocks after which warm-up gives up, and says so.
        timer_share: The most that reading the timer may be of a block (torch.utils.benchmark's rule, 1e-4).
    """

    precision: float = 0.01
    min_samples: int = 6
    steady: float = 0.05
    max_warm_up: int = 12
    timer_share: float = 1e-4


@dataclass(frozen=True)
class Sampling:
    """What was measured of one contender.

    Attributes:
        samples_s: Seconds a call, one sample a block, in the order in which they were taken.
        calls: Calls a block.
        warm_up_calls: Calls before the first sample.
        steady: Whether warm-up ended because the times were steady.
        stopped: What ended the sampling: little noise, the time budget, Ctrl-C, or what the work raised.
        dropped: Samples thrown away because they were spoiled.
        error: What the work raised, or None.
    """

    samples_s: tuple[float, ...]
    calls: int
    warm_up_calls: int
    steady: bool
    stopped: Stop
    dropped: int = 0
    error: Exception | None = None


@dataclass(frozen=True)
class Course:
    """How contenders are sampled, beside the rule.

    Attributes:
        blocks: Calls a block for each contender, where they are known: it is warm, and sampled at once. Where None,
            blocks grow, and warm-up lasts until times are steady.
        least: Samples that each contender is given even past the deadline.
        end_ns: When to stop all the same; the deadline where None.
        spoiled: Asked after each sample: whether it is to be thrown away, as on a throttled GPU.
    """

    blocks: Sequence[int | None] = ()
    least: int = 0
    end_ns: int | None = None
    spoiled: Callable[[], bool] = lambda: False


@dataclass
class _Contender:
    work: Work
    calls: int = 1
    warm_up_calls: int = 0
    steady: bool = False
    last_warm_s: float | None = None
    dropped: int = 0
    error: Exception | None = None
    samples: list[float] = field(default_factory=list)
    ranked: list[float] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return len(self.samples) + self.dropped

    @property
    def has_number(self) -> bool:
        return self.taken > 0 or self.last_warm_s is not None

    def add(self, sample: float) -> None:
        self.samples.append(sample)
        insort(self.ranked, sample)

    def settled(self, rule: Rule) -> bool:
        if len(self.samples) < rule.min_samples:
            return False
        error = summarise(self.ranked, ordered=True).relative_error
        return error is not None and error <= rule.precision

    def sampling(self, stopped: Stop) -> Sampling:
        stopped = "error" if self.error else stopped
        samples = tuple(self.samples)
        return Sampling(samples, self.calls, self.warm_up_calls, self.steady, stopped, self.dropped, self.error)


def measure(
    works: Sequence[Work], timer: Timer, deadline_ns: int, rule: Rule | None = None, course: Course | None = None
) -> list[Sampling]:
    """Time contenders side by side.

    They take turns, a block each, until all are settled or the deadline has passed: what drifts (clocks, heat,
    other programs) then hits all alike. Past the deadline every contender still gets one block, so that there is a
    number for each. Ctrl-C ends the sampling and what was measured is returned, with ``stopped`` saying so. A contender
    that raises a RuntimeError or a ValueError, as torch does, drops out; the others go on.

    Args:
        works: The contenders.
        timer: What times them.
        deadline_ns: When to stop, by the timer's clock.
        rule: When enough is enough; the default rule where None.
        course: What else there is to say.

    Returns:
        A sampling for each contender, in their order.
    """
    rule, course = rule or Rule(), course or Course()
    contenders = [_Contender(work) for work in works]
    for contender, calls in zip(contenders, course.blocks, strict=False):
        contender.calls, contender.steady = calls or 1, calls is not None
    try:
        least_block_s = timer_overhead_s(timer) / rule.timer_share
        for contender in contenders:
            if not contender.steady:
                with _dropping_out(contender):
                    _warm_up(contender, timer, least_block_s, deadline_ns, rule)
        stopped = _take_turns(contenders, timer, deadline_ns, rule, course)
    except KeyboardInterrupt:
        stopped = "interrupt"
    return [contender.sampling(stopped) for contender in contenders]


@contextmanager
def _dropping_out(contender: _Contender) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        contender.error = error


def pooled(samplings: Sequence[Sampling]) -> Sampling:
    """Put the samples of several passes together, in their order.

    Args:
        samplings: At least one, of the same contender.

    Examples:
        >>> passes = Sampling((1.0, 2.0), 4, 8, True, "noise"), Sampling((3.0,), 4, 6, True, "budget")
        >>> pooled(passes)
        Sampling(samples_s=(1.0, 2.0, 3.0), calls=4, warm_up_calls=14, steady=True, stopped='budget', dropped=0, \
error=None)
    """
    stops = {each.stopped for each in samplings}
    return Sampling(
        samples_s=tuple(chain.from_iterable(each.samples_s for each in samplings)),
        calls=samplings[-1].calls,
        warm_up_calls=sum(each.warm_up_calls for each in samplings),
        # Later passes go on where the first one's warm-up ended.
        steady=samplings[-1].steady,
        stopped=next(stop for stop in _GRAVEST if stop in stops),
        dropped=sum(each.dropped for each in samplings),
        error=next((each.error for each in samplings if each.error), None),
    )


def timer_overhead_s(timer: Timer, times: int = 21) -> float:
    """Return what reading the timer costs: the median time of a block of no calls."""
    return summarise([timer.time_s(_nothing, 0) for _ in range(times)]).median


def _nothing() -> None:
    pass


def _warm_up(contender: _Contender, timer: Timer, least_block_s: float, deadline_ns: int, rule: Rule) -> None:
    """Grow the block until the timer's cost drowns in it, then call the work until its time no longer falls."""
    best = float("inf")
    without_gain = 0
    for _ in range(rule.max_warm_up):
        calls, block_s = contender.calls, _warm_block(contender, timer)
        sample = contender.last_warm_s = block_s / calls
        in_time = timer.clock.now_ns() < deadline_ns
        if in_time and block_s < least_block_s:
            # Too short to be judged: longer blocks first, at most tenfold, since a first call can be a slow one.
            contender.calls = ceil(contender.calls * min(10.0, max(2.0, 1.2 * least_block_s / max(block_s, 1e-9))))
            continue
        without_gain = without_gain + 1 if sample >= best * (1 - rule.steady) else 0
        best = min(best, sample)
        if without_gain == 2:  # noqa: PLR2004 - two in a row: one may be luck
            contender.steady = True
        if contender.steady or not in_time:
            return


def _warm_block(contender: _Contender, timer: Timer) -> float:
    # One more: the timer's own untimed call.
    contender.warm_up_calls += contender.calls + 1
    return timer.time_s(contender.work, contender.calls)


def _take_turns(contenders: list[_Contender], timer: Timer, deadline_ns: int, rule: Rule, course: Course) -> Stop:
    while not all(contender.settled(rule) for contender in _left(contenders)):
        for contender in _left(contenders):
            if _is_over(contenders, timer.clock.now_ns(), deadline_ns, course):
                _keep_warm_up(contenders)
                return "budget"
            with _dropping_out(contender):
                _sample(contender, timer, course)
    return "noise"


def _is_over(contenders: list[_Contender], now_ns: int, deadline_ns: int, course: Course) -> bool:
    if now_ns < deadline_ns or not all(contender.has_number for contender in _left(contenders)):
        return False
    has_least = all(contender.taken >= course.least for contender in _left(contenders))
    return has_least or course.end_ns is None or now_ns >= course.end_ns


def _left(contenders: list[_Contender]) -> list[_Contender]:
    return [contender for contender in contenders if contender.error is None]


def _sample(contender: _Contender, timer: Timer, course: Course) -> None:
    sample = timer.time_s(contender.work, contender.calls) / contender.calls
    if course.spoiled():
        contender.dropped += 1
    else:
        contender.add(sample)


def _keep_warm_up(contenders: list[_Contender]) -> None:
    """Let a contender that was never reached stand by the last block of its warm-up, one sample alone."""
    for contender in contenders:
        if not contender.samples and contender.last_warm_s is not None:
            contender.add(contender.last_warm_s)
