from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings, Standing, better
from segcli.bench.ceilings.standing import cache_bytes, footprint_bytes, standing
from segcli.bench.kernel import Mode
from segcli.bench.measuring.conditions import Caches, Span
from segcli.bench.suites import SUITES

KB, MB = 1000, 1_000_000
# Rates in bytes a second that make whole milliseconds: 400 GB/s in the caches, 100 in the last one, 10 from memory.
MACHINE = Ceilings(
    device="cpu",
    threads=2,
    cache_bytes=16 * MB,
    bandwidths=(
        Bandwidth(100 * KB, 50e9, 40e9, 30e9),
        Bandwidth(1 * MB, 300e9, 400e9, 200e9),
        Bandwidth(8 * MB, 80e9, 70e9, 100e9),
        Bandwidth(32 * MB, 20e9, 10e9, 10e9),
        Bandwidth(128 * MB, 10e9, 8e9, 9e9),
    ),
    matmul_flops_per_s={"float32": 1e12, "bfloat16": 2e12, "float16": 1e9},
    call_s=1e-6,
    launch_s=None,
)
HOT, COLD = Caches.HOT, Caches.COLD


def least_ms(n_bytes: int, flops: int, footprint: int, caches: Caches, dtype: str = "float32") -> tuple[float, str]:
    found = standing(n_bytes, flops, footprint, 1.0, dtype, MACHINE, caches)
    assert found is not None
    return found.fraction * 1e3, found.bound


@pytest.mark.parametrize(
    ("n_bytes", "flops", "footprint", "caches", "expected"),
    [
        (8 * MB, 0, 8 * MB, COLD, (0.8, "memory")),
        (8 * MB, 0, 8 * MB, HOT, (0.08, "memory")),
        (9 * MB, 0, 9 * MB, HOT, (0.09, "memory")),
        (2 * MB, 0, 2 * MB, HOT, (0.005, "memory")),
        (128 * MB, 0, 128 * MB, HOT, (12.8, "memory")),
        (31 * MB, 0, 31 * MB, HOT, (1.5, "memory")),
        (40 * MB, 0, 40 * MB, HOT, (2.4, "memory")),
        (80 * MB, 0, 64 * MB, HOT, (4.8, "memory")),
        (80 * MB, 0, 64 * MB, COLD, (6.4, "memory")),
        (24 * MB, 0, 16 * MB, HOT, (0.16, "memory")),
        (400 * MB, 0, 1 * MB, HOT, (1.0, "memory")),
        (400 * MB, 0, 1 * MB, COLD, (1.0, "memory")),
        (4, 0, 4, HOT, (0.001, "call")),
        (4, 0, 4, COLD, (0.001, "call")),
        (8 * MB, 10**9, 8 * MB, HOT, (1.0, "compute")),
        (8 * MB, 10**8, 8 * MB, COLD, (0.8, "memory")),
    ],
    ids=[
        "cold: all from memory",
        "hot: the last cache",
        "hot: as the measured size below",
        "hot: an inner cache",
        "hot: far larger than the caches, as copy_",
        "hot: what does not fit comes from memory",
        "hot: larger than the cache, touched once, streams",
        "hot: touched again: a cache full may be found",
        "cold: touched again, fetched once",
        "hot: touched again, fits",
        "hot: what is touched often passes the fastest cache",
        "cold: and so it does there",
        "a call takes its time",
        "a cold one too",
        "computing",
        "memory is slower",
    ],
)
def test_the_least_time(n_bytes: int, flops: int, footprint: int, caches: Caches, expected: tuple[float, str]) -> None:
    milliseconds, bound = least_ms(n_bytes, flops, footprint, caches)
    assert milliseconds == pytest.approx(expected[0])
    assert bound == expected[1]


@pytest.mark.parametrize(("dtype", "expected_ms"), [("float32", 1.0), ("bfloat16", 0.5), ("float16", 1.0)], ids=str)
def test_halves_may_be_computed_in_float32(dtype: str, expected_ms: float) -> None:
    milliseconds, bound = least_ms(4, 10**9, 4, HOT, dtype)
    assert milliseconds == pytest.approx(expected_ms)
    assert bound == "compute"


def test_a_device_clock_sees_no_call_from_the_host() -> None:
    of_device = (4, 0, 4, 2e-6, "float32")
    assert standing(*of_device, MACHINE, HOT, Span.HOST) == Standing(0.5, "call")
    assert standing(*of_device, replace(MACHINE, launch_s=5e-7), HOT, Span.DEVICE) == Standing(0.25, "call")
    # Nothing is known of launches: what is left is memory's.
    found = standing(*of_device, MACHINE, HOT, Span.DEVICE)
    assert found is not None
    assert found.fraction == pytest.approx(5e-6)
    assert found.bound == "memory"


