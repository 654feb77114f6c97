from pathlib import Path

import pytest

from segcli.bench.measuring.processor import Processor, processor


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Lay out what Linux shows of a laptop."""
    cache = tmp_path / "cpu/cpu0/cache"
    for index, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2048K"), ("3", "Unified", "24M")]
    ):
        write(cache / f"index{index}", level=level, type=kind, size=size)
    write(cache / "index4", level="4", type="Unified", size="")
    write(
        tmp_path / "cpu/cpu0/cpufreq",
        scaling_governor="powersave",
        scaling_cur_freq="1400000",
        cpuinfo_max_freq="4800000",
    )
    write(tmp_path / "supplies/AC", type="Mains", online="0")
    write(tmp_path / "supplies/BAT0", type="Battery", capacity="80")
    return tmp_path


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")


def described(system: Path) -> Processor:
    return processor(system / "cpu", system / "supplies", system / "cpuinfo")


def test_a_laptop_is_described(system: Path) -> None:
    assert described(system) == Processor(
        caches={"L1d": 49152, "L1i": 32768, "L2": 2097152, "L3": 25165824},
        governor="powersave",
        clock_hz=1.4e9,
        max_clock_hz=4.8e9,
        on_battery=True,
    )


def test_on_mains_it_is_not_on_battery(system: Path) -> None:
    write(system / "supplies/AC", online="1")
    assert described(system).on_battery is False


def test_without_a_battery_nobody_runs_on_one(system: Path) -> None:
    write(system / "supplies/BAT0", type="USB")
    assert described(system).on_battery is None


def test_a_virtual_machine_says_little(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\ncpu MHz\t\t: 2596.120\n")
    assert described(tmp_path) == Processor(clock_hz=2.59612e9)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")
    assert described(tmp_path) == Processor()


def test_this_machine_is_described_without_trouble() -> None:
    assert all(size > 0 for size in processor().caches.values())
