"""Checkpoints that become safetensors files, and come back."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from segcli.ckpt import Recipe, convert
from segcli.ckpt.conversion.ties import TIES
from segcli.errors import SegcliError
from tests.ckpt.oracles import bits, loads
from tests.conftest import Run
from tests.formats.crafting import Saved, check_layout, pickled, rebuild, save, storage, write_records
from tests.formats.old_files import save_legacy

TENSORS_ONLY = Recipe(tensors_only=True)
DTYPES = ["float32", "float16", "bfloat16", "float64", "int64", "int8", "uint8", "bool", "complex64", "uint16"]
DTYPES += ["float8_e4m3fn", "float8_e5m2"]


def values() -> torch.Tensor:
    return torch.arange(24.0).reshape(4, 6)


def flat(content: Saved, path: str = "") -> dict[str, torch.Tensor]:
    """Return the tensors of dicts and lists under dotted keys."""
    if isinstance(content, torch.Tensor):
        return {path: content.detach()}
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    found: dict[str, torch.Tensor] = {}
    for key, value in pairs:
        if isinstance(value, dict | list | torch.Tensor):
            found |= flat(value, f"{path}.{key}" if path else str(key))
    return found


def assert_alike(loaded: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(loaded) == set(expected)
    for key, tensor in expected.items():
        assert (loaded[key].dtype, loaded[key].shape) == (tensor.dtype, tensor.shape), key
        assert bits(loaded[key]) == bits(tensor), key


def shares(one: torch.Tensor, two: torch.Tensor) -> bool:
    return one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Draw dicts of tensors, of which some are views of others."""
    bases = [(values() % 7).to(getattr(torch, draw(st.sampled_from(DTYPES)))) for _ in range(draw(st.integers(1, 3)))]
    views = [
        lambda t: t,
        lambda t: t[1:],
        lambda t: t.T,
        lambda t: t[::2, ::3],
        lambda t: t[:0],
        lambda t: t[0, 0],
        lambda t: t[:, 2:4],
        lambda t: t.expand(2, 4, 6),
    ]
    tensors = st.builds(lambda base, view: view(base), st.sampled_from(bases), st.sampled_from(views))
    names = st.sampled_from(["w", "b", "head", "0", "ö"])
    inner: st.SearchStrategy[Saved] = st.dictionaries(names, tensors, min_size=1, max_size=4)
    return draw(
        st.dictionaries(names, tensors | inner | st.lists(tensors, min_size=1, max_size=2), min_size=1, max_size=5)
    )


@given(trees(), st.booleans())
def test_what_safetensors_reads_is_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, Any],
    legacy: bool,  # noqa: FBT001 - drawn
) -> None:
    folder = tmp_path_factory.mktemp("safetensors")
    untyped = ("uint16", "float8")
    kinds = {str(tensor.dtype) for tensor in flat(tree).values()}
    legacy = legacy and not any(kind.startswith(f"torch.{name}") for kind in kinds for name in untyped)
    source = (save_legacy if legacy else save)(tree, folder / "source.pth")
    convert(source, folder / "there.safetensors")
    expected = flat(tree)
    assert_alike(load_file(folder / "there.safetensors"), expected)
    done = convert(folder / "there.safetensors", folder / "back.pth")
    check_layout(folder / "back.pth")
    for loaded in loads(folder / "back.pth"):
        assert_alike(loaded, expected)
        # Whatever says that it shares memory does, in the same places.
        for one in done.ties:
            assert any(shares(loaded[one], loaded[two]) for two in done.ties if two != one)
            assert loaded[one].stride() == expected[one].stride()


def test_ties_come_back(tmp_path: Path) -> None:
    weight = values()
    content = {"w": weight, "row": weight[0], "tied": weight, "turned": weight.T, "apart": values()}
    convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    there = load_file(tmp_path / "a.safetensors")
    assert_alike(there, content)
    done = convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    assert set(done.ties) == {"w", "row", "tied", "turned"}
    loaded = torch.load(tmp_path / "b.pth")
    loaded["w"].mul_(10)
    assert torch.equal(loaded["row"], 10 * weight[0])
    assert torch.equal(loaded["tied"], 10 * weight)
    assert torch.equal(loaded["turned"], 10 * weight.T)
    assert torch.equal(loaded["apart"], weight)
    assert torch.load(tmp_path / "b.pth")["turned"].stride() == (1, 6)


def test_twelve_weights_of_an_lstm_lie_in_one_storage_again(tmp_path: Path) -> None:
    buffer = torch.arange(60.0)
    content = {"b": buffer[20:40], "a": buffer[:20].view(4, 5), "c": buffer[40:].view(2, 10), "part": buffer[18:22]}
    convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    for loaded in loads(tmp_path / "b.pth"):
        assert_alike(loaded, content)
        assert all(shares(loaded["a"], loaded[key]) for key in "bc")
        assert shares(loaded["a"], loaded["part"])