@pytest.mark.parametrize(
    ("flops", "median_s", "dtype"), [(1, 0.0, "float32"), (1, None, "float32"), (1, 1.0, "float64")]
)
def test_there_is_none_without_a_time_or_a_ceiling(flops: int, median_s: float | None, dtype: str) -> None:
    assert standing(4, flops, 4, median_s, dtype, MACHINE, HOT) is None


def test_without_flops_none_need_be_known() -> None:
    found = standing(8 * MB, 0, 8 * MB, 8e-4, "float64", MACHINE, COLD)
    assert found is not None
    assert found.fraction == pytest.approx(1.0)


def test_an_unknown_cache_is_at_most_a_quarter_of_what_was_measured() -> None:
    assert cache_bytes(MACHINE) == 16 * MB
    assert cache_bytes(replace(MACHINE, cache_bytes=None)) == 32 * MB


@given(st.integers(1, 2**32), st.integers(0, 2**40), st.integers(1, 2**32), st.sampled_from(list(Caches)))
@example(20 * MB, 0, 20 * MB, Caches.HOT)
@example(80 * MB, 0, 40 * MB, Caches.HOT)
def test_cold_takes_no_less_than_hot_and_more_work_no_less(
    n_bytes: int, flops: int, footprint: int, caches: Caches
) -> None:
    footprint = min(footprint, n_bytes)
    least, _ = least_ms(n_bytes, flops, footprint, caches)
    cold, _ = least_ms(n_bytes, flops, footprint, COLD)
    assert least <= cold * (1 + 1e-12)
    assert least <= least_ms(n_bytes, 2 * flops, footprint, caches)[0]
    assert cold <= least_ms(2 * n_bytes, flops, 2 * footprint, COLD)[0]
    assert least >= MACHINE.call_s * 1e3


@given(st.sampled_from([128 * MB, 300 * MB, 2**32]), st.sampled_from(list(Caches)))
def test_what_copies_large_arrays_at_their_rate_stands_at_one(n_bytes: int, caches: Caches) -> None:
    found = standing(n_bytes, 0, n_bytes, n_bytes / 10e9, "float32", MACHINE, caches)
    assert found is not None
    assert found.fraction == pytest.approx(1.0)
    assert found.bound == "memory"


@pytest.mark.parametrize("suite", ["loss", "conv", "norm", "index"])
def test_training_touches_at_least_what_either_half_does(suite: str) -> None:
    chosen = SUITES[suite]
    for kernel in chosen.kernels:
        forward = kernel.cost(chosen.case, Mode.FORWARD).bytes
        assert footprint_bytes(kernel, chosen.case, Mode.FORWARD) == forward
        if kernel.backward is not None:
            backward = kernel.backward(chosen.case).bytes
            assert footprint_bytes(kernel, chosen.case, Mode.TRAINING) == max(forward, backward)


def test_of_two_measurements_the_better_of_each_is_kept() -> None:
    other = replace(
        MACHINE,
        bandwidths=(Bandwidth(100 * KB, 60e9, 30e9, 20e9), Bandwidth(512 * MB, 11e9, 1e9, 1e9)),
        matmul_flops_per_s={"float32": 2e12, "float64": 5e11},
        call_s=2e-6,
        launch_s=3e-6,
    )
    merged = better(MACHINE, other)
    assert merged == better(other, MACHINE)
    assert merged.bandwidths[0] == Bandwidth(100 * KB, 60e9, 40e9, 30e9)
    assert merged.bandwidths[-1] == other.bandwidths[-1]
    assert [each.footprint_bytes for each in merged.bandwidths] == [
        100 * KB,
        1 * MB,
        8 * MB,
        32 * MB,
        128 * MB,
        512 * MB,
    ]
    assert merged.flops_per_s == {"float32": 2e12, "bfloat16": 2e12, "float16": 1e9, "float64": 5e11}
    assert (merged.call_s, merged.launch_s) == (1e-6, 3e-6)
    assert better(MACHINE, MACHINE) == MACHINE


def test_ceilings_of_other_devices_are_not_merged() -> None:
    with pytest.raises(ValueError, match=r"ceilings of \('cpu', 2, 16000000\) and of \('cuda:0', 2, 16000000\)"):
        better(MACHINE, replace(MACHINE, device="cuda:0"))
