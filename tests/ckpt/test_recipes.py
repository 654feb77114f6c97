"""What else a conversion can be asked for: maps of tags, devices among values, dtypes, many files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from segcli.ckpt import Recipe, convert
from segcli.ckpt.conversion.tag_map import parse_tag_map
from segcli.ckpt.sources import expand
from segcli.errors import SegcliError
from tests.ckpt.oracles import bits, loads
from tests.ckpt.test_conversion import state
from tests.ckpt.test_dcp import save_dcp
from tests.conftest import Run
from tests.formats.crafting import (
    PLAIN,
    Calls,
    Saved,
    aligned,
    check_layout,
    checkpoint,
    pickled,
    read_records,
    rebuild,
    save,
    storage,
    tags,
)
from tests.formats.old_files import save_legacy


@pytest.mark.parametrize(
    ("to", "rules", "expected"),
    [
        (None, ["cuda:1=cuda:0", "cuda=cpu"], {"cuda:1": "cuda:0", "cuda:2": "cpu", "cuda": "cpu", "mps": "mps"}),
        ("cpu", ["cuda=cuda:0"], {"cuda:1": "cuda:0", "mps": "cpu", "cpu": "cpu"}),
        ("mps", [], {"cuda:1": "mps"}),
        (None, ["xla:0=cuda:0"], {"xla:0": "cuda:0", "xla:1": "xla:1"}),
        (None, [" cuda = cpu "], {"cuda:1": "cpu"}),
    ],
)
def test_maps(to: str | None, rules: list[str], expected: dict[str, str]) -> None:
    new = parse_tag_map(to, rules)
    assert {tag: new(tag) for tag in expected} == expected


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (["cuda"], "is no rule, expected OLD=NEW"),
        (["=cpu"], "is no rule"),
        (["cuda="], "is no rule"),
        (["cuda=gpu"], "unknown device 'gpu'"),
        (["cuda=cpu", "cuda=mps"], "says twice what cuda becomes: cpu and mps"),
    ],
)
def test_rules_that_are_none(rule: list[str], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        parse_tag_map(None, rule)


def mixed(folder: Path) -> Path:
    places = [storage(tag, key="0", numel=4) for tag in ("cuda:1", "cuda:0", "mps")]
    for place, key in zip(places, "012", strict=True):
        place.id = (*place.id[:2], key, *place.id[3:])
    tensors = {tag: rebuild("_rebuild_tensor", place, 0, (4,), (1,)) for tag, place in zip("abc", places, strict=True)}
    return checkpoint(folder / "mixed.pth", pickled(tensors), **{"data/1": bytes(16), "data/2": bytes(16)})


def test_mixed_tags(tmp_path: Path, segcli: Run) -> None:
    source = mixed(tmp_path)
    argv = ["--map", "cuda:1=cuda:0", "--map", "cuda=cpu"]
    out = segcli("ckpt", "convert", source, tmp_path / "a.pth", *argv, "--json").out
    assert [(tag["before"], tag["after"]) for tag in json.loads(out)["tags"]] == [
        ("cuda:1", "cuda:0"),
        ("cuda:0", "cpu"),
        ("mps", "mps"),
    ]
    assert tags(tmp_path / "a.pth") == {"cuda:0", "cpu", "mps"}
    convert(source, tmp_path / "b.pth", "cpu", recipe=Recipe(map=("mps=meta",)))
    assert tags(tmp_path / "b.pth") == {"cpu", "meta"}


# -- torch.device objects


def devices() -> dict[str, Saved]:
    one = torch.device("cuda:1")
    return {"device": "cuda:1", "one": one, "same": [one], "cpu": torch.device("cpu"), "w": torch.ones(2)}


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_device_objects(tmp_path: Path, legacy: bool, protocol: int, segcli: Run) -> None:  # noqa: FBT001 - both
    if legacy:
        source = save_legacy(devices(), tmp_path / "a.pth", pickle_protocol=protocol)
    else:
        with aligned(4096):
            source = save(devices(), tmp_path / "a.pth", pickle_protocol=protocol)
    out = segcli("ckpt", "convert", source, tmp_path / "b.pth", "--to", "cuda:0", "--also-device-objects").out
    assert "that are on another device now: 2" in " ".join(out.split())
    assert tags(tmp_path / "b.pth") == {"cuda:0"}
    loaded = torch.load(tmp_path / "b.pth", map_location=lambda storage, _: storage, weights_only=protocol < 3)
    assert loaded["one"] == loaded["cpu"] == torch.device("cuda:0")
    assert loaded["same"][0] is loaded["one"]
    assert loaded["device"] == "cuda:1"
    if not legacy:
        check_layout(tmp_path / "b.pth", 4096)
        assert list(read_records(tmp_path / "b.pth")) == list(read_records(source))
    convert(tmp_path / "b.pth", tmp_path / "c.pth", "cpu", recipe=Recipe(device_objects=True))
    loaded = torch.load(tmp_path / "c.pth", weights_only=protocol < 3)
    assert loaded["one"] == torch.device("cpu")
    assert torch.equal(loaded["w"], torch.ones(2))


def test_a_device_by_its_whole_name_and_one_that_torch_would_not_make(tmp_path: Path) -> None:
    content = [Calls(torch.device, "cuda:1"), Calls(torch.device), Calls(torch.device, "cuda", 1), storage("cuda:1")]
    done = convert(
        checkpoint(tmp_path / "a.pth", pickled(content)), tmp_path / "b.pth", "mps", recipe=Recipe(device_objects=True)
    )
    assert done.device_objects_changed == 2
    assert read_records(tmp_path / "b.pth")["data.pkl"].count(b"mps") == 3


@pytest.mark.parametrize("device", ["xla:0", "cuda:1"])
def test_tensors_that_name_their_device_themselves(tmp_path: Path, device: str) -> None:
    node = rebuild("_rebuild_device_tensor_from_cpu_tensor", rebuild(*PLAIN), torch.float32, device, *(False,))
    short = rebuild("_rebuild_wrapper_subclass", torch.Tensor)
    source = checkpoint(tmp_path / "a.pth", pickled([node, node, short]))
    done = convert(source, tmp_path / "b.pth", "cuda:1", recipe=Recipe(device_objects=True))
    assert done.device_objects_changed == (device == "xla:0")
    assert b"xla:0" not in read_records(tmp_path / "b.pth")["data.pkl"]


# -- dtypes


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("target", ["zip", "legacy"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtypes(tmp_path: Path, legacy: bool, target: str, dtype: str) -> None:  # noqa: FBT001 - both
    content = state()
    source = (save_legacy if legacy else save)(content, tmp_path / "a.pth")
    recipe = Recipe(dtype=dtype, keep_dtype=("*.running_*",))
    done = convert(source, tmp_path / "b.pth", file_format=target, recipe=recipe)
    assert done.cast is not None
    files = loads(tmp_path / "b.pth") if target == "zip" else [torch.load(tmp_path / "b.pth")]
    for loaded in files:
        for key, tensor in content["state_dict"].items():
            kept = "running" in key or not tensor.is_floating_point()
            expected = tensor if kept else tensor.to(getattr(torch, dtype))
            assert loaded["state_dict"][key].dtype == expected.dtype
            assert bits(loaded["state_dict"][key]) == bits(expected)
    if target == "zip":
        check_layout(tmp_path / "b.pth")
    assert torch.load(tmp_path / "b.pth")["state_dict"]._metadata == content["state_dict"]._metadata


def test_dtypes_in_words(tmp_path: Path, segcli: Run) -> None:
    source = save({"w": torch.tensor([1.0, 1e6]), "kept": torch.ones(1)}, tmp_path / "a.pth")
    argv = ["ckpt", "convert", source, tmp_path / "b.pth", "--dtype", "float16", "--keep-dtype", "kept"]
    refused = segcli(*argv)
    assert refused.code == 2
    assert "1 element, the first 1e+06, would be infinite in float16" in refused.err
    assert not (tmp_path / "b.pth").exists()
    out = " ".join(segcli(*argv, "--allow-overflow").out.split())
    assert "tensors cast to float16: 1 (8 B became 4 B)" in out
    assert "floating tensors left as they are: kept" in out
    assert "w: 1 elements are infinite now, the first was 1e+06" in out
    out = segcli("ckpt", "convert", source, tmp_path / "c.pth", "--dtype", "bfloat16").out
    assert "tensors cast to bfloat16: 2" in out
    assert "left as they are" not in out


def test_a_flipped_bit_is_not_cast(tmp_path: Path) -> None:
    source = save({"w": torch.ones(1000)}, tmp_path / "a.pth")
    raw = bytearray(source.read_bytes())
    raw[raw.index(torch.ones(10).numpy().tobytes()) + 100] ^= 1
    source.write_bytes(raw)
    with pytest.raises(SegcliError, match="the checksum of storage 0"):
        convert(source, tmp_path / "b.pth", recipe=Recipe(dtype="float16"))


def test_a_zip_keeps_its_other_records(tmp_path: Path) -> None:
    source = checkpoint(
        tmp_path / "a.pth", pickled({"w": rebuild(*PLAIN)}), **{"data/9": b"unused", "extra/notes.txt": b"hello"}
    )
    convert(source, tmp_path / "b.pth", recipe=Recipe(dtype="float16"))
    found = read_records(tmp_path / "b.pth")
    assert found["extra/notes.txt"] == b"hello"
    assert "data/9" not in found
    assert torch.load(tmp_path / "b.pth")["w"].tolist() == [[1, 2], [3, 4]]


# -- what would do nothing


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--also-device-objects"], "--also-device-objects is given, but no device"),
        (["--keep-dtype", "w"], "--keep-dtype is given, but no dtype"),
        (["--to", "cpu", "--tensors-only"], "--tensors-only is for safetensors and DCP"),
        (["--map", "cuda"], "is no rule"),
        ([], "so there is nothing to convert"),
        (["--dtype", "int8"], "unknown dtype 'int8'"),
    ],
)
def test_idle_options(tmp_path: Path, segcli: Run, argv: list[str], words: str) -> None:
    source = save(state(), tmp_path / "a.pth")
    done = segcli("ckpt", "convert", source, tmp_path / "b.pth", *argv)
    assert (done.code, words in done.err) == (2, True)


def test_a_safetensors_file_has_no_device_to_change(tmp_path: Path, segcli: Run) -> None:
    save({"w": torch.ones(2)}, tmp_path / "a.pth")
    assert segcli("ckpt", "convert", tmp_path / "a.pth", tmp_path / "a.safetensors").code == 0
    done = segcli("ckpt", "convert", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert (done.code, "so there is nothing to convert" in done.err, "--to" in done.err) == (2, True, False)


def test_dry_runs(tmp_path: Path, segcli: Run) -> None:
    for made in (save(state(), tmp_path / "a.pth"), save_legacy(state(), tmp_path / "b.pth")):
        dry = json.loads(segcli("ckpt", "convert", made, tmp_path / "c.pth", "--to", "mps", "--dry-run", "--json").out)
        assert not (tmp_path / "c.pth").exists()
        wet = json.loads(segcli("ckpt", "convert", made, tmp_path / "c.pth", "--to", "mps", "--json").out)
        assert {**dry, "dry_run": False} == wet
        assert wet["bytes"] == (tmp_path / "c.pth").stat().st_size
        again = segcli("ckpt", "convert", made, tmp_path / "c.pth", "--to", "mps", "--dry-run")
        assert "exists already" in again.err
        (tmp_path / "c.pth").unlink()
    out = segcli("ckpt", "convert", tmp_path / "a.pth", tmp_path / "c.pth", "--to", "mps", "--dry-run").out
    assert "would be written" in out
    out = segcli("ckpt", "convert", tmp_path / "b.pth", tmp_path / "c.pth", "--to", "cpu", "--dry-run").out
    assert "would be a copy, byte for byte" in " ".join(out.split())
    convert(tmp_path / "b.pth", tmp_path / "d.pth", "cpu")
    assert (tmp_path / "d.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


# -- many


def test_many_files(tmp_path: Path, segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for name in ("a.pth", "b.ckpt", "c.pt"):
        save({"w": torch.ones(3), "from": name}, tmp_path / "in" / name)
    save_dcp({"w": torch.ones(3)}, tmp_path / "in" / "step_1")
    (tmp_path / "in" / "bad.pth").write_bytes(b"<html>")
    (tmp_path / "in" / "notes.txt").write_bytes(b"x")
    done = segcli("ckpt", "convert", "in", "--out-dir", "out", "--to", "cuda:0")
    assert done.code == 2
    out = " ".join(done.out.split())
    assert "4 of 5 checkpoints" in out
    assert "in/bad.pth is an HTML page" in out
    assert sorted(one.name for one in Path("out").iterdir()) == ["a.pth", "b.ckpt", "c.pt", "step_1.pth"]
    assert all(tags(one) == {"cuda:0"} for one in Path("out").iterdir())
    missing = segcli("ckpt", "convert", "in/none.pth", "--out-dir", "out", "--to", "cpu")
    assert "in/none.pth does not exist" in " ".join(missing.out.split())
    done = segcli("ckpt", "convert", "in/*.p*", "--out-dir", "out", "--to", "cuda:0", "--json")
    assert done.code == 2
    failures = json.loads(done.out)["failures"]
    assert [(one["source"], "exists already" in one["message"]) for one in failures] == [
        ("in/a.pth", True),
        ("in/bad.pth", False),
        ("in/c.pt", True),
    ]
    done = segcli(
        "ckpt", "convert", "in/a.pth", "in/c.pt", "--out-dir", "out", "--format", "safetensors", "--tensors-only"
    )
    assert done.code == 0
    assert "could not be kept whole" in done.out
    assert load_file("out/c.safetensors")["w"].tolist() == [1, 1, 1]
    done = segcli("ckpt", "convert", "in/a.pth", "--out-dir", "out", "--dtype", "float16", "--force", "--dry-run")
    assert "1 of 1 checkpoints" in done.out
    assert "1 to float16" in done.out
    assert tags(Path("out/a.pth")) == {"cuda:0"}
    done = segcli("ckpt", "convert", "in/a.pth", "--out-dir", "out", "--to", "cpu", "--force")
    assert "nothing" in done.out


def test_two_of_one_name_are_refused_before_any_work(tmp_path: Path) -> None:
    from segcli.ckpt.conversion.batch import convert_all

    for folder in ("x", "y", "out"):
        (tmp_path / folder).mkdir()
    sources = [
        save({"w": torch.ones(1)}, tmp_path / "x" / "a.pth"),
        save({"w": torch.ones(1)}, tmp_path / "y" / "A.pth"),
    ]
    with pytest.raises(SegcliError, match="would both become"):
        convert_all(sources, tmp_path / "out", "cpu", recipe=Recipe(), advance=lambda _: None)
    one = save({"w": torch.ones(1)}, tmp_path / "x" / "A.pt")
    with pytest.raises(SegcliError, match=r"would both become .*A\.safetensors"):
        convert_all(
            [sources[0], one], tmp_path / "out", file_format="safetensors", recipe=Recipe(), advance=lambda _: None
        )
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(SegcliError, match="there is no folder"):
        convert_all(sources, tmp_path / "none", "cpu", recipe=Recipe(), advance=lambda _: None)
    with pytest.raises(SegcliError, match="is no folder"):
        convert_all(sources, sources[0], "cpu", recipe=Recipe(), advance=lambda _: None)


def test_what_sources_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segcli: Run) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SegcliError, match="empty holds no checkpoints"):
        expand([Path("empty")])
    with pytest.raises(SegcliError, match=r"nothing is called \*\.pth"):
        expand([Path("*.pth")])
    odd = save({"w": torch.ones(1)}, tmp_path / "a[1].pth")
    assert expand([Path("a[1].pth"), Path("*.pth"), Path("a[1].pth")]) == [Path("a[1].pth")]
    done = segcli("ckpt", "convert", odd)
    assert (done.code, "expected SRC and DST, got 1 path" in done.err) == (2, True)
    done = segcli("ckpt", "convert", odd, odd, odd)
    assert "got 3 paths" in done.err


def test_links_keep_their_names(tmp_path: Path) -> None:
    from segcli.ckpt.conversion.batch import convert_all

    (tmp_path / "out").mkdir()
    save({"w": torch.ones(1)}, tmp_path / "3f2a")
    (tmp_path / "model.pth").symlink_to(tmp_path / "3f2a")
    convert_all([tmp_path / "model.pth"], tmp_path / "out", "mps", recipe=Recipe(), advance=lambda _: None)
    assert tags(tmp_path / "out" / "model.pth") == {"mps"}


def test_words_are_completed() -> None:
    from segcli.ckpt.conversion import command

    assert command._complete_dtype("b") == ["bfloat16"]
    assert command._complete_format("s") == ["safetensors"]


@pytest.mark.parametrize("size", [2**29, 2**33])
def test_holes_stay_holes(tmp_path: Path, size: int) -> None:
    content = {"a": torch.empty(3), "w": torch.empty(size, dtype=torch.uint8), "b": torch.ones(5)}
    with torch.serialization.skip_data():
        torch.save(content, tmp_path / "a.pth")
    if (tmp_path / "a.pth").stat().st_blocks * 512 > 2**20:
        pytest.skip("this file system has no sparse files")
    convert(tmp_path / "a.pth", tmp_path / "b.pth", "cuda:0")
    check_layout(tmp_path / "b.pth")
    assert (tmp_path / "b.pth").stat().st_blocks * 512 < 2**20
    loaded = torch.load(tmp_path / "b.pth", mmap=True, map_location=lambda storage, _: storage)
    assert loaded["w"].numel() == size
    if size < 2**30:
        convert(tmp_path / "b.pth", tmp_path / "c.safetensors")
        assert (tmp_path / "c.safetensors").stat().st_size > size
        assert (tmp_path / "c.safetensors").stat().st_blocks * 512 < 2**22
