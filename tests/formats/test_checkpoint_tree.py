import argparse
import collections
import pickle
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import checkpoint_tree
from segcli.formats.byte_source import open_source
from segcli.formats.checkpoint_tree import Contents, OtherValue, list_contents
from segcli.formats.pickle_walk import walk
from segcli.formats.torch_zip import read_torch_zip
from tests.formats.crafting import NO, PLAIN, Calls, Saved, pickled, rebuild, save, storage


def listed(path: Path) -> Contents:
    with open_source(path) as source:
        return list_contents(read_torch_zip(source).walk.root, "it")


def contents(tmp_path: Path, content: object, **options: Saved) -> Contents:
    return listed(save(content, tmp_path / "it.pth", **options))


def other(tmp_path: Path, content: object, **options: Saved) -> dict[str, tuple[str, object]]:
    return {one.key: (one.type, one.value) for one in contents(tmp_path, content, **options).other}


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.complex64, torch.uint16]
DTYPES += [torch.float8_e5m2]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Draw a tensor that is a view like any that training code makes."""
    shape: list[int] = draw(st.lists(st.integers(0, 3), max_size=3))
    tensor = torch.zeros([side + 1 for side in shape], dtype=draw(st.sampled_from(DTYPES)))
    flipped: bool = draw(st.booleans())
    if shape and flipped:
        tensor = tensor.transpose(0, -1)
    for axis, side in enumerate(tensor.shape):
        first: int = draw(st.integers(0, 1))
        tensor = tensor.narrow(axis, min(first, side - 1), side - 1)
    return tensor


@given(st.dictionaries(st.text(max_size=5), tensors(), max_size=5), st.integers(2, 5))
@example({"": torch.zeros(2)[1:], "a.b": torch.zeros(())}, 2)
def test_headers_are_the_tensors(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, torch.Tensor], protocol: int
) -> None:
    path = save(drawn, tmp_path_factory.mktemp("tree") / "it.pth", "cuda:0", pickle_protocol=protocol)
    found = listed(path).tensors
    assert [(one.key, f"torch.{one.dtype}", one.shape, one.stride, one.bytes, one.device) for one in found] == [
        (key, str(one.dtype), tuple(one.shape), one.stride(), one.numel() * one.element_size(), "cuda:0")
        for key, one in drawn.items()
    ]
    # Tensors of newer dtypes count their storage in bytes; their offset is in elements all the same.
    assert [one.offset for one in found] == [one.storage_offset() for one in drawn.values()]


def test_keys_are_the_way_to_each_tensor(tmp_path: Path) -> None:
    one = torch.zeros(1)
    tree = {"state_dict": {"head.weight": one}, 3: [one, (one,)], ("a", 1): {"b": one}, "n": SimpleNamespace(x=one)}
    keys = [tensor.key for tensor in contents(tmp_path, tree).tensors]
    assert keys == ["state_dict.head.weight", "3.0", "3.1.0", "('a', 1).b", "n.x"]
    assert [tensor.key for tensor in contents(tmp_path, one).tensors] == [""]


class Slotted:
    __slots__ = ("w",)

    def __init__(self) -> None:
        self.w = torch.zeros(2)


class WithState:
    def __getstate__(self) -> object:
        return torch.zeros(3)


def test_objects_of_unknown_classes(tmp_path: Path) -> None:
    found = contents(tmp_path, [Slotted(), WithState(), collections.deque([torch.zeros(1)]), argparse.Namespace(a=1)])
    assert [(one.key, one.shape) for one in found.tensors] == [("0.w", (2,)), ("1.state", (3,)), ("2.0", (1,))]
    assert found.other[-1] == OtherValue("3", "argparse.Namespace", "a=1")


def test_a_whole_module_has_its_state_dicts_keys(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    found = contents(tmp_path, {"model": net})
    assert {one.key: one.shape for one in found.tensors} == {
        f"model.{key}": tuple(value.shape) for key, value in net.state_dict().items()
    }
    assert [(one.key, one.type) for one in found.other] == [
        ("model", "torch.nn.modules.container.Sequential"),
        ("model.0", "torch.nn.modules.conv.Conv2d"),
        ("model.1", "torch.nn.modules.batchnorm.BatchNorm2d"),
        ("model.2", "torch.nn.modules.activation.ReLU"),
    ]
    assert str(found.other[1].value).startswith("training=True, in_channels=3, out_channels=4, kernel_size=(3, 3)")


class Subclass(torch.Tensor):
    pass


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_that_are_not_plain(tmp_path: Path) -> None:
    values = torch.tensor([[0.0, 2.0], [0.0, 3.0]])
    marked = torch.zeros(2).as_subclass(Subclass)
    marked.affine = torch.ones(3)  # type: ignore[attr-defined]
    parameter = torch.nn.Parameter(torch.ones(4))
    parameter.note = "kept"  # type: ignore[attr-defined]
    content = {
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "stateful": parameter,
        "quantized": torch.quantize_per_tensor(values, 0.1, 0, torch.qint8),
        "per channel": torch.quantize_per_channel(values, torch.ones(2), torch.zeros(2), 0, torch.quint8),
        "coo": values.to_sparse(),
        "csr": values.to_sparse_csr(),
        "meta": torch.empty(5, device="meta"),
        "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        "subclass": marked,
        "conj": torch.zeros(2, dtype=torch.complex64).conj(),
        "storage": torch.zeros(3).untyped_storage(),
    }
    path = save(content, tmp_path / "it.pth")
    rows = {one.key: (one.shape, one.dtype, one.device, one.bytes, one.layout) for one in listed(path).tensors}
    assert rows == {
        "parameter": ((2,), "float32", "cpu", 8, "strided"),
        "stateful": ((4,), "float32", "cpu", 16, "strided"),
        "quantized": ((2, 2), "qint8", "cpu", 4, "per_tensor_affine"),
        "per channel": ((2, 2), "quint8", "cpu", 4, "per_channel_affine"),
        "coo": ((2, 2), "float32", "cpu", 2 * 2 * 8 + 2 * 4, "sparse_coo"),
        "csr": ((2, 2), "float32", "cpu", 3 * 8 + 2 * 8 + 2 * 4, "sparse_csr"),
        "meta": ((5,), "float32", "meta", 0, "strided"),
        "nested": ((5,), "float32", "cpu", 20, "nested"),
        "subclass": ((2,), "float32", "cpu", 8, "Subclass"),
        "subclass.affine": ((3,), "float32", "cpu", 12, "strided"),
        "conj": ((2,), "complex64", "cpu", 16, "conj"),
        "storage": ((12,), "uint8", "cpu", 12, "storage"),
    }
    assert {one.key: one.value for one in listed(path).other} == {"stateful.note": "kept"}


@pytest.mark.parametrize(
    ("node", "rows"),
    [
        (rebuild(*PLAIN), [("", (2, 2), "float32", "cpu")]),
        (
            rebuild("_rebuild_tensor_v2", storage(), 0, torch.Size([2]), (1,), NO, None),
            [("", (2,), "float32", "cpu")],
        ),
        (
            rebuild("_rebuild_device_tensor_from_cpu_tensor", rebuild(*PLAIN), torch.float16, "xla:0", NO),
            [("", (2, 2), "float16", "xla:0")],
        ),
        (
            rebuild("_rebuild_wrapper_subclass", torch.Tensor, torch.int8, (2,), (1,), 0, None, "cuda:1", NO),
            [("", (2,), "int8", "cuda:1")],
        ),
        (
            rebuild(
                "_rebuild_wrapper_subclass", torch.Tensor, torch.int8, (2,), (1,), 0, None, torch.device("cuda", 1)
            ),
            [("", (2,), "int8", "cuda:1")],
        ),
        (
            rebuild("_rebuild_wrapper_subclass", torch.Tensor, torch.int8, (2,), (1,), 0, None, 5, NO),
            [("", (2,), "int8", "unknown")],
        ),
    ],
)
def test_rarer_ways_to_rebuild_a_tensor(node: Calls, rows: list[tuple[object, ...]]) -> None:
    found = list_contents(walk(pickled(node), "it").root, "it").tensors
    assert [(one.key, one.shape, one.dtype, one.device) for one in found] == rows


@pytest.mark.parametrize(
    "node",
    [
        rebuild("_rebuild_tensor"),
        rebuild("_rebuild_tensor", storage(), 0, (2, -2), (2, 1)),
        rebuild("_rebuild_tensor", storage(), 0, (2, True), (2, 1)),
        rebuild("_rebuild_tensor", storage(), 0, (2, 2), (1,)),
        rebuild("_rebuild_tensor", storage(), -1, (2,), (1,)),
        rebuild("_rebuild_tensor", storage(), 0, [2], (1,)),
        rebuild("_rebuild_tensor_v3", storage()),
        rebuild("_rebuild_qtensor", storage(), 0, (2,), (1,), 5),
        rebuild("_rebuild_sparse_tensor", storage()),
        rebuild("_rebuild_sparse_tensor", Calls(str, "torch.sparse_coo"), ()),
        rebuild("_rebuild_nested_tensor"),
        rebuild("_rebuild_nested_tensor", rebuild("_rebuild_nested_tensor", rebuild(*PLAIN))),
        rebuild("_rebuild_meta_tensor_no_storage", torch.float32, 5),
        rebuild("_rebuild_device_tensor_from_numpy", None, torch.float32, "xla:0", NO),
        rebuild("_rebuild_device_tensor_from_numpy"),
        rebuild("_rebuild_wrapper_subclass"),
        rebuild("_rebuild_parameter", 5, NO, None),
    ],
)
def test_calls_that_rebuild_nothing_are_listed_all_the_same(node: Calls) -> None:
    found = list_contents(walk(pickled([node]), "it").root, "it")
    assert found.other or any(one.layout == "storage" or one.key.count(".") for one in found.tensors)


def test_other_values_in_few_words(tmp_path: Path) -> None:
    content: dict[str, object] = {
        "none": None,
        "flag": True,
        "lr": 0.1,
        "big": 2**80,
        "bigger": 2**5000,
        "name": "x",
        "text": "y" * 300,
        "bytes": b"abc",
        "betas": (0.9,),
        "many": list(range(1000)),
        "deep": [[[[1]]]],
        "set": {1},
        "dtype": torch.float32,
        "device": torch.device("cuda:1"),
        "size": torch.Size([2, 3]),
        "scalar": np.float64(0.5),
        "int scalar": np.int32(-7),
        "array": np.zeros((3, 4), dtype=np.float32),
        "text scalar": np.str_("ab"),
        "counter": collections.Counter("aab"),
        "empty": {},
    }
    assert other(tmp_path, content, pickle_protocol=4) == {
        "none": ("None", None),
        "flag": ("bool", True),
        "lr": ("float", 0.1),
        "big": ("int", str(2**80)),
        "bigger": ("int", "an integer of 5001 bits"),
        "name": ("str", "x"),
        "text": ("str", repr("y" * 57 + "...")),
        "bytes": ("bytes", "3 bytes"),
        "betas": ("tuple", "(0.9,)"),
        "many": ("list", "[0, 1, 2, 3, ... 1,000 in all]"),
        "deep": ("list", "[[[...]]]"),
        "set": ("set", "{1}"),
        "dtype": ("name", "torch.float32"),
        "device": ("torch.device", "'cuda', 1"),
        "size": ("torch.Size", "(2, 3)"),
        "scalar": ("numpy scalar", "0.5"),
        "int scalar": ("numpy scalar", "-7"),
        "array": ("numpy.ndarray", "float32 of shape (3, 4)"),
        "text scalar": ("numpy scalar", "U2"),
        "counter": ("collections.Counter", "{'a': 2, 'b': 1}"),
        "empty": ("dict", "{}"),
    }
    # Protocol 2 spells bytes as text.
    assert other(tmp_path, {"a": np.float64(0.5), "b": np.array(0.5).astype(">f8")[()]}) == {
        "a": ("numpy scalar", "0.5"),
        "b": ("numpy scalar", "0.5"),
    }


def test_a_file_that_is_one_value(tmp_path: Path) -> None:
    assert other(tmp_path, 5) == {"": ("int", 5)}
    assert other(tmp_path, {}) == {"": ("dict", "{}")}
    assert other(tmp_path, {1: 2}) == {"1": ("int", 2)}


SCALAR = np.float64(0).__reduce__()[0]


def test_an_odd_scalar_is_shown_all_the_same() -> None:
    node = Calls(SCALAR, Calls(np.dtype), b"12")
    assert list_contents(walk(pickled([node], 4), "it").root, "it").other[0].value == ""
    node = Calls(SCALAR, np.dtype(">f8"), struct.pack(">d", 0.5))
    assert list_contents(walk(pickled([node], 4), "it").root, "it").other[0].value == "0.5"
    node = Calls(SCALAR, 5)
    assert list_contents(walk(pickled([node], 4), "it").root, "it").other[0].value == ""
    node = Calls(SCALAR, Calls(np.dtype, "f8"), Calls(int))
    assert list_contents(walk(pickled([node], 4), "it").root, "it").other[0].value == "f8"


def test_an_odd_array_is_shown_all_the_same() -> None:
    reconstruct = np.zeros(0).__reduce__()[0]
    assert list_contents(walk(pickled([Calls(reconstruct)], 4), "it").root, "it").other[0].value == ""


def test_an_object_reached_twice_is_listed_once(tmp_path: Path) -> None:
    shared = {"w": torch.zeros(2)}
    found = contents(tmp_path, {"model": shared, "ema": shared, "w": shared["w"]})
    assert [one.key for one in found.tensors] == ["model.w", "w"]
    assert found.other == (OtherValue("ema", "dict", "the same object as model"),)


def test_an_object_inside_itself(tmp_path: Path) -> None:
    cycle: dict[str, Any] = {"w": torch.zeros(2)}
    cycle["self"] = cycle
    assert contents(tmp_path, cycle).other == (OtherValue("self", "dict", "the same object as the whole"),)


@pytest.mark.parametrize("leaf", [1, storage()], ids=["numbers", "tensors"])
def test_a_memo_bomb_is_as_small_as_its_pickle(leaf: object) -> None:
    bomb: Saved = (leaf, leaf)
    for _ in range(40):
        bomb = (bomb, bomb)
    found = list_contents(walk(pickled(bomb), "it").root, "it")
    assert len(found.tensors) + len(found.other) < 90


def test_sparse_tensors_of_sparse_tensors_are_no_bomb() -> None:
    layout = Calls(torch.serialization._get_layout, "torch.sparse_coo")
    bomb: object = rebuild(*PLAIN)
    for _ in range(100):
        bomb = rebuild("_rebuild_sparse_tensor", layout, (bomb, bomb, (2, 2)))
    assert len(list_contents(walk(pickled(bomb), "it").root, "it").tensors) < 300


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + pickled(storage())[2:-1] + b"a" * depth + b"."


def test_nesting_deeper_than_any_checkpoints() -> None:
    assert list_contents(walk(nested(900), "it").root, "it").tensors[0].key == ".".join(["0"] * 900)
    with pytest.raises(SegcliError, match="is nested more than 1,000 levels deep"):
        list_contents(walk(nested(1_100), "it").root, "it")


def test_keys_longer_than_any_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_tree, "MAX_KEY_CHARACTERS", 1000)
    data = pickled({"k" * 400: [storage(), storage(), storage()]})
    with pytest.raises(SegcliError, match="its keys are too long to list"):
        list_contents(walk(data, "it").root, "it")


def test_what_pickle_writes_of_a_tensor_alone() -> None:
    found = list_contents(walk(pickle.dumps({"a": torch.zeros(2)}), "it").root, "it")
    assert found.other[0].type == "torch.storage._load_from_bytes" or found.tensors == ()
