from typing import Any

import pytest

from segcli.bench.measuring.sampling import Course, Rule, Sampling, measure, pooled, timer_overhead_s
from segcli.bench.measuring.timer import HostTimer
from tests.bench.fakes import FakeClock, FakeWork, fake_timer

FOREVER_NS = 10**18


def test_steady_work_stops_on_noise_after_the_fewest_samples_with_an_interval() -> None:
    clock, timer = fake_timer()
    (sampling,) = measure([FakeWork(clock, (1_000_000,))], timer, FOREVER_NS)
    assert sampling.samples_s == (1e-3,) * 6
    assert (sampling.calls, sampling.steady, sampling.stopped) == (1, True, "noise")


def test_noisy_work_is_sampled_until_its_interval_is_narrow() -> None:
    clock, timer = fake_timer()
    # Every sample has an untimed call before it; pairs are therefore alike.
    noise = [1_000_000 + 40_000 * (sample % 2) for sample in range(40) for _ in range(2)]
    work = FakeWork(clock, (*noise, 1_020_000))
    (sampling,) = measure([work], timer, FOREVER_NS)
    assert sampling.stopped == "noise"
    assert len(sampling.samples_s) > 40
    # While the noise lasts, the interval spans both levels, 4 % apart: wider than 1 % to either side.
    (cut,) = measure([FakeWork(clock, tuple(noise))], timer, clock.time_ns + 50 * 1_020_000)
    assert cut.stopped == "budget"


def test_the_precision_asked_for_is_the_one_that_stops() -> None:
    clock, timer = fake_timer()
    noise = tuple(1_000_000 + 40_000 * (sample % 2) for sample in range(100) for _ in range(2))
    (sampling,) = measure([FakeWork(clock, noise)], timer, FOREVER_NS, Rule(precision=0.02))
    assert len(sampling.samples_s) == 6


def test_the_budget_stops_between_two_samples() -> None:
    clock, timer = fake_timer()
    noise = tuple(1_000_000 * (1 + sample % 3) for sample in range(100) for _ in range(2))
    deadline_ns = 60_000_000
    (sampling,) = measure([FakeWork(clock, noise)], timer, deadline_ns)
    assert sampling.stopped == "budget"
    # The clock passed the deadline by less than one more sample with its untimed call.
    assert deadline_ns <= clock.time_ns < deadline_ns + 6_000_000


def test_contenders_take_turns_and_have_as_many_samples() -> None:
    clock, timer = fake_timer()
    steady = FakeWork(clock, (1_000_000,))
    noisy = FakeWork(clock, (*(1_000_000 * (1 + call % 4) for call in range(80)), 2_000_000))
    first, second = measure([steady, noisy], timer, FOREVER_NS)
    assert len(first.samples_s) == len(second.samples_s) > 6


def test_what_drifts_hits_all_contenders_alike() -> None:
    clock, timer = fake_timer()

    def drifting() -> None:
        # Slower and slower, as a machine that gets hot.
        clock.time_ns += 1_000_000 + clock.time_ns // 50

    first, second = measure([drifting, drifting], timer, 400_000_000)
    ratios = [one / other for one, other in zip(first.samples_s, second.samples_s, strict=False)]
    assert ratios == pytest.approx([0.96] * len(ratios), abs=0.005)
    assert first.samples_s[-1] > 2 * first.samples_s[0]


def test_warm_up_lasts_until_two_blocks_bring_no_gain() -> None:
    clock, timer = fake_timer()
    # Blocks of an untimed and a timed call: 8, 4, 2, 1 ms, then 1 and 1 without gain.
    falling = (8, 8, 4, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1)
    (sampling,) = measure([FakeWork(clock, tuple(1_000_000 * ms for ms in falling))], timer, FOREVER_NS)
    assert sampling.warm_up_calls == 12
    assert sampling.steady
    assert set(sampling.samples_s) == {1e-3}


