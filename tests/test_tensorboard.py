import os
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX.event_file_writer import EventsWriter

from segcli.errors import SegcliError
from segcli.tensorboard import check_folder, scalar_writer


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "val"
    with scalar_writer(folder) as write:
        write("loss/ce", 0.25, 0)
        write("loss/ce", torch.tensor(0.5, dtype=torch.bfloat16).item(), 1)
        write("loss/dice", torch.tensor(2.0, dtype=torch.bfloat16), 7)  # type: ignore[arg-type]
    events = read(folder)
    assert [(event.step, event.value) for event in events.Scalars("loss/ce")] == [(0, 0.25), (1, 0.5)]
    assert [(event.step, event.value) for event in events.Scalars("loss/dice")] == [(7, 2.0)]


def test_two_writers_of_one_second_do_not_truncate_each_other(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        with scalar_writer(tmp_path) as write:
            write(f"loss/{value:g}", value, 0)
    assert len(list(tmp_path.iterdir())) == 2
    assert set(read(tmp_path).Tags()["scalars"]) <= {"loss/1", "loss/2"}


def test_the_suffix_ends_the_name(tmp_path: Path) -> None:
    with scalar_writer(tmp_path, filename_suffix=".rank3"):
        pass
    assert next(tmp_path.iterdir()).name.endswith(".rank3")


def test_it_is_closed_when_the_block_raises(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with scalar_writer(tmp_path) as write:
            write("loss/ce", 1.0, 0)
            raise KeyError

    with pytest.raises(KeyError, match=r"^$"):
        fail_half_way()
    assert read(tmp_path).Scalars("loss/ce")[0].value == 1.0


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SegcliError, match=r"cannot write TensorBoard events to .*file/run: Not a directory"):
        scalar_writer(tmp_path / "file" / "run").__enter__()


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def write_one() -> None:
        with scalar_writer(tmp_path) as write:
            monkeypatch.setattr(EventsWriter, "write_event", full)
            write("loss/ce", 1.0, 0)

    with pytest.raises(SegcliError, match=r"No space left on device") as caught:
        write_one()
    assert caught.value.hint == "choose another folder with --log-dir"


def test_a_folder_that_cannot_be_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_folder(tmp_path / "runs" / "new")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SegcliError, match=r"cannot write TensorBoard events to .*: Not a directory"):
            check_folder(folder)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SegcliError, match="Permission denied"):
        check_folder(tmp_path / "runs")
