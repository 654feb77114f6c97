import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from segcli.bench.measuring.conditions import Condition
from tests.bench.fakes import FakeClock, FakeWork, fake_instruments


@pytest.fixture(name="aa_runs")
def _aa_runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[3] / "docs" / "examples" / "aa_runs.py"
    spec = spec_from_file_location("aa_runs", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "aa_runs", module)
    spec.loader.exec_module(module)
    return module


def test_kernels_are_slowed_by_a_tenth_and_the_reference_is_not(
    aa_runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(read_ns=1)
    copy, kernel = FakeWork(clock, (5_000,)), FakeWork(clock, (1_000_000,))
    # What keeps the core busy reads the same clock as what times.
    monkeypatch.setattr(aa_runs.time, "perf_counter_ns", clock.now_ns)
    slowed = aa_runs._slowing(fake_instruments(clock, workload=lambda: {"copy": copy}))
    assert slowed.workload() == {"copy": copy}
    timer = slowed.timer_of(Condition())
    assert timer is slowed.timer_of(Condition())
    assert timer.time_s(copy, 10) == pytest.approx(10 * 5e-6, rel=1e-3)
    assert timer.time_s(kernel, 10) == pytest.approx(10 * 1.1e-3, rel=1e-3)
