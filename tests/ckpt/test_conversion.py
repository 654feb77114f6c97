import argparse
import collections
import contextlib
import itertools
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segcli.ckpt import convert, verify
from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.torch_zip import read_torch_zip
from tests.conftest import Run
from tests.formats.crafting import (
    Saved,
    aligned,
    calculated_offsets,
    check_layout,
    checkpoint,
    pickled,
    read_records,
    save,
    storage,
    tagged,
    tags,
    write_records,
)

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64]
DTYPES += [torch.float8_e4m3fn, torch.uint32]


class Unknown:
    """A class that weights_only loading does not know."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and same(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]


def same(one: Saved, two: Saved) -> bool:
    """Compare trees down to the bits of their tensors, and to which share memory."""
    if isinstance(one, torch.Tensor):
        if (one.dtype, one.shape, one.stride(), one.storage_offset()) != (
            *(two.dtype, two.shape, two.stride()),
            two.storage_offset(),
        ):
            return False
        return bytes(one.untyped_storage()) == bytes(two.untyped_storage())
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(itertools.starmap(same, zip(one, two, strict=True)))
    return bool(one == two)


@st.composite
def content(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what training code saves: tensors, views and aliases of them, and values that look like tags."""
    bases = [
        (torch.arange(24) % 7).to(torch.float32).to(draw(st.sampled_from(DTYPES))).reshape(4, 6)
        for _ in range(draw(st.integers(1, 3)))
    ]
    views = [lambda t: t, lambda t: t[1:], lambda t: t.T, lambda t: t[::2, ::3], lambda t: t[:0], lambda t: t[0, 0]]
    tensors = st.builds(lambda base, view: view(base), st.sampled_from(bases), st.sampled_from(views))
    words = st.sampled_from(["cpu", "cuda:0", "storage", "0"])
    plain = words | st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.binary(max_size=3)
    odd: st.SearchStrategy[Saved] = (
        st.builds(argparse.Namespace, device=words) | st.builds(Unknown, words) | st.just(np.float64(0.25))
    )
    odd |= st.just(torch.device("cuda:0"))
    leaves = tensors | plain | odd
    tree = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(words, inner, max_size=3)
            | st.builds(collections.OrderedDict, st.dictionaries(words, inner, max_size=3))
        ),
        max_leaves=8,
    )
    return {"first": draw(tensors), "tree": draw(tree), "device": draw(words), "last": draw(tensors)}


def load(path: Path, **options: Saved) -> Saved:
    with tagged("cuda:0"):
        return torch.load(path, **{"weights_only": False, **options})


def ties(loaded: Saved) -> list[bool]:
    """Say of every pair of tensors whether they share memory."""
    found: list[torch.Tensor] = []

    def visit(value: Saved) -> None:
        if isinstance(value, torch.Tensor):
            # Sparse ones have no storage of their own.
            found.extend([value] if value.layout is torch.strided else [])
        elif isinstance(value, dict):
            for item in value.values():
                visit(item)
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)

    visit(loaded)
    places = [tensor.untyped_storage().data_ptr() for tensor in found]
    return [one == two for one, two in itertools.combinations(places, 2)]


@given(content(), st.integers(2, 5), st.sampled_from(["cpu", "cuda:0"]), st.sampled_from([64, 4096]))
@example({"first": torch.zeros(3), "tree": "cpu", "device": "cpu", "last": torch.ones(3)}, 2, "cpu", 64)
@example({"device": "cpu", "first": torch.zeros(0), "last": torch.zeros(0), "tree": {}}, 2, "cpu", 64)
def test_values_are_the_same_and_tags_are_others(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Any], protocol: int, before: str, alignment: int
) -> None:
    folder = tmp_path_factory.mktemp("convert")
    with aligned(alignment):
        source = save(drawn, folder / "source.pth", before, pickle_protocol=protocol)
    to = "cuda:0" if before == "cpu" else "cpu"
    convert(source, folder / "there.pth", to)
    assert tags(folder / "there.pth") == {to}
    loaded, original = load(folder / "there.pth"), load(source)
    assert same(loaded, original)
    assert ties(loaded) == ties(original)
    check_layout(folder / "there.pth", alignment)
    there, here = read_records(folder / "there.pth"), read_records(source)
    assert list(there) == list(here)
    assert {name for name in there if there[name] != here[name]} == {"data.pkl"}
    convert(folder / "there.pth", folder / "back.pth", before)
    assert same(load(folder / "back.pth"), original)
    assert {name: data for name, data in read_records(folder / "back.pth").items() if name != "data.pkl"} == {
        name: data for name, data in here.items() if name != "data.pkl"
    }


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 4, 1))
    return {"device": "cpu", "state_dict": net.state_dict(), "epoch": 3}


