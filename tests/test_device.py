import pytest
import torch

from segcli.device import DTYPES, resolve_device, resolve_dtype, use_threads
from segcli.errors import ExitCode, SegcliError


def test_the_cpu_is_always_here() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


def test_auto_is_the_best_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "xpu", "meta"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(SegcliError, match=f"unknown device {name!r}") as caught:
        resolve_device(name)
    assert caught.value.code == ExitCode.USAGE


def test_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(SegcliError, match="device cuda is not available here: this torch was built without") as caught:
        resolve_device("cuda")
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize("name", ["mps", "mps:0"])
def test_devices_that_are_not_here(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SegcliError, match=f"device {name} is not available here") as caught:
        resolve_device(name)
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_mps_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("mps").type == "mps"


@pytest.mark.parametrize(
    ("count", "words"), [(1, "sees 1 CUDA device"), (2, "sees 2 CUDA devices")], ids=["one", "two"]
)
def test_a_gpu_too_many(count: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert resolve_device(f"cuda:{count - 1}").index == count - 1
    with pytest.raises(SegcliError, match=f"device cuda:{count} is not here: torch {words}") as caught:
        resolve_device(f"cuda:{count}")
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert caught.value.hint == f"use cuda:0 to cuda:{count - 1}"


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str) -> None:
    assert str(resolve_dtype(name)) == f"torch.{name}"


def test_an_unknown_dtype() -> None:
    with pytest.raises(SegcliError, match="unknown dtype 'floatt16'") as caught:
        resolve_dtype("floatt16")
    assert "float16" in caught.value.hint


def test_threads() -> None:
    before = torch.get_num_threads()
    try:
        assert use_threads(1) == torch.get_num_threads() == 1
        assert use_threads(None) == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1025, 10**20])
def test_a_number_of_threads_that_no_machine_has(count: int) -> None:
    with pytest.raises(SegcliError, match=f"--threads is {count}, expected 1 to 1024"):
        use_threads(count)
