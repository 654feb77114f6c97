import gc
import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from segcli import __version__
from segcli.bench.measuring import environment as module
from segcli.bench.measuring.environment import (
    Flags,
    available_bytes,
    cpu_name,
    environment_of,
    require_tf32,
    settled_process,
)
from segcli.errors import ExitCode, SegcliError

FLAGS = Flags(flush_denormal=True, keep_freed_memory=True, tf32=False, cudnn_benchmark=False, garbage_collection=False)
CPU = torch.device("cpu")


def flushes() -> bool:
    return (torch.tensor(1e-310, dtype=torch.float64) * 1).item() == 0


def test_a_settled_process_flushes_denormals_and_does_not_collect() -> None:
    with settled_process() as flags:
        assert flags.flush_denormal == flushes()
        assert not gc.isenabled()
        assert not torch.backends.cudnn.allow_tf32
    assert not flushes()
    assert gc.isenabled()
    assert torch.backends.cudnn.allow_tf32


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with settled_process():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_another_malloc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace())
    with settled_process() as flags:
        assert not flags.keep_freed_memory


def test_the_environment_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("HOME_ALONE", "1")
    found = environment_of(CPU, FLAGS)
    assert (found.torch, found.python) == (torch.__version__, platform.python_version())
    assert found.threads == torch.get_num_threads()
    assert found.gpu is None
    assert found.variables["OMP_NUM_THREADS"] == "2"
    assert "HOME_ALONE" not in found.variables
    assert found.cores >= 1


def test_a_system_that_says_little_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def silent() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "none")
    monkeypatch.setattr(module, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(os, "getloadavg", silent)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    found = environment_of(CPU, FLAGS)
    assert found.cpu == (platform.processor() or platform.machine())
    assert found.load is None
    assert found.cores == (os.cpu_count() or 1)
    assert available_bytes(CPU) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_processor_is_read_from_its_description(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    description = tmp_path / "cpuinfo"
    description.write_text("processor\t: 0\nmodel name\t: Example CPU @ 2 GHz\n")
    monkeypatch.setattr(module, "_CPUINFO", description)
    assert cpu_name() == "Example CPU @ 2 GHz"
    description.write_text("processor\t: 0\n")
    assert cpu_name() == (platform.processor() or platform.machine())


def test_available_memory_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  100 kB\nMemAvailable:   42 kB\n")
    monkeypatch.setattr(module, "_MEMINFO", meminfo)
    assert available_bytes(CPU) == 42 * 1024
    meminfo.write_text("MemTotal:  100 kB\n")
    assert available_bytes(CPU) > 42 * 1024


def test_a_gpu_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gpu_of", lambda device: f"the GPU of {device}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10, 20))
    cuda = torch.device("cuda")
    assert str(environment_of(cuda, FLAGS).gpu) == "the GPU of cuda"
    assert available_bytes(cuda) == 10


def test_what_torch_was_built_with_is_told() -> None:
    found = environment_of(CPU, FLAGS)
    assert found.segcli == __version__
    assert found.interop_threads == torch.get_num_interop_threads()
    assert found.torch_config[0] == "PyTorch built with:"
    assert any(line.startswith("CPU capability usage: ") for line in found.torch_config)


def test_tf32_is_allowed_for_the_run_alone() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with settled_process(tf32=True) as flags:
        assert (flags.tf32, torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True,) * 3
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_tf32_needs_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegcliError, match="--tf32 is of CUDA devices, the kernels run on cpu"):
        require_tf32(CPU)
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    require_tf32(cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    with pytest.raises(SegcliError, match=r"cuda has capability 7\.5, and TF32 needs 8\.0") as caught:
        require_tf32(cuda)
    assert caught.value.code is ExitCode.UNAVAILABLE