def test_a_slow_block_in_the_warm_up_does_not_prolong_it() -> None:
    clock, timer = fake_timer()
    (sampling,) = measure([FakeWork(clock, (1_000_000, 1_000_000, 1, 9_000_000, 1, 1_000_000))], timer, FOREVER_NS)
    assert sampling.warm_up_calls == 6


def test_work_that_never_stops_getting_faster_is_said_to_be_unsteady() -> None:
    clock, timer = fake_timer()
    falling = tuple(round(1e9 * 0.8**block) for block in range(12) for _ in range(2))
    (sampling,) = measure([FakeWork(clock, falling)], timer, FOREVER_NS)
    assert not sampling.steady
    assert sampling.warm_up_calls == 24


def test_blocks_grow_until_the_timer_drowns_in_them() -> None:
    # Two readings of 50 ns; one of them lies within a block. 1e-4 of a block: it lasts 0.5 ms or more.
    clock, timer = fake_timer(read_ns=50)
    assert timer_overhead_s(timer) == 50e-9
    (sampling,) = measure([FakeWork(clock, (1_000,))], timer, FOREVER_NS)
    # 1 call, ten, a hundred, then 1.2 times what is needed.
    assert 500 <= sampling.calls <= 620
    assert sampling.samples_s == pytest.approx([1e-6] * 6, rel=1e-4)


def test_a_block_of_no_time_at_all_grows_too() -> None:
    clock, timer = fake_timer(read_ns=50)
    (sampling,) = measure([FakeWork(clock, (0,))], timer, FOREVER_NS, Rule(max_warm_up=4))
    assert sampling.calls == 10_000


def test_past_the_deadline_every_contender_still_has_the_block_of_its_warm_up() -> None:
    clock, timer = fake_timer()
    works = [FakeWork(clock, (5_000_000_000,)), FakeWork(clock, (3_000_000_000,))]
    first, second = measure(works, timer, 1)
    assert (first.samples_s, second.samples_s) == ((5.0,), (3.0,))
    assert (first.steady, first.stopped) == (False, "budget")
    assert [work.calls for work in works] == [2, 2]


class CtrlC(FakeWork):
    """Raises at its 21st call."""

    def __call__(self) -> None:
        super().__call__()
        if self.calls > 20:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_measured() -> None:
    clock, timer = fake_timer()
    noise = tuple(1_000_000 * (1 + call % 3) for call in range(80))
    first, second = measure([FakeWork(clock, noise), CtrlC(clock, noise)], timer, FOREVER_NS)
    assert first.stopped == second.stopped == "interrupt"
    assert len(first.samples_s) == len(second.samples_s) + 1 > 1


def test_a_later_pass_takes_its_blocks_from_an_earlier_one_and_is_warm() -> None:
    clock, timer = fake_timer(read_ns=50)
    work = FakeWork(clock, (1_000,))
    (sampling,) = measure([work], timer, FOREVER_NS, course=Course(blocks=(500,)))
    assert (sampling.calls, sampling.warm_up_calls, sampling.steady) == (500, 0, True)
    # Six samples, each after an untimed call.
    assert work.calls == 6 * 501


def test_a_contender_that_has_no_block_yet_grows_one() -> None:
    clock, timer = fake_timer(read_ns=50)
    works = [FakeWork(clock, (1_000,)), FakeWork(clock, (1_000,))]
    first, second = measure(works, timer, FOREVER_NS, course=Course(blocks=(None, 7)))
    assert first.calls >= 500
    assert second.calls == 7


@pytest.mark.parametrize(("end_ns", "counts"), [(10**18, (3, 3)), (36_000_000, (2, 2)), (0, (1, 1))])
def test_the_least_samples_are_taken_past_the_deadline_until_the_end(end_ns: int, counts: tuple[int, int]) -> None:
    clock, timer = fake_timer()
    works = [FakeWork(clock, (5_000_000,)), FakeWork(clock, (1_000_000,))]
    course = Course(least=3, end_ns=end_ns)
    first, second = measure(works, timer, 1, course=course)
    # Each warms up with one block of an untimed and a timed call, 12 ms; a round takes as long.
    assert (len(first.samples_s), len(second.samples_s)) == counts
    assert first.stopped == "budget"