@pytest.mark.parametrize(
    "options", [{}, {"weights_only": True}, {"mmap": True}, {"mmap": True, "weights_only": True}], ids=str
)
@pytest.mark.parametrize("calculated", [False, True], ids=["read offsets", "calculated offsets"])
@pytest.mark.parametrize("alignment", [64, 4096])
def test_results_load_in_every_way(tmp_path: Path, options: dict[str, Any], calculated: bool, alignment: int) -> None:  # noqa: FBT001
    with aligned(alignment):
        source = save(state(), tmp_path / "a name much longer than the other one.pth", "cuda:0")
    convert(source, tmp_path / "cpu.pth", "cpu")
    with calculated_offsets() if calculated else contextlib.nullcontext():
        loaded = torch.load(tmp_path / "cpu.pth", **options)
    assert same(loaded, state())
    assert loaded["state_dict"]._metadata == state()["state_dict"]._metadata


def test_torch_checks_the_calculated_offsets_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert(save(state(), tmp_path / "source.pth"), tmp_path / "cuda.pth", "cuda:0")
    monkeypatch.setenv("TORCH_SERIALIZATION_DEBUG", "1")
    assert same(torch.load(tmp_path / "cuda.pth", map_location=lambda storage, _: storage), state())


def test_fake_mode_puts_tensors_on_the_device(tmp_path: Path) -> None:
    convert(save(state(), tmp_path / "source.pth"), tmp_path / "cuda.pth", "cuda:0")
    with FakeTensorMode():
        loaded = torch.load(tmp_path / "cuda.pth")
    assert {str(tensor.device) for tensor in loaded["state_dict"].values()} == {"cuda:0"}


@pytest.mark.cuda
def test_torch_puts_tensors_on_the_gpu(tmp_path: Path) -> None:
    convert(save(state(), tmp_path / "source.pth"), tmp_path / "cuda.pth", "cuda:0")
    loaded = torch.load(tmp_path / "cuda.pth")
    assert {str(tensor.device) for tensor in loaded["state_dict"].values()} == {"cuda:0"}
    assert all(torch.equal(loaded["state_dict"][key].cpu(), value) for key, value in state()["state_dict"].items())
    torch.save(loaded, tmp_path / "saved.pth")
    convert(tmp_path / "saved.pth", tmp_path / "cpu.pth", "cpu")
    assert same(torch.load(tmp_path / "cpu.pth"), state())


def test_there_and_back_is_the_same_file(tmp_path: Path) -> None:
    source = save(torch.nn.Conv2d(3, 4, 3), tmp_path / "source.pth")
    convert(source, tmp_path / "there.pth", "cuda:0")
    convert(tmp_path / "there.pth", tmp_path / "back.pth", "cpu")
    assert (tmp_path / "back.pth").read_bytes() == source.read_bytes()


