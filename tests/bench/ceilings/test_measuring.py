from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from segcli.bench.ceilings import measuring, workloads
from segcli.bench.ceilings.ceiling import Bandwidth
from segcli.bench.ceilings.measuring import best_times, ceilings_of, measure_ceilings
from segcli.bench.ceilings.workloads import Workload, convolution, footprints, matmul, smallest, stream_bytes, streams
from segcli.bench.measuring.timer import HostTimer, timer_for
from segcli.errors import ExitCode, SegcliError
from tests.bench.fakes import FakeClock, FakeWork, fake_timer

CPU = torch.device("cpu")
KIB, MIB = 2**10, 2**20


def takes(clock: FakeClock, *durations_ns: int) -> FakeWork:
    return FakeWork(clock, durations_ns)


def test_footprints_grow_fourfold_to_four_caches_or_256_mib() -> None:
    assert footprints(None) == footprints(8 * MIB) == [64 * KIB * 4**step for step in range(7)]
    assert footprints(100 * MIB)[-3:] == [64 * MIB, 256 * MIB, 400 * MIB]


@given(st.integers(1, 2**31))
def test_the_last_footprint_is_larger_than_every_cache(cache_bytes: int) -> None:
    sizes = footprints(cache_bytes)
    assert sizes[-1] == max(4 * cache_bytes, 256 * MIB)
    assert all(1 < following / size <= 4 for size, following in pairwise(sizes))


@pytest.mark.parametrize(
    ("durations_ns", "expected_s"),
    [((10_000_000,), 1e-2), ((10_000_000, 10_000_000, 30_000_000, 5_000_000, 9_000_000), 5e-3)],
    ids=["steady", "once undisturbed"],
)
def test_the_best_of_all_rounds_counts(durations_ns: tuple[int, ...], expected_s: float) -> None:
    clock, timer = fake_timer()
    workload = Workload("copy", 64, 64, takes(clock, *durations_ns))
    assert best_times([workload], timer, 0, 0.1) == [expected_s]


def test_work_takes_turns_until_the_time_is_spent() -> None:
    clock, timer = fake_timer()
    first, second = takes(clock, 10_000_000), takes(clock, 20_000_000)
    shares: list[float] = []
    best_times([Workload("copy", 64, 64, first), Workload("read", 64, 64, second)], timer, 0, 1.0, shares.append)
    # Each is called once untimed and once timed: to count its calls, and then a turn a round: 60 ms a round.
    assert clock.time_ns == 60_000_000 * 17
    assert first.calls == second.calls == 2 * 17
    assert shares[0] == pytest.approx(0.08)
    assert (shares, shares[-1]) == (sorted(shares), 1.0)


def test_there_are_two_rounds_at_least() -> None:
    clock, timer = fake_timer()
    work = takes(clock, 10_000_000)
    best_times([Workload("copy", 64, 64, work)], timer, 0, 1e-9)
    assert work.calls == 2 * (1 + 2)


def test_short_work_is_called_in_blocks_and_a_graph_counts_what_it_repeats() -> None:
    clock, timer = fake_timer()
    work = takes(clock, 10_000)
    (once_s,) = best_times([Workload("launch", "", 0, work, times=100)], timer, 0, 1e-9)
    assert once_s == pytest.approx(1e-7)
    # 4 ms of single calls to count how many make a block; then two turns of 4 ms, with 10 calls a block and 1 before.
    assert work.calls == 200 * 2 + 2 * 37 * 11


