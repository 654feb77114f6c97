import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from segcli.bench.ceilings.last_level import last_level_cache_bytes

CPU = torch.device("cpu")
MIB = 2**20


def write_cpu(folder: Path, cpu: int, *caches: tuple[str, str, str, str]) -> None:
    for place, values in enumerate(caches):
        index = folder / f"cpu{cpu}" / "cache" / f"index{place}"
        index.mkdir(parents=True)
        for name, value in zip(("level", "type", "size", "shared_cpu_list"), values, strict=True):
            (index / name).write_text(value + "\n")


def use_cpus(monkeypatch: pytest.MonkeyPatch, *cpus: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(cpus))


def test_a_cache_that_cores_share_counts_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_cpus(monkeypatch, 0, 1)
    for cpu in (0, 1):
        inner = ("2", "Unified", "1024K", str(cpu))
        write_cpu(tmp_path, cpu, ("1", "Data", "48K", str(cpu)), inner, ("3", "Unified", "32768K", "0-1"))
    assert last_level_cache_bytes(CPU, tmp_path) == 32 * MIB


def test_caches_of_several_dies_add_up_where_their_cores_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for cpu, die in ((0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")):
        write_cpu(tmp_path, cpu, ("3", "Unified", "16M", die))
    use_cpus(monkeypatch, 0, 1, 2)
    assert last_level_cache_bytes(CPU, tmp_path) == 32 * MIB
    use_cpus(monkeypatch, 3)
    assert last_level_cache_bytes(CPU, tmp_path) == 16 * MIB


def test_instructions_are_no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_cpus(monkeypatch, 0)
    write_cpu(tmp_path, 0, ("1", "Data", "49152", "0"), ("1", "Instruction", "64K", "0"))
    assert last_level_cache_bytes(CPU, tmp_path) == 48 * 2**10


@pytest.mark.parametrize("caches", [(), (("3", "Unified", "", "0"),), (("three", "Unified", "32M", "0"),)])
def test_a_system_that_does_not_say_is_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caches: tuple[tuple[str, str, str, str], ...]
) -> None:
    use_cpus(monkeypatch, 0)
    write_cpu(tmp_path, 0, *caches)
    (tmp_path / "cpu0" / "cache" / "index9").mkdir(parents=True)
    assert last_level_cache_bytes(CPU, tmp_path) is None


def test_without_an_affinity_all_cpus_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for cpu in range(3):
        write_cpu(tmp_path, cpu, ("3", "Unified", "1M", str(cpu)))
    assert last_level_cache_bytes(CPU, tmp_path) == 2 * MIB


@pytest.mark.parametrize(("size", "expected"), [(50 * MIB, 50 * MIB), (0, None)])
def test_of_a_gpu_it_is_l2(monkeypatch: pytest.MonkeyPatch, size: int, expected: int | None) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(L2_cache_size=size))
    assert last_level_cache_bytes(torch.device("cuda")) == expected
