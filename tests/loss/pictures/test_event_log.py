from fractions import Fraction
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

from segcli.errors import SegcliError
from segcli.loss.pictures.event_log import event_log
from segcli.loss.pictures.heatmap import write_heatmaps
from segcli.loss.result import SweepPoint
from segcli.nn.kernels.selection import histogram


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_each_file_is_a_step(tmp_path: Path) -> None:
    with event_log(tmp_path) as log:
        for step in range(5):
            log.file(step, {"ce": step / 4, "dice": None if step else 0.5})
        log.whole({"loss/ce": 0.5, "ce_by_class/traffic light": 0.25})
    events = read(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("file/ce")] == [(s, s / 4) for s in range(5)]
    assert [(event.step, event.value) for event in events.Scalars("file/dice")] == [(0, 0.5)]
    assert events.Scalars("loss/ce")[0].value == 0.5
    assert events.Scalars("ce_by_class/traffic_light")[0].value == 0.25


def test_each_rank_has_a_run_of_its_own(tmp_path: Path) -> None:
    for rank in range(3):
        with event_log(tmp_path, rank=rank) as log:
            for step in range(rank, 9, 3):
                log.file(step, {"ce": float(step)})
    for rank, folder in enumerate((tmp_path, tmp_path / "rank1", tmp_path / "rank2")):
        assert [event.step for event in read(folder).Scalars("file/ce")] == list(range(rank, 9, 3))


def test_two_logs_of_one_second_are_both_kept(tmp_path: Path) -> None:
    with event_log(tmp_path) as first, event_log(tmp_path) as second:
        first.file(0, {"ce": 1.0})
        second.file(0, {"dice": 2.0})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    tags = {tag for name in names for tag in EventAccumulator(str(tmp_path / name)).Reload().Tags()["scalars"]}
    assert tags == {"file/ce", "file/dice"}


def test_pixel_losses_are_a_histogram(tmp_path: Path) -> None:
    losses = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 3
    counts = histogram(torch.cat([losses, torch.tensor([torch.inf, -1.0])]))
    with event_log(tmp_path) as log:
        log.pixel_losses(counts.tolist(), "ohem", 7)
    shown = read(tmp_path).Histograms("pixels/ohem")[0]
    assert (shown.step, shown.histogram_value.num) == (7, 1000)
    assert shown.histogram_value.sum == pytest.approx(float(losses.sum()), rel=0.01)
    assert float(losses.max()) <= shown.histogram_value.max < float(losses.max()) * 1.125


def test_heatmaps_and_notes_are_shown(tmp_path: Path) -> None:
    (path,) = write_heatmaps(tmp_path / "heat", "val/0001", torch.rand(1, 8, 8), threshold=0.357)
    with event_log(tmp_path / "log") as log:
        log.heatmap("val/0001", path.read_bytes(), 3)
        log.note("settings", "thresh **0.7**")
    events = read(tmp_path / "log")
    shown = events.Images("hard/val/0001")[0]
    assert (shown.step, shown.width, shown.encoded_image_string) == (3, 720, path.read_bytes())
    assert events.Tags()["tensors"] == ["settings/text_summary"]


def test_each_point_of_a_sweep_is_a_run(tmp_path: Path) -> None:
    points = [
        SweepPoint(loss, {"thresh": thresh, "n_min": Fraction(1, 16), "alpha": [1, 2]}, value, kept)
        for thresh, value in ((0.6, 1.5), (0.7, 1.25))
        for loss, kept in (("ohem", 0.1), ("focal", None))
    ]
    with event_log(tmp_path) as log:
        log.sweep(points, {"ignore_index": 255})
    folders = sorted((tmp_path / "sweep").iterdir())
    assert [folder.name for folder in folders] == [
        "000,thresh=0.6,n_min=1_16,alpha=_1__2_",
        "001,thresh=0.7,n_min=1_16,alpha=_1__2_",
    ]
    events = read(folders[1])
    assert sorted(events.Tags()["scalars"]) == ["kept/ohem", "loss/focal", "loss/ohem"]
    assert events.Scalars("kept/ohem")[0].value == pytest.approx(0.1)
    content = events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
    started = parse_session_start_info_plugin_data(content).hparams
    assert {name: value.number_value for name, value in started.items()} == {
        "thresh": 0.7,
        "n_min": 0.0625,
        "alpha": 0.0,
        "ignore_index": 255.0,
    }
    assert started["alpha"].string_value == "[1, 2]"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegcliError, match=r"cannot write TensorBoard events to .*file: File exists"):
        event_log(tmp_path / "file").__enter__()