def test_spoiled_samples_are_dropped_and_counted() -> None:
    clock, timer = fake_timer()
    verdicts = iter([True, False, True, True])
    works = [FakeWork(clock, (1_000_000,)), FakeWork(clock, (2_000_000,))]
    course = Course(spoiled=lambda: next(verdicts, False))
    first, second = measure(works, timer, FOREVER_NS, course=course)
    # In turn: the first's, the second's, the first's, the second's.
    assert (first.dropped, second.dropped) == (2, 1)
    assert first.samples_s == (1e-3,) * 6
    assert second.samples_s == (2e-3,) * 7


def test_a_gpu_that_is_throttled_for_ever_leaves_the_warm_up() -> None:
    clock, timer = fake_timer()
    (sampling,) = measure([FakeWork(clock, (1_000_000,))], timer, 50_000_000, course=Course(spoiled=lambda: True))
    assert (sampling.samples_s, sampling.stopped) == ((1e-3,), "budget")
    assert sampling.dropped > 6


class Breaks(FakeWork):
    """Raises from a call on."""

    last = 0
    error: Exception = RuntimeError("out of memory")

    def __call__(self) -> None:
        super().__call__()
        if self.calls > self.last:
            raise self.error


@pytest.mark.parametrize("last", [0, 3, 8])
def test_a_contender_that_raises_drops_out_and_the_others_go_on(last: int) -> None:
    clock, timer = fake_timer()
    broken = Breaks(clock, (1_000_000,))
    broken.last = last
    first, second = measure([broken, FakeWork(clock, (1_000_000,))], timer, FOREVER_NS)
    assert (first.stopped, str(first.error)) == ("error", "out of memory")
    assert (second.stopped, second.error, len(second.samples_s)) == ("noise", None, 6)


def test_where_all_raise_it_is_over() -> None:
    clock, timer = fake_timer()
    (sampling,) = measure([Breaks(clock, (1_000_000,))], timer, FOREVER_NS)
    assert (sampling.samples_s, sampling.stopped) == ((), "error")


def test_past_the_deadline_one_that_raised_has_no_sample() -> None:
    clock, timer = fake_timer()
    first, second = measure([Breaks(clock, (1_000_000,)), FakeWork(clock, (1_000_000,))], timer, 1)
    assert (first.samples_s, second.samples_s) == ((), (1e-3,))


def test_a_bug_is_no_failure_of_the_contender() -> None:
    clock, timer = fake_timer()
    broken = Breaks(clock, (1_000_000,))
    broken.error = TypeError("a bug")
    with pytest.raises(TypeError, match="a bug"):
        measure([broken], timer, FOREVER_NS)


@pytest.mark.parametrize(
    ("stops", "gravest"),
    [
        (("noise", "noise"), "noise"),
        (("budget", "noise"), "budget"),
        (("noise", "interrupt", "budget"), "interrupt"),
        (("budget", "error"), "error"),
    ],
)
def test_of_several_passes_the_gravest_end_is_told(stops: tuple[Any, ...], gravest: str) -> None:
    samplings = [Sampling((1.0,), 2, 3, place > 0, stop, 1) for place, stop in enumerate(stops)]
    found = pooled(samplings)
    assert (found.stopped, found.steady, found.dropped, found.warm_up_calls) == (
        gravest,
        # The last pass tells: it goes on where the first one's warm-up ended.
        len(stops) > 1,
        len(stops),
        3 * len(stops),
    )


def test_no_contenders_are_no_samples() -> None:
    assert measure([], HostTimer(FakeClock()), FOREVER_NS) == []
