import io
import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.context import RequestContext
from tensorboard.data_compat import migrate_value
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler
from tensorboard.util import tensor_util
from tensorboardX.event_file_writer import EventsWriter

from segcli.errors import SegcliError
from segcli.tensorboard import check_folder, event_writer, scalar_writer


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


def png(mode: str, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format="png")
    return buffer.getvalue()


def test_numbers_of_a_step_are_one_record(tmp_path: Path) -> None:
    with event_writer(tmp_path) as events:
        events.scalars({"a": Fraction(1, 4), "b/two words": torch.tensor([2.0], dtype=torch.bfloat16)}, 3)  # type: ignore[dict-item]
    written = read(tmp_path)
    assert [(event.step, event.value) for event in written.Scalars("a")] == [(3, 0.25)]
    assert [(event.step, event.value) for event in written.Scalars("b/two_words")] == [(3, 2.0)]


def test_a_histogram_has_its_counts_between_its_edges(tmp_path: Path) -> None:
    values = np.random.default_rng(0).exponential(size=1000)
    counts, edges = np.histogram(values, np.linspace(-1, values.max() + 1, 40))
    with event_writer(tmp_path) as events:
        events.histogram("pixels/ce", edges.tolist(), counts.tolist(), 2)
    shown = read(tmp_path).Histograms("pixels/ce")[0]
    held = shown.histogram_value
    assert (shown.step, held.num) == (2, 1000)
    assert held.sum == pytest.approx(values.sum(), rel=0.05)
    assert held.sum_squares == pytest.approx((values**2).sum(), rel=0.05)
    # What TensorBoard makes of it: left edge, right edge, count.
    event = Event()
    histo = event.summary.value.add(tag="pixels/ce").histo
    histo.CopyFrom(type(histo)(**{f: getattr(held, f) for f in ("min", "max", "bucket_limit", "bucket")}))
    buckets = tensor_util.make_ndarray(migrate_value(event.summary.value[0]).tensor)
    filled = counts.nonzero()[0]
    first, end = filled[0], filled[-1] + 1
    expected = np.stack([edges[first:end], edges[first + 1 : end + 1], counts[first:end]], axis=1)
    assert buckets == pytest.approx(expected)


def test_an_empty_histogram_is_one(tmp_path: Path) -> None:
    with event_writer(tmp_path) as events:
        events.histogram("none", [0.0, 1.0, 2.0], [0, 0])
    assert read(tmp_path).Histograms("none")[0].histogram_value.num == 0


@pytest.mark.parametrize("counts", [[], [1, 2, 3]], ids=["none", "too many"])
def test_edges_that_do_not_fit_the_counts_are_refused(tmp_path: Path, counts: list[int]) -> None:
    with event_writer(tmp_path) as events, pytest.raises(ValueError, match=rf"2 edges for {len(counts)} counts"):
        events.histogram("wrong", [0.0, 1.0], counts)


@pytest.mark.parametrize(("mode", "n_channels"), [("L", 1), ("RGB", 3), ("P", 3), ("LA", 2), ("RGBA", 4)])
def test_a_picture_is_kept_as_it_is(tmp_path: Path, mode: str, n_channels: int) -> None:
    content = png(mode, (7, 5))
    with event_writer(tmp_path) as events:
        events.image("hard/a b", content, 4)
    shown = read(tmp_path).Images("hard/a_b")[0]
    assert (shown.step, shown.width, shown.height) == (4, 7, 5)
    assert shown.encoded_image_string == content
    assert n_channels == {"L": 1, "P": 3}.get(mode, len(mode))


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(30), png("L", (1, 1))[:11] + bytes(30)])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    with event_writer(tmp_path) as events, pytest.raises(ValueError, match=r"hard/x is no PNG: it begins with b'"):
        events.image("hard/x", content)


def test_a_text_may_hold_anything(tmp_path: Path) -> None:
    with event_writer(tmp_path) as events:
        events.text("files", "val/caf\u00e9 \udcff.png")
    shown = read(tmp_path).Tensors("files/text_summary")[0]
    assert tensor_util.make_ndarray(shown.tensor_proto).tolist() == ["val/caf\u00e9 ?.png".encode()]


def test_tensorboard_compares_runs_by_their_hyperparameters(tmp_path: Path) -> None:
    runs = {
        "a": ({"thresh": 0.6, "n_min": Fraction(1, 16)}, 1.5),
        "b": ({"gamma": 2, "squared": True, "alpha": (1, 2)}, 0.5),
    }
    for name, (parameters, value) in runs.items():
        with event_writer(tmp_path / name) as events:
            events.hparams({**parameters, "unset": None}, {"loss/ohem": value})
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    provider = MultiplexerDataProvider(multiplexer, str(tmp_path))
    context, request = Context(TBContext(data_provider=provider)), RequestContext()
    metadata = context.hparams_metadata(request, "id")
    experiment = context.experiment_from_metadata(
        request,
        "id",
        include_metrics=True,
        hparams_run_to_tag_to_content=metadata,
        data_provider_hparams=context.hparams_from_data_provider(request, "id", 100),
    )
    assert {info.name for info in experiment.hparam_infos} == {"thresh", "n_min", "gamma", "squared", "alpha"}
    asked = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        include_metrics=True,
        allowed_statuses=[api_pb2.STATUS_SUCCESS],
        col_params=[api_pb2.ColParams(metric=api_pb2.MetricName(tag="loss/ohem"))],
    )
    groups = Handler(request, context, "id", asked).run().session_groups
    found = {group.name: (dict(group.hparams.items()), group.metric_values[0].value) for group in groups}
    assert {name: value for name, (_, value) in found.items()} == {"a": 1.5, "b": 0.5}
    assert found["a"][0]["n_min"].number_value == 0.0625
    assert found["b"][0]["squared"].bool_value is True
    assert found["b"][0]["alpha"].string_value == "(1, 2)"


def test_who_looks_on_sees_what_is_half_a_minute_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    with event_writer(tmp_path) as events:
        events.scalar("loss/ce", 1.0, 0)
        assert read(tmp_path).Tags()["scalars"] == []
        now_s = 31.0
        events.scalar("loss/ce", 1.0, 1)
        assert len(read(tmp_path).Scalars("loss/ce")) == 2
        events.scalar("loss/ce", 1.0, 2)
        assert len(read(tmp_path).Scalars("loss/ce")) == 2