def test_nothing_to_change_is_a_copy(tmp_path: Path) -> None:
    source = save(state(), tmp_path / "source.pth", "cuda:0")
    # What no zip writer repeats: a time in a header.
    raw = bytearray(source.read_bytes())
    raw[10:12] = b"\x21\x43"
    source.write_bytes(raw)
    done = convert(source, tmp_path / "copy.pth", "cuda:0")
    assert done.changed == 0
    assert (tmp_path / "copy.pth").read_bytes() == raw


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_kinds_of_tensors_that_carry_more_than_bytes(tmp_path: Path) -> None:
    values = torch.tensor([[0.0, 2.0], [0.0, 3.0]])
    parameter = torch.nn.Parameter(torch.ones(2))
    content: dict[str, Saved] = {
        "parameter": parameter,
        "quantized": torch.quantize_per_tensor(values, 0.1, 0, torch.qint8),
        "sparse": values.to_sparse(),
        "csr": values.to_sparse_csr(),
        "conj": torch.tensor([1 + 2j]).conj(),
        "tied": parameter,
        "lstm": torch.nn.LSTM(2, 3),
    }
    convert(save(content, tmp_path / "source.pth", "cuda:0"), tmp_path / "cpu.pth", "cpu")
    assert tags(tmp_path / "cpu.pth") == {"cpu"}
    loaded = torch.load(tmp_path / "cpu.pth", weights_only=False)
    assert torch.equal(loaded["quantized"].int_repr(), content["quantized"].int_repr())
    assert torch.equal(loaded["sparse"].to_dense(), values)
    assert torch.equal(loaded["csr"].to_dense(), values)
    assert torch.equal(loaded["conj"], content["conj"])
    assert loaded["tied"] is loaded["parameter"]
    assert all(
        torch.equal(one, two)
        for one, two in zip(loaded["lstm"].parameters(), content["lstm"].parameters(), strict=True)
    )


def test_what_torch_1_6_wrote(tmp_path: Path) -> None:
    new = read_records(save(state(), tmp_path / "new.pth", "cuda:1"))
    old = {name: data for name, data in new.items() if name == "data.pkl" or name.startswith("data/")}
    source = write_records(tmp_path / "old.pth", old)
    convert(source, tmp_path / "cpu.pth", "cpu")
    for mmap in (False, True):
        assert same(torch.load(tmp_path / "cpu.pth", mmap=mmap), state())


def test_a_zip_that_another_program_wrote_gets_torchs_layout(tmp_path: Path) -> None:
    import zipfile

    records = read_records(save(state(), tmp_path / "new.pth", "cuda:1"))
    with zipfile.ZipFile(tmp_path / "zipped.pth", "w") as archive:
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    convert(tmp_path / "zipped.pth", tmp_path / "cpu.pth", "cpu")
    check_layout(tmp_path / "cpu.pth")
    with calculated_offsets():
        assert same(torch.load(tmp_path / "cpu.pth", mmap=True), state())


def test_mixed_tags_all_become_one(tmp_path: Path) -> None:
    data = pickled([storage("cpu"), "cpu", storage("cuda:1"), "cuda:1", storage("mps")])
    done = convert(checkpoint(tmp_path / "mixed.pth", data), tmp_path / "cuda.pth", "cuda:1")
    with open_source(tmp_path / "cuda.pth") as source:
        assert {one.location.value for one in read_torch_zip(source).walk.storages} == {"cuda:1"}
    assert [(tag.before, tag.after) for tag in done.tags] == [("cpu", "cuda:1")]


def test_what_was_done_is_counted(tmp_path: Path) -> None:
    content = {"a": torch.zeros(3), "b": torch.zeros(2), "where": [torch.device("cuda:0"), torch.device("cpu")]}
    source = save(content, tmp_path / "source.pth")
    counts: list[int] = []
    done = convert(source, tmp_path / "cuda.pth", "cuda", advance=counts.append)
    (tag,) = done.tags
    assert (tag.before, tag.after, tag.storages, tag.bytes) == ("cpu", "cuda", 2, 20)
    assert (done.changed, done.device_values, done.tensors_left) == (2, 2, 0)
    assert done.bytes == (tmp_path / "cuda.pth").stat().st_size
    assert 0 < sum(counts) <= done.bytes


