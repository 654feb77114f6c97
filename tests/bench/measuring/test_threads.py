from pathlib import Path

import pytest
import torch

from segcli.bench.measuring import threads as module
from segcli.bench.measuring.threads import untimed_threads, waiting_s


@pytest.fixture(autouse=True)
def _two_threads_on_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [2]
    monkeypatch.setattr(module, "cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: used[-1])
    monkeypatch.setattr(torch, "set_num_threads", used.append)


@pytest.mark.parametrize(("busy", "count"), [(0.0, 2), (1.9, 2), (2.0, 1), (9.0, 1)])
def test_one_thread_where_others_are_busy(busy: float, count: int) -> None:
    with untimed_threads(lambda: (busy, 0.0, 0.0)) as found:
        assert found == torch.get_num_threads() == count
    assert torch.get_num_threads() == 2


def test_what_threads_waited_is_added_up(tmp_path: Path) -> None:
    for task, text in {"1": "5 2000000000 7", "2": "5 500000000 7", "3": "gone", "4": ""}.items():
        (tmp_path / task).mkdir()
        (tmp_path / task / "schedstat").write_text(text)
    (tmp_path / "5").mkdir()
    assert waiting_s(tmp_path) == 2.5
    assert waiting_s(tmp_path / "none") == 0
    assert waiting_s() >= 0


def test_threads_come_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="not today"), untimed_threads(lambda: (9.0,)):
        message = "not today"
        raise RuntimeError(message)
    assert torch.get_num_threads() == 2


def test_a_system_that_does_not_say_is_taken_to_be_idle() -> None:
    def silent() -> tuple[float, ...]:
        raise OSError

    with untimed_threads(silent) as found:
        assert found == 2