def test_gaps_between_tensors_are_closed(tmp_path: Path) -> None:
    buffer = torch.arange(60.0)
    content = {"a": buffer[4:10], "b": buffer[30:40], "bb": buffer[30:36], "half": buffer[8:14]}
    done = convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    assert done.slack_bytes == 24 * 4
    convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    for loaded in loads(tmp_path / "b.pth"):
        assert_alike(loaded, content)
        assert shares(loaded["b"], loaded["bb"])
        assert loaded["a"].untyped_storage().nbytes() == 20 * 4


def test_values_that_were_changed_since_are_not_tied(tmp_path: Path) -> None:
    weight = values()
    convert(save({"w": weight, "row": weight[0], "tied": weight}, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    tensors = load_file(tmp_path / "a.safetensors")
    metadata = {TIES: json.loads(raw_header(tmp_path / "a.safetensors"))["__metadata__"][TIES]}
    tensors["row"] = tensors["row"] + 1
    save_file(tensors, tmp_path / "b.safetensors", metadata)
    done = convert(tmp_path / "b.safetensors", tmp_path / "b.pth")
    assert (done.ties, done.untied) == (("w", "tied"), ("row",))
    assert_alike(torch.load(tmp_path / "b.pth"), tensors)
    # Nothing but the one that differs, and one that is gone.
    del tensors["tied"]
    save_file(tensors, tmp_path / "c.safetensors", metadata)
    done = convert(tmp_path / "c.safetensors", tmp_path / "c.pth")
    assert (done.ties, done.untied) == ((), ("row",))
    assert_alike(torch.load(tmp_path / "c.pth"), tensors)


def raw_header(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw[8 : 8 + int.from_bytes(raw[:8], "little")]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[", "is no list of which tensors share memory"),
        ("3", "is no list of which tensors share memory"),
        ('[{"w": 3}]', "is no list of which tensors share memory"),
        ('[{"w": [-1, [1]], "v": [0, [1]]}]', "something else than numbers"),
        ('[{"w": [0, [true]], "v": [0, [1]]}]', "something else than numbers"),
        ('[{"w": [0, [1]], "v": [0, [1]]}, {"w": [0, [1]], "v": [0, [1]]}]', "one tensor in two storages"),
        ('[{"w": [0, [1, 1]], "v": [0, [1]]}]', "w in .* is not the tensor that"),
        ('[{"w": [2, [1]], "v": [0, [1]]}]', "w in .* is not the tensor that"),
    ],
)
def test_metadata_that_nobody_wrote(tmp_path: Path, said: str, words: str) -> None:
    save_file({"w": torch.ones(3), "v": torch.ones(3)}, tmp_path / "a.safetensors", {TIES: said})
    with pytest.raises(SegcliError, match=words):
        convert(tmp_path / "a.safetensors", tmp_path / "b.pth")


def test_strides_that_overlap_alone_share_nothing(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    content = {"left": base[:, :3], "right": base[:, 1:]}
    done = convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    assert done.made_contiguous == ("left", "right")
    done = convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    assert done.ties == ()
    assert_alike(torch.load(tmp_path / "b.pth"), content)
    other = {"w": torch.ones(2), "v": torch.ones(2, dtype=torch.int32)}
    save_file(other, tmp_path / "c.safetensors", {TIES: '[{"w": [0, [1]], "v": [0, [1]]}]'})
    assert convert(tmp_path / "c.safetensors", tmp_path / "c.pth").ties == ()


def test_hugging_faces_traps(tmp_path: Path) -> None:
    weight = values()
    content = {"w": weight, "first": weight[0], "e1": torch.zeros(0), "e2": torch.zeros(0, 3), "s": torch.tensor(2.5)}
    convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    assert_alike(load_file(tmp_path / "a.safetensors"), content)
    assert json.loads(raw_header(tmp_path / "a.safetensors"))["__metadata__"]["format"] == "pt"
    convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    assert_alike(torch.load(tmp_path / "b.pth"), content)


def test_what_has_no_place_is_named(tmp_path: Path, segcli: Run) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    content = {"net": net.state_dict(), "epoch": 3, "lr": [0.1], "name": "x", "when": None}
    source = save(content, tmp_path / "a.pth")
    with pytest.raises(
        SegcliError, match=r"no place for: epoch \(int\), lr \(list\), name \(str\) and 1 more"
    ) as error:
        convert(source, tmp_path / "a.safetensors")
    assert "--tensors-only" in error.value.hint
    assert not (tmp_path / "a.safetensors").exists()
    done = convert(source, tmp_path / "a.safetensors", recipe=TENSORS_ONLY)
    assert done.left_out == ("epoch (int)", "lr (list)", "name (str)", "when (None)", "net._metadata")
    expected = {f"net.{key}": value for key, value in net.state_dict().items()}
    assert_alike(load_file(tmp_path / "a.safetensors"), expected)
    out = segcli("ckpt", "convert", source, tmp_path / "b.safetensors", "--tensors-only").out
    assert "left out, since safetensors has no place for it: epoch (int)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"z": torch.zeros(2, dtype=torch.complex128)}, r"z \(complex128\)"),
        ({"s": torch.eye(2).to_sparse()}, "s in .* is a sparse_coo tensor"),
        ({"m": torch.empty(2, device="meta")}, "m in .* is a tensor without values of its own"),
        ({"c": torch.ones(2, dtype=torch.complex64).conj()}, "conjugated or negated lazily"),
        (torch.zeros(2), "is one tensor, which has no key"),
        ({"a.b": torch.zeros(2), "a": {"b": torch.ones(2)}}, "two tensors whose dotted key is 'a.b'"),
        ({"u": torch.zeros(2).untyped_storage()}, "no place for: u"),
    ],
    ids=str,
)
def test_tensors_that_are_more_or_less_than_values(tmp_path: Path, content: Saved, words: str) -> None:
    source = save(content, tmp_path / "a.pth")
    with pytest.raises(SegcliError, match=words):
        convert(source, tmp_path / "a.safetensors")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_quantized_tensors_are_named(tmp_path: Path) -> None:
    source = save({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, tmp_path / "a.pth")
    with pytest.raises(SegcliError, match=r"q in .* is a per_tensor_affine tensor"):
        convert(source, tmp_path / "a.safetensors")


def test_one_dict_in_two_places(tmp_path: Path) -> None:
    inner = {"w": torch.ones(2), "deep": {"b": torch.zeros(1)}}
    content: dict[str, Saved] = {"first": inner, "second": inner}
    convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")
    assert_alike(load_file(tmp_path / "a.safetensors"), flat(content))
    content["itself"] = content
    with pytest.raises(SegcliError, match=r"no place for: itself \(dict\)"):
        convert(save(content, tmp_path / "b.pth"), tmp_path / "b.safetensors")


def test_a_dict_that_doubles_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segcli.ckpt.conversion.state_tensors._MAX_TENSORS", 1000)
    content: dict[str, Saved] = {"w": torch.ones(1)}
    for _ in range(30):
        content = {"a": content, "b": content}
    with pytest.raises(SegcliError, match="more than 1,000 tensors"):
        convert(save(content, tmp_path / "a.pth"), tmp_path / "a.safetensors")


def test_parameters_and_subclasses_are_values(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "kept by torch"  # type: ignore[attr-defined]
    content = {"p": torch.nn.Parameter(values()), "noted": parameter, "b": torch.nn.Buffer(torch.ones(1))}
    source = save(content, tmp_path / "a.pth")
    convert(source, tmp_path / "a.safetensors", recipe=TENSORS_ONLY)
    assert_alike(load_file(tmp_path / "a.safetensors"), flat(content))


@pytest.mark.parametrize("shape", ["whole", "part"])
def test_a_flipped_bit_is_found(tmp_path: Path, shape: str) -> None:
    weight = torch.arange(1000.0)
    source = save({"w": weight if shape == "whole" else weight[:-1], "b": weight[3:4]}, tmp_path / "a.pth")
    with zipfile.ZipFile(source) as archive:
        raw = bytearray(source.read_bytes())
        raw[raw.index(archive.read("a/data/0")) + 100] ^= 1
    source.write_bytes(raw)
    with pytest.raises(SegcliError, match="the checksum of storage 0"):
        convert(source, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int16"])
def test_big_endian_values_are_turned(tmp_path: Path, dtype: str) -> None:
    tensor = (torch.arange(10) * 37 % 91).to(getattr(torch, dtype)).reshape(2, 5)
    kinds = {"float32": torch.FloatStorage, "complex64": torch.ComplexFloatStorage, "int16": torch.ShortStorage}
    place = storage(numel=10)
    place.id = ("storage", kinds[dtype], "0", "cpu", 10)
    tensors = {
        "w": rebuild("_rebuild_tensor", place, 0, (2, 5), (5, 1)),
        "t": rebuild("_rebuild_tensor", place, 0, (5, 2), (1, 5)),
    }
    data = pickled(tensors)
    unit = tensor.element_size() // (2 if tensor.is_complex() else 1)
    raw = tensor.numpy().tobytes()
    turned = b"".join(raw[at : at + unit][::-1] for at in range(0, len(raw), unit))
    source = write_records(tmp_path / "a.pth", {"data.pkl": data, "data/0": turned, "byteorder": b"big"})
    convert(source, tmp_path / "a.safetensors")
    assert_alike(load_file(tmp_path / "a.safetensors"), {"w": tensor, "t": tensor.T})


def test_safetensors_to_legacy_and_to_another_device(tmp_path: Path) -> None:
    save_file({"w": values(), "b": torch.ones(3)}, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "a.pth", file_format="legacy")
    assert_alike(torch.load(tmp_path / "a.pth"), {"w": values(), "b": torch.ones(3)})
    done = convert(tmp_path / "a.safetensors", tmp_path / "b.pth", "cuda:0")
    assert [(tag.before, tag.after) for tag in done.tags] == [("cpu", "cuda:0")]
    with pytest.raises(SegcliError, match="names no devices"):
        convert(tmp_path / "a.pth", tmp_path / "c.safetensors", "cuda:0")
    with pytest.raises(SegcliError, match="is a safetensors checkpoint already"):
        convert(tmp_path / "a.safetensors", tmp_path / "c.safetensors")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("source", ["a.pth", "a.safetensors"])
def test_dtypes(tmp_path: Path, dtype: str, source: str) -> None:
    weight = values() / 7
    content = {"w": weight, "row": weight[1], "t": weight.T, "n": torch.arange(3), "norm": torch.ones(2)}
    save(content, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
    done = convert(tmp_path / source, tmp_path / "b.safetensors", recipe=Recipe(dtype=dtype, keep_dtype=("norm",)))
    assert done.cast is not None
    assert set(done.cast.cast) == {"w", "row", "t"}
    expected = {key: one.to(getattr(torch, dtype)) if key in ("w", "row", "t") else one for key, one in content.items()}
    assert_alike(load_file(tmp_path / "b.safetensors"), expected)
    convert(tmp_path / "b.safetensors", tmp_path / "b.pth")
    loaded = torch.load(tmp_path / "b.pth")
    assert_alike(loaded, expected)
    assert shares(loaded["w"], loaded["t"])


def test_overflow_is_refused_unless_allowed(tmp_path: Path) -> None:
    source = save({"w": torch.tensor([1.0, 1e6])}, tmp_path / "a.pth")
    with pytest.raises(SegcliError, match=r"1 element, the first 1e.06, would be infinite in float16"):
        convert(source, tmp_path / "a.safetensors", recipe=Recipe(dtype="float16"))
    done = convert(source, tmp_path / "a.safetensors", recipe=Recipe(dtype="float16", allow_overflow=True))
    assert done.cast is not None
    assert [(one.keys, one.elements) for one in done.cast.overflows] == [(("w",), 1)]
    assert load_file(tmp_path / "a.safetensors")["w"].tolist() == [1.0, float("inf")]


def test_dry_runs_say_how_large_and_write_nothing(tmp_path: Path) -> None:
    source = save({"w": values(), "row": values()[0]}, tmp_path / "a.pth")
    for name, kind in (("b.safetensors", None), ("b.pth", "legacy"), ("b.pth", "zip")):
        recipe = Recipe(dtype="float16" if kind == "zip" else None)
        dry = convert(source, tmp_path / name, file_format=kind, recipe=Recipe(dry_run=True, dtype=recipe.dtype))
        assert dry.dry_run
        assert list(tmp_path.iterdir()) == [source]
        wet = convert(source, tmp_path / name, file_format=kind, recipe=recipe)
        assert dry.bytes == wet.bytes == (tmp_path / name).stat().st_size
        (tmp_path / name).unlink()


def test_notes_say_what_a_format_does_not_keep(tmp_path: Path, segcli: Run) -> None:
    weight = values()
    content = {"w": weight, "t": weight.T, "cut": torch.arange(10)[2:4], "left": weight[:, :3], "tied": weight}
    save(content, tmp_path / "a.pth")
    out = " ".join(segcli("ckpt", "convert", tmp_path / "a.pth", tmp_path / "a.safetensors").out.split())
    assert "not contiguous, and are now: t, left" in out
    assert "memory that no tensor used, left out: 64 B" in out
    assert "written in full, 240 B more, and recorded: w, t, left and 1 more" in out
    metadata = {TIES: json.loads(raw_header(tmp_path / "a.safetensors"))["__metadata__"][TIES]}
    tensors = {**load_file(tmp_path / "a.safetensors"), "t": torch.zeros(6, 4)}
    save_file(tensors, tmp_path / "b.safetensors", metadata)
    out = " ".join(segcli("ckpt", "convert", tmp_path / "b.safetensors", tmp_path / "b.pth").out.split())
    assert "share memory, as they did: w, left, tied" in out
    assert "have values of their own now: t" in out
    apart = {"a": weight[:, 0], "b": weight[:, 1]}
    out = segcli("ckpt", "convert", save(apart, tmp_path / "c.pth"), tmp_path / "c.safetensors").out
    assert "written in full, and recorded" in " ".join(out.split())