def test_a_file_without_tensors(tmp_path: Path) -> None:
    source = save({"epoch": 3, "device": "cpu"}, tmp_path / "source.pth")
    done = convert(source, tmp_path / "copy.pth", "cuda:0")
    assert (done.tags, done.changed) == ((), 0)
    assert (tmp_path / "copy.pth").read_bytes() == source.read_bytes()


def test_a_source_that_changes_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    source = save(state(), tmp_path / "source.pth")

    def write_to_it(_count: int) -> None:
        with source.open("ab") as file:
            file.write(b"more")

    with pytest.raises(SegcliError, match="changed while it was read"):
        convert(source, tmp_path / "cuda.pth", "cuda:0", advance=write_to_it)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("size", [2**32 - 2, 2**32 - 1, 2**32 + 20])
def test_past_4_gib(tmp_path: Path, size: int) -> None:
    content = {name: torch.empty(count, dtype=torch.uint8) for name, count in (("a", 3), ("b", size), ("c", 5))}
    source = tmp_path / "source.pth"
    with torch.serialization.skip_data():
        torch.save(content, source)
    if source.stat().st_blocks * 512 > 2**20:
        pytest.skip("this file system has no sparse files")
    with open_source(source) as opened:
        start = read_torch_zip(opened).storages["2"].data.start
    with source.open("r+b") as file:
        file.seek(start)
        file.write(b"value")
    convert(source, tmp_path / "cuda.pth", "cuda:0")
    check_layout(tmp_path / "cuda.pth")
    for calculated in (contextlib.nullcontext(), calculated_offsets()):
        with calculated:
            loaded = torch.load(tmp_path / "cuda.pth", mmap=True, map_location=lambda storage, _: storage)
        assert bytes(loaded["c"].tolist()) == b"value"
        assert loaded["b"].numel() == size
    convert(tmp_path / "cuda.pth", tmp_path / "back.pth", "cpu")
    assert (tmp_path / "back.pth").stat().st_size == source.stat().st_size
    assert (tmp_path / "back.pth").stat().st_blocks * 512 < 2**20
    check_layout(tmp_path / "back.pth")


def test_a_format_that_is_asked_for_is_written_though_it_is_the_sources(tmp_path: Path, segcli: Run) -> None:
    source = save({"w": torch.arange(9.0), "b": torch.ones(3)}, tmp_path / "model.pth")
    assert convert(source, tmp_path / "same.pth", file_format="zip").laid_out
    assert (tmp_path / "same.pth").read_bytes() == source.read_bytes()
    rezipped = tmp_path / "rezipped.pth"
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(rezipped, "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    assert any("--format zip" in hint for hint in verify(rezipped).hints)
    done = segcli("ckpt", "convert", rezipped, tmp_path / "again.pth", "--format", "zip")
    assert (done.code, "the same records, as torch lays them out" in done.out) == (0, True)
    assert verify(tmp_path / "again.pth").findings == ()
    assert (tmp_path / "again.pth").read_bytes() == source.read_bytes()


def test_a_rule_that_means_nothing_is_told_of(tmp_path: Path, segcli: Run) -> None:
    source = save({"w": torch.ones(3)}, tmp_path / "model.pth")
    rules = ("--map", "cuda:5=cpu", "--map", "cpu=cuda", "--map", "mps=cpu")
    done = segcli("ckpt", "convert", source, tmp_path / "it.pth", *rules)
    assert "of no storage is said what --map cuda:5=cpu, mps=cpu is about; the tags are: cpu\n" in done.out
    save({"w": 3}, tmp_path / "none.pth")
    done = segcli("ckpt", "convert", tmp_path / "none.pth", tmp_path / "it2.pth", "--map", "cuda=cpu")
    assert "the tags are: none\n" in done.out


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    source = save({"w": torch.ones(1)}, tmp_path / "it.pth", "cuda:0")
    source.chmod(0o600)
    convert(source, tmp_path / "out.pth", "cpu")
    assert stat.S_IMODE((tmp_path / "out.pth").stat().st_mode) == 0o600