def test_rates_are_amounts_over_best_times_and_the_best_side_counts() -> None:
    clock, _ = fake_timer()
    work = takes(clock, 1)
    of = [
        Workload("write", 64, 64, work),
        Workload("copy", 64, 64, work),
        Workload("read", 64, 64, work),
        Workload("matmul", "float32", 100, work),
        Workload("matmul", "float32", 1000, work),
        Workload("matmul", "float16", 10, work),
        Workload("convolution", "float32", 100, work),
        Workload("convolution", "float16", 100, work),
        Workload("call", "", 0, work),
        Workload("launch", "", 0, work),
    ]
    found = ceilings_of("cuda:0", 2, 123, of, [0.5, 1.0, 2.0, 4.0, 8.0, 0.0, 1.0, 2.0, 0.25, 0.125])
    assert found.bandwidths == (Bandwidth(64, 64.0, 32.0, 128.0),)
    assert found.matmul_flops_per_s == {"float32": 125.0, "float16": 0.0}
    assert found.convolution_flops_per_s == {"float32": 100.0, "float16": 50.0}
    assert found.flops_per_s == {"float32": 125.0, "float16": 50.0}
    assert (found.device, found.threads, found.cache_bytes) == ("cuda:0", 2, 123)
    assert (found.call_s, found.launch_s) == (0.25, 0.125)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let arrays end at 1 MiB."""
    monkeypatch.setattr(workloads, "_LEAST_LAST_BYTES", MIB)
    monkeypatch.setattr(measuring, "last_level_cache_bytes", lambda _: 64 * KIB)


@pytest.mark.usefixtures("small")
def test_ceilings_of_this_machine() -> None:
    shares: list[float] = []
    found = measure_ceilings(CPU, ["bfloat16"], timer_for(CPU), seconds=0.05, advance=shares.append)
    assert [each.footprint_bytes for each in found.bandwidths] == [64 * KIB, 256 * KIB, MIB]
    rates = [(each.copy_bytes_per_s, each.read_bytes_per_s, each.write_bytes_per_s) for each in found.bandwidths]
    assert all(rate > 0 for each in rates for rate in each)
    # Much of what is stored in halves is computed in float32.
    assert set(found.matmul_flops_per_s) == set(found.convolution_flops_per_s) == {"bfloat16", "float32"}
    assert min(found.flops_per_s.values()) > 0
    assert 0 < found.call_s < 1
    assert (found.device, found.threads, found.cache_bytes, found.launch_s) == (
        "cpu",
        torch.get_num_threads(),
        64 * KIB,
        None,
    )
    assert shares[-1] == 1.0


@dataclass
class Products:
    """Stands in for `matmul`: sides are noted, and take what a machine of 10^9 FLOP/s does."""

    clock: FakeClock
    sides: list[int]

    def __call__(self, _: torch.device, dtype: str, side: int) -> Workload:
        self.sides.append(side)
        return Workload("matmul", dtype, 2 * side**3, FakeWork(self.clock, (2 * side**3,)))


def twice_as_fast(clock: FakeClock, _: torch.device, dtype: str, channels: int) -> Workload:
    """Stands in for `convolution`."""
    return Workload("convolution", dtype, 2 * channels**3, FakeWork(clock, (channels**3,)))


def use_fakes(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Products:
    products = Products(clock, [])
    monkeypatch.setattr(measuring, "matmul", products)
    monkeypatch.setattr(measuring, "convolution", partial(twice_as_fast, clock))
    one = Workload("copy", 64, 64, FakeWork(clock, (1000,))), Workload("read", 64, 64, FakeWork(clock, (1000,)))
    monkeypatch.setattr(measuring, "streams", lambda *_: one)
    monkeypatch.setattr(measuring, "smallest", lambda _: [Workload("call", "", 0, FakeWork(clock, (100,)))])
    return products


def test_ceilings_of_a_machine_that_is_known_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_fakes(monkeypatch, clock)
    found = measure_ceilings(CPU, ["float32"], HostTimer(clock), seconds=0.3)
    assert found.matmul_flops_per_s == {"float32": pytest.approx(1e9)}
    assert found.flops_per_s == {"float32": pytest.approx(2e9)}
    (bandwidth,) = found.bandwidths
    assert (bandwidth.copy_bytes_per_s, bandwidth.read_bytes_per_s) == pytest.approx((64e6, 64e6))
    assert found.call_s == pytest.approx(1e-7)


@pytest.mark.parametrize(
    ("limit_s", "largest_side", "sides"),
    [
        (0.01, 2**20, [256]),
        (0.5, 2**20, [256, 384, 512, 768]),
        (1.0, 600, [256, 384, 512]),
        (1e4, 2**20, [2048, 3072, 4096, 6144]),
    ],
    ids=["no time for more", "up to half a second", "no memory for more", "as long as it takes"],
)
def test_sides_grow_as_time_and_memory_allow_and_the_last_four_count(
    monkeypatch: pytest.MonkeyPatch, limit_s: float, largest_side: int, sides: list[int]
) -> None:
    monkeypatch.setattr(measuring, "_SIDES", (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144))
    clock = FakeClock()
    products = use_fakes(monkeypatch, clock)
    made = measuring._products(CPU, "float32", HostTimer(clock), limit_s, largest_side)
    assert [round((each.amount / 2) ** (1 / 3)) for each in made] == sides
    assert products.sides[-len(sides) :] == sides


def test_matrices_take_no_more_than_half_of_the_memory_that_is_left() -> None:
    assert measuring._largest_side(2 * 3 * 8 * 600**2) == 600


@pytest.mark.parametrize(
    ("beyond", "words"),
    [
        (-1_000_000, "measuring ceilings takes 1.00 MB more memory than is available"),
        (1_000_000, "measuring ceilings leaves 1.00 MB of memory, too little for a matrix product"),
    ],
)
@pytest.mark.usefixtures("small")
def test_what_does_not_fit_into_memory_is_refused_before_it_is_allocated(
    monkeypatch: pytest.MonkeyPatch, beyond: int, words: str
) -> None:
    monkeypatch.setattr(measuring, "available_bytes", lambda _: MIB * 3 // 2 + beyond)
    monkeypatch.setattr(measuring, "streams", lambda *_: pytest.fail("arrays were allocated"))
    with pytest.raises(SegcliError, match=words) as caught:
        measure_ceilings(CPU, ["float32"], timer_for(CPU), seconds=0.01)
    assert caught.value.code == ExitCode.UNAVAILABLE


def raising(words: str) -> Callable[..., Workload]:
    def make(*_: object) -> Workload:
        raise RuntimeError(words)

    return make


def test_a_dtype_that_torch_cannot_multiply_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_fakes(monkeypatch, clock)
    monkeypatch.setattr(measuring, "matmul", raising("\"addmm_impl_cpu_\" not implemented for 'Half'"))
    found = measure_ceilings(CPU, ["float64"], HostTimer(clock), seconds=0.1)
    assert (found.matmul_flops_per_s, list(found.flops_per_s)) == ({}, ["float64"])
    monkeypatch.setattr(measuring, "matmul", raising("CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        measure_ceilings(CPU, ["float64"], HostTimer(clock), seconds=0.1)


def test_streams_move_what_they_say() -> None:
    made = list(streams(CPU, [64 * KIB, MIB]))
    assert [(each.what, each.of, each.amount) for each in made] == [
        (what, size, size) for size in (64 * KIB, MIB) for what in ("write", "copy", "read")
    ]
    of = {(each.what, each.of): each.work for each in made}
    written = of["write", MIB]()
    assert isinstance(written, torch.Tensor)
    assert (written.numel() * 4, set(written.tolist())) == (MIB, {0.5})
    target = of["copy", MIB]()
    assert isinstance(target, torch.Tensor)
    assert target.numel() * 4 == MIB // 2
    # What is written first becomes random again before all is read.
    total = of["read", MIB]()
    assert isinstance(total, torch.Tensor)
    assert total.item() == pytest.approx(2 * target.double().sum().item(), rel=1e-5)
    assert len(set(target.tolist())) > 100_000
    assert total.item() / (MIB // 4) == pytest.approx(0.5, abs=0.01)


def test_large_arrays_are_walked_through_a_piece_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "_PIECE_BYTES", 256 * KIB)
    # Four pieces, and a rest that is left out: it would pass for a piece that is done faster.
    made = list(streams(CPU, [MIB + 64 * KIB]))
    assert [(each.what, each.of, each.amount) for each in made] == [
        (what, MIB + 64 * KIB, 256 * KIB) for what in ("write", "copy", "read")
    ]
    for each, bytes_of_output in zip(made[:2], (256 * KIB, 128 * KIB), strict=True):
        walked = [each.work() for _ in range(5)]
        outputs = [output for output in walked if isinstance(output, torch.Tensor)]
        assert [output.nbytes for output in outputs] == [bytes_of_output] * 5
        places = [output.data_ptr() for output in outputs]
        assert [after - before for before, after in pairwise(places[:4])] == [bytes_of_output] * 3
        assert places[4] == places[0]


def test_memory_of_streams_is_what_was_promised() -> None:
    sizes = [64 * KIB, 4 * MIB]
    written = next(iter(streams(CPU, sizes))).work()
    assert isinstance(written, torch.Tensor)
    assert stream_bytes(sizes) <= written.untyped_storage().nbytes() <= stream_bytes(sizes) + MIB


def test_a_convolution_computes_what_it_says() -> None:
    made = convolution(CPU, "float32", 8)
    out = made.work()
    assert isinstance(out, torch.Tensor)
    assert out.shape == (1, 8, 64, 64)
    assert out.is_contiguous(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter:
        made.work()
    assert (made.what, made.of, made.amount) == ("convolution", "float32", counter.get_total_flops())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_product_computes_what_it_says(dtype: str) -> None:
    made = matmul(CPU, dtype, 96)
    out = made.work()
    assert isinstance(out, torch.Tensor)
    assert (made.what, made.of, made.amount) == ("matmul", dtype, 2 * 96**3)
    assert (out.shape, str(out.dtype)) == ((96, 96), f"torch.{dtype}")
    # A sum of 96 products of normal numbers.
    assert out.float().std().item() == pytest.approx(96**0.5, rel=0.1)


def test_the_smallest_call_sets_one_number() -> None:
    (made,) = smallest(CPU)
    out = made.work()
    assert isinstance(out, torch.Tensor)
    assert (made.what, out.numel(), out.item()) == ("call", 1, 0.0)


@pytest.mark.cuda
def test_ceilings_of_a_gpu() -> None:
    device = torch.device("cuda")
    found = measure_ceilings(device, ["float32", "float16"], timer_for(device), seconds=1.5)
    assert found.launch_s is not None
    assert 0 < found.launch_s <= found.call_s
    assert found.flops_per_s["float16"] > found.flops_per_s["float32"]
    assert found.bandwidths[-1].footprint_bytes >= 4 * (found.cache_bytes or 0)
    assert min(each.best_bytes_per_s for each in found.bandwidths) > 0
