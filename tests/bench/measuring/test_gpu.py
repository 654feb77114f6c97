import ctypes
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segcli.bench.measuring.gpu import Gpu, gpu_of

CUDA = torch.device("cuda")
KNOWN = Gpu("Example GPU", 80 * 10**9, "9.0", str(torch.version.cuda), torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
CLOCKS = {1: 1410, 2: 2619}


def fill(number: int) -> Any:  # noqa: ANN401 - what ctypes would give
    def answer(*arguments: Any) -> int:  # noqa: ANN401 - a handle and a reference
        arguments[-1]._obj.value = number
        return 0

    return answer


def clock(_: object, which: int, reference: Any) -> int:  # noqa: ANN401 - a reference
    reference._obj.value = CLOCKS[which]
    return 0


def version(buffer: Any, length: int) -> int:  # noqa: ANN401 - a buffer
    assert len(buffer) == length
    buffer.value = b"570.1"
    return 0


@pytest.fixture(autouse=True)
def _a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="Example GPU", total_memory=80 * 10**9, major=9, minor=0, uuid="abc")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)


def driver(**other: Any) -> SimpleNamespace:  # noqa: ANN401 - functions of a library
    functions = {
        "nvmlInit_v2": lambda: 0,
        "nvmlDeviceGetHandleByUUID": lambda name, _: 0 if name == b"GPU-abc" else 6,
        "nvmlSystemGetDriverVersion": version,
        "nvmlDeviceGetEnforcedPowerLimit": fill(700_000),
        "nvmlDeviceGetClockInfo": clock,
        "nvmlDeviceGetMaxClockInfo": fill(1980),
    }
    return SimpleNamespace(**{**functions, **other})


def test_the_driver_tells_clocks_and_the_power_limit() -> None:
    found = gpu_of(CUDA, lambda _: driver())
    assert (found.name, found.capability, found.driver) == ("Example GPU", "9.0", "570.1")
    assert (found.sm_clock_hz, found.max_sm_clock_hz, found.memory_clock_hz) == (1.41e9, 1.98e9, 2.619e9)
    assert found.power_limit_w == 700


def missing(name: str) -> ctypes.CDLL:
    message = f"{name}: cannot open shared object file"
    raise OSError(message)


@pytest.mark.parametrize(
    "load",
    [missing, lambda _: driver(nvmlInit_v2=lambda: 9), lambda _: SimpleNamespace()],
    ids=["no driver", "it refuses", "another library"],
)
def test_a_driver_that_says_nothing_is_no_trouble(load: Any) -> None:  # noqa: ANN401 - opens a library
    assert gpu_of(CUDA, load) == KNOWN
