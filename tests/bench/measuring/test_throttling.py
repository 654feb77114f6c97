import ctypes
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segcli.bench.measuring.throttling import throttling_of

CUDA = torch.device("cuda")


@dataclass
class FakeDriver:
    """The functions of NVML that are called, with the values that they write."""

    reasons: int = 0
    clock_mhz: int = 1980
    most_mhz: int = 1980
    codes: dict[str, int] = field(default_factory=dict)
    uuid: bytes = b""

    def _code(self, name: str) -> int:
        return self.codes.get(name, 0)

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's name
        return self._code("init")

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, _handle: Any) -> int:  # noqa: ANN401, N802 - as above
        self.uuid = uuid
        return self._code("handle")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _handle: Any, into: Any) -> int:  # noqa: ANN401, N802 - as above
        into._obj.value = self.reasons
        return self._code("reasons")

    def nvmlDeviceGetClockInfo(self, _handle: Any, kind: int, into: Any) -> int:  # noqa: ANN401, N802 - as above
        into._obj.value = self.clock_mhz if kind == 1 else 0
        return self._code("clock")

    def nvmlDeviceGetMaxClockInfo(self, _handle: Any, kind: int, into: Any) -> int:  # noqa: ANN401, N802 - as above
        into._obj.value = self.most_mhz if kind == 1 else 0
        return 0


@pytest.fixture(autouse=True)
def _one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="0a-1b"))


@pytest.mark.parametrize(
    ("reasons", "clock_mhz", "throttled"),
    [
        (0x0, 1980, False),
        # Idle, set by the user, at the power limit: the clock alone tells.
        (0x1 | 0x2 | 0x4, 1600, False),
        (0x4, 1480, True),
        (0x8, 1980, True),
        (0x20, 1980, True),
        (0x40, 1980, True),
        (0x80, 1980, True),
        (0x0, 1485, False),
    ],
)
def test_a_gpu_that_is_slowed_down_is_throttled(reasons: int, clock_mhz: int, *, throttled: bool) -> None:
    driver = FakeDriver()
    found = throttling_of(CUDA, lambda _: driver)
    assert found.how == "NVML: slowed down, or an SM clock below 75% of 1980 MHz"
    assert driver.uuid == b"GPU-0a-1b"
    driver.reasons, driver.clock_mhz = reasons, clock_mhz
    assert found.seen() == throttled


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("init", "not seen: nvmlInit failed with NVML's code 9"),
        ("handle", "not seen: nvmlDeviceGetHandleByUUID failed with NVML's code 9"),
        ("reasons", "not seen: reading why clocks changed failed with NVML's code 9"),
        ("clock", "not seen: reading the SM clock failed with NVML's code 9"),
    ],
)
def test_a_driver_that_does_not_answer_is_said_and_nothing_is_dropped(name: str, why: str) -> None:
    found = throttling_of(CUDA, lambda _: FakeDriver(codes={name: 9}))
    assert (found.seen(), found.how) == (False, why)


def test_without_a_driver_it_is_said_too() -> None:
    def load(name: str) -> ctypes.CDLL:
        message = f"{name}: cannot open shared object file"
        raise OSError(message)

    found = throttling_of(CUDA, load)
    assert (found.seen(), found.how) == (False, "not seen: libnvidia-ml.so.1: cannot open shared object file")


def test_on_a_cpu_nobody_looks() -> None:
    found = throttling_of(torch.device("cpu"))
    assert (found.seen(), found.how) == (False, "not looked at on a CPU")


@pytest.mark.cuda
def test_the_driver_answers_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert throttling_of(CUDA).how.startswith("NVML: slowed down")
