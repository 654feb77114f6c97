import collections
import csv
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from segcli.ckpt import average, inspect
from segcli.ckpt.difference import values as values_module
from segcli.ckpt.difference.comparing import Difference, Question, diff
from segcli.ckpt.difference.matching import common_prefix
from segcli.ckpt.difference.values import Values
from segcli.ckpt.nonfinite import find_nonfinite
from segcli.ckpt.tensors import holdings
from segcli.ckpt.views import view_of
from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.pickle_walk import walk
from segcli.formats.torch_zip import read_torch_zip
from tests.conftest import Run
from tests.formats.crafting import Saved, checkpoint, pickled, rebuild, save, storage, write_records

NAN = float("nan")


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 4, 1))
    return {"epoch": 3, "model": net.state_dict(), "lr": [0.1, {"decay": 0.5}]}


def differences(tmp_path: Path, one: Saved, two: Saved, **asked: Any) -> Difference:  # noqa: ANN401 - a Question's fields
    first, second = save(one, tmp_path / "first.pth"), save(two, tmp_path / "second.pth")
    seen: list[int] = []
    found = diff(first, second, Question(**asked), advance=seen.append)
    assert sum(seen) <= first.stat().st_size
    return found


def test_a_file_and_its_copy_are_the_same(tmp_path: Path) -> None:
    found = differences(tmp_path, state(), state())
    assert (found.same, found.compared, found.equal, found.formats) == (True, 9, 9, ("zip", "zip"))


@pytest.mark.parametrize("options", [{"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}], ids=str)
def test_formats_do_not_matter(tmp_path: Path, options: dict[str, Any]) -> None:
    first, second = save(state(), tmp_path / "first.pth"), save(state(), tmp_path / "second.pth", **options)
    assert diff(first, second).same
    assert diff(second, first).same


def test_everything_that_can_differ(tmp_path: Path) -> None:
    one, two = state(), state()
    two["model"]["0.weight"][1, 2, 0, 0] += 0.5
    two["model"]["0.bias"][3] = NAN
    two["model"]["2.weight"] = two["model"]["2.weight"].half()
    two["model"]["2.bias"] = two["model"]["2.bias"][:3]
    del two["model"]["1.weight"]
    two["model"]["new"] = torch.ones(1)
    two["epoch"] = 4
    found = differences(tmp_path, one, two)
    assert not found.same
    assert [(pair.key, pair.differs) for pair in found.tensors] == [
        ("model.2.bias", ("shape",)),
        ("model.0.bias", ("values",)),
        ("model.0.weight", ("values",)),
        ("model.2.weight", ("dtype", "values")),
    ]
    assert (found.only_first, found.only_second, found.prefix) == (("model.1.weight",), ("model.new",), None)
    assert [(value.key, value.first, value.second) for value in found.values] == [("epoch", "3", "4")]
    gap = found.tensors[2].values
    assert gap is not None
    assert (gap.at, gap.unequal, gap.elements) == ((1, 2, 0, 0), 1, 216)
    assert gap.max_abs == pytest.approx(0.5)
    assert found.equal == 4


def test_tags_count_and_can_be_ignored(tmp_path: Path) -> None:
    first, second = save(state(), tmp_path / "first.pth"), save(state(), tmp_path / "second.pth", "cuda:0")
    found = diff(first, second)
    assert {pair.differs for pair in found.tensors} == {("tag",)}
    assert (found.same, len(found.tensors)) == (False, 9)
    assert diff(first, second, Question(ignore=("tags",))).same


@pytest.mark.parametrize(
    ("tolerance", "rtol", "same"),
    [(0.0, 0.0, False), (0.4, 0.0, False), (0.5, 0.0, True), (0.0, 0.25, True), (0.1, 0.2, True)],
)
def test_tolerances_are_those_of_allclose(tmp_path: Path, tolerance: float, rtol: float, same: bool) -> None:  # noqa: FBT001 - expected
    one, two = torch.tensor([1.5, 7.0]), torch.tensor([2.0, 7.0])
    found = differences(tmp_path, [one], [two], tolerance=tolerance, rtol=rtol)
    assert found.same == torch.allclose(one, two, rtol=rtol, atol=tolerance) == same
    assert (found.within, found.within_max_abs) == ((1, 0.5) if same else (0, 0.0))


def test_dtypes_are_compared_as_numbers(tmp_path: Path) -> None:
    weights = torch.randn(50)
    found = differences(tmp_path, [weights], [weights.half()], tolerance=1e-2)
    assert [pair.differs for pair in found.tensors] == [("dtype",)]
    assert differences(tmp_path, [weights], [weights.half()], tolerance=1e-2, ignore=("dtypes",)).same
    assert differences(tmp_path, [torch.arange(5)], [torch.arange(5.0)], ignore=("dtypes",)).same


def test_values_can_be_ignored(tmp_path: Path) -> None:
    assert differences(tmp_path, [torch.ones(3), 1], [torch.zeros(3), 2], ignore=("values", "others")).same


def test_only_some_keys(tmp_path: Path) -> None:
    two = state()
    two["model"]["0.weight"] += 1
    two["lr"] = [0.2, {"decay": 0.5}]
    assert differences(tmp_path, state(), two, keys=("*.bias", "epoch")).same
    assert not differences(tmp_path, state(), two, keys=("*.weight",)).same
    with pytest.raises(SegcliError, match=r"neither .* nor .* has a key that is head\.\*"):
        differences(tmp_path, state(), two, keys=("head.*",))


def test_strides_do_not_count_and_are_told(tmp_path: Path) -> None:
    weights = torch.randn(4, 3, 5, 5)
    found = differences(tmp_path, [weights], [weights.to(memory_format=torch.channels_last)])
    assert (found.same, found.strides) == (True, 1)


def test_ties_count(tmp_path: Path) -> None:
    one, two = torch.ones(3), torch.ones(3)
    tied = {"a": one, "b": one, "c": two}
    found = differences(tmp_path, tied, {"a": one, "b": one.clone(), "c": two})
    assert [(tie.keys, tie.tied_in) for tie in found.ties] == [(("a", "b"), "first")]
    found = differences(tmp_path, tied, {"a": one, "b": two, "c": two})
    assert [(tie.keys, tie.tied_in) for tie in found.ties] == [(("a", "b"), "first"), (("b", "c"), "second")]
    assert not found.same
    assert differences(tmp_path, tied, {"a": one, "b": two, "c": two}, ignore=("ties",)).same


def test_aliases_are_compared_once(tmp_path: Path) -> None:
    one, two = torch.ones(1000), torch.zeros(1000)
    first, second = save({"a": one, "b": one}, tmp_path / "a.pth"), save({"a": two, "b": two}, tmp_path / "b.pth")
    seen: list[int] = []
    assert len(diff(first, second, advance=seen.append).tensors) == 2
    assert sum(seen) == 4000


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sparse_quantized_and_meta_tensors(tmp_path: Path) -> None:
    def content(value: float, scale: float, side: int = 3) -> dict[str, Any]:
        return {
            "coo": torch.tensor([[0.0, value], [3.0, 0.0]]).to_sparse(),
            "q": torch.quantize_per_tensor(torch.tensor([1.0, 2.0]), scale, 0, torch.qint8),
            "meta": torch.empty(side, device="meta"),
        }

    assert differences(tmp_path, content(1, 0.1), content(1, 0.1)).same
    (found,) = differences(tmp_path, content(1, 0.1), content(2, 0.1)).tensors
    assert (found.key, found.differs) == ("coo", ("values",))
    assert found.values is not None
    assert found.values.max_abs == 1
    (found,) = differences(tmp_path, content(1, 0.1), content(0, 0.1)).tensors
    assert (found.key, found.values) == ("coo", None)
    (found,) = differences(tmp_path, content(1, 0.1), content(1, 0.1, 4)).tensors
    assert (found.key, found.differs) == ("meta", ("shape",))
    one, two = content(1, 0.1), content(1, 0.2)
    two["q"] = torch._make_per_tensor_quantized_tensor(one["q"].int_repr(), 0.2, 0)
    (found,) = differences(tmp_path, one, two).tensors
    assert (found.key, found.differs, found.values) == ("q", ("values",), None)
    (found,) = differences(tmp_path, {"w": torch.ones(2)}, {"w": torch.ones(2).to_sparse()}).tensors
    assert found.differs == ("layout", "values")


def test_quick_takes_the_checksums_word(tmp_path: Path) -> None:
    first = save({"w": torch.ones(3)}, tmp_path / "first.pth")
    raw = first.read_bytes()
    with open_source(first) as source:
        start = read_torch_zip(source).storages["0"].data.start
    second = tmp_path / "second.pth"
    second.write_bytes(raw[:start] + b"x" + raw[start + 1 :])
    seen: list[int] = []
    assert diff(first, second, Question(quick=True), advance=seen.append).same
    assert sum(seen) == 12
    assert not diff(first, second).same
    assert not differences(tmp_path, [torch.ones(3)], [torch.zeros(3)], quick=True).same


def test_prefixes_are_named() -> None:
    plain = ["conv.weight", "conv.bias", "head.weight"]
    assert common_prefix([f"module.{key}" for key in plain], plain).text == "module."  # type: ignore[union-attr]
    found = common_prefix(plain, [f"model.net.{key}" for key in plain])
    assert found is not None
    assert (found.text, found.file, found.keys) == ("model.net.", "second", 3)
    assert common_prefix(["a.b", "c.d", "e.f"], ["b"]) is None
    assert common_prefix([], ["b"]) is None


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (Question(ignore=("tag",)), "unknown thing to ignore 'tag', expected one of tags, dtypes"),
        (Question(tolerance=-1.0), "--tolerance is -1.0, expected a number from 0 on"),
        (Question(rtol=NAN), "--rtol is nan, expected a number from 0 on"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, question: Question, told: str) -> None:
    with pytest.raises(SegcliError, match=told):
        diff(tmp_path / "a", tmp_path / "b", question)


def test_a_tensor_beyond_its_storage_is_damage(tmp_path: Path) -> None:
    node = rebuild("_rebuild_tensor", storage(), 2, (3,), (1,))
    path = checkpoint(tmp_path / "it.pth", pickled({"w": node}))
    with pytest.raises(SegcliError, match=r"w reaches element 4 of storage 0, which has 4"):
        diff(path, path)


def test_overlapping_without_end_is_refused(tmp_path: Path) -> None:
    node = rebuild("_rebuild_tensor", storage(numel=1000), 0, (100,) * 6, (1,) * 6)
    path = write_records(tmp_path / "it.pth", {"data.pkl": pickled({"w": node}), "data/0": bytes(4000)})
    with pytest.raises(SegcliError, match=r"w in .* has 1,000,000,000,000 elements that overlap in a storage of 1,000"):
        diff(path, path)


def test_elements_that_share_a_byte(tmp_path: Path) -> None:
    def file(name: str, raw: bytes, numel: int) -> Path:
        quantizer = (torch.per_tensor_affine, 0.1, 0)
        held = Saved_(numel)
        node = rebuild("_rebuild_qtensor", held, 0, (5,), (1,), quantizer, *(False, {}))
        return write_records(tmp_path / name, {"data.pkl": pickled({"q": node}), "data/0": raw})

    def Saved_(numel: int) -> Saved:  # noqa: N802 - makes one
        made = storage(numel=numel)
        made.id = ("storage", torch.QUInt4x2Storage, "0", "cpu", numel)
        return made

    one, two, three = file("a", b"abc", 3), file("b", b"abd", 3), file("c", b"abcd", 4)
    assert diff(one, one).same
    assert [pair.differs for pair in diff(one, two).tensors] == [("values",)]
    assert [pair.values for pair in diff(one, three).tensors] == [None]


def test_what_stands_under_two_keys_is_listed_once(tmp_path: Path) -> None:
    weights = {"w": torch.ones(3)}
    assert differences(tmp_path, {"model": weights, "ema": weights}, {"model": weights, "ema": weights}).compared == 1


def test_parts_that_are_one_are_compared_once(tmp_path: Path) -> None:
    part = rebuild("_rebuild_tensor", storage(), 0, (2,), (1,))
    node = rebuild("_rebuild_sparse_tensor", torch.sparse_coo, (part, part, (9,)))
    path = checkpoint(tmp_path / "it.pth", pickled({"w": rebuild("_rebuild_parameter", node, *(False, {}))}))
    with open_checkpoint(path) as opened:
        assert len(holdings(opened).tensors["w"].parts) == 1
    assert diff(path, path).same


def test_what_has_no_storage_has_no_place(tmp_path: Path) -> None:
    path = save({"w": torch.empty(3, device="meta")}, tmp_path / "it.pth")
    with open_checkpoint(path) as opened, pytest.raises(SegcliError, match=r"w in .* has no values of its own"):
        view_of(opened, "w", holdings(opened).tensors["w"].header)


def test_nonfinite_tensors_are_found(tmp_path: Path) -> None:
    bad = torch.tensor([1.0, NAN, float("inf"), NAN])
    content = {"good": torch.ones(3), "bad": bad, "view": bad[1:], "alias": bad, "int": torch.arange(3)}
    path = save({**content, "sparse": torch.tensor([NAN, 0.0]).to_sparse()}, tmp_path / "it.pth")
    seen: list[int] = []
    with open_checkpoint(path) as opened:
        result = list(find_nonfinite(opened, seen.append))
    assert [(one.key, one.nan, one.infinite, one.elements, one.same_as) for one in result] == [
        ("bad", 2, 1, 4, None),
        ("view", 2, 1, 3, None),
        ("alias", 2, 1, 4, "bad"),
        ("sparse", 1, 0, 1, None),
    ]
    assert sum(seen) == 12 + 16 + 12 + 24 + 8 + 4


# -- values that are no tensors


class Point:
    def __init__(self, x: object) -> None:
        self.x = x


class Counted(dict[str, int]):
    pass


def found(one: object, two: object) -> list[tuple[str, str | None, str | None]]:
    nodes = [walk(pickle.dumps(value, protocol=4), "a pickle").root for value in (one, two)]
    return [(value.key, value.first, value.second) for value in Values().differences("it", *nodes)]


PLAIN_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
KEYS = st.text(max_size=2) | st.integers(0, 3) | st.tuples(st.integers(0, 1))
TREES = st.recursive(
    PLAIN_VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.sets(st.integers(0, 9) | st.text(max_size=2), max_size=3)
        | st.builds(collections.OrderedDict, st.dictionaries(st.text(max_size=2), inner, max_size=2))
    ),
    max_leaves=8,
)


def alike(one: Saved, two: Saved) -> bool:
    """Compare as Python does, but for types and NaN."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return one == two or (one != one and two != two)  # noqa: PLR0124 - NaN
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, dict):
        return set(one) == set(two) and all(alike(one[key], two[key]) for key in one)
    return bool(one == two)


@given(TREES, TREES)
@example({"a": 1, "b": 2}, {"b": 2, "a": 1})
@example([1, True], [1.0, 1])
@example({(0,): 1}, {(1,): 1})
def test_values_are_equal_where_python_says_so(one: Saved, two: Saved) -> None:
    if isinstance(one, dict) and isinstance(two, dict) and any(isinstance(key, tuple) for key in [*one, *two]):
        # Tuples as keys are compared in order.
        assert not found(one, one)
        return
    assert (not found(one, two)) == alike(one, two)
    assert not found(one, one)


def test_differences_name_their_place() -> None:
    one = {"lr": 0.1, "betas": [0.9, 0.99], "gone": None, "name": "adam"}
    two = {"lr": 0.1, "betas": [0.9, 0.999], "new": {}, "name": b"adam"}
    assert found(one, two) == [
        ("it.gone", "None", None),
        ("it.new", None, "{}"),
        ("it.betas.1", "0.99", "0.999"),
        ("it.name", "'adam'", "4 bytes"),
    ]
    assert found({(1, 2): 1}, {(1, 3): 1}) == [("it.(1, 2).1", "2", "3")]


def test_objects_are_compared_by_what_they_hold() -> None:
    assert not found(Point([1]), Point([1]))
    assert found(Point([1]), Point([2])) == [("it.x.0", "1", "2")]
    assert found(Point(1), Counted())[0][0] == "it"
    assert not found(Counted(a=1), Counted(a=1))
    assert found(Counted(a=1), Counted(a=2)) == [("it.a", "1", "2")]
    assert len(found(np.float64(0.5), np.float64(0.25))) == 1
    assert not found(np.arange(3), np.arange(3))
    assert not found(print, print)
    assert found(print, len) == [("it", "builtins.print", "builtins.len")]
    assert not found({1, "a", print, NAN}, {print, "a", 1, NAN})
    assert found({1, 2}, {1, 3}) == [("it", "{1, 2}", "{1, 3}")]
    assert not found({(1, 2)}, {(1, 2)})
    assert not found({bytes(3): bytearray(b"abc")}, {bytes(3): bytearray(b"abc")})
    assert not found({"a": frozenset([1])}, {"a": frozenset([1])})


def test_cycles_and_what_is_reached_in_many_ways() -> None:
    one: list[Any] = [1]
    one.append(one)
    two: list[Any] = [1]
    two.append(two)
    assert not found(one, two)
    deep: Any = ()
    for _ in range(40):
        deep = (deep, deep)
    assert not found(deep, deep)
    wide: Any = []
    for _ in range(200):
        wide = [wide]
    assert not found(wide, wide)


def test_pairs_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values_module, "MAX_PAIRS", 10)
    with pytest.raises(SegcliError, match="lead back to themselves in more than 10 ways"):
        found([[] for _ in range(20)], [[] for _ in range(20)])


def test_a_tensor_is_no_value(tmp_path: Path) -> None:
    weights = torch.ones(2)
    result = differences(tmp_path, {"a": weights, "b": [1]}, {"a": [2], "b": weights})
    assert (result.only_first, result.only_second) == (("a",), ("b",))
    assert [(value.key, value.first) for value in result.values] == [("b", "[1]"), ("a", None)]


def test_modules_are_compared_with_their_attributes(tmp_path: Path) -> None:
    nets: list[Saved] = [torch.nn.Sequential(torch.nn.Dropout(rate)) for rate in (0.1, 0.2)]
    one, two = nets
    one.weight = two.weight = torch.nn.Parameter(torch.ones(2))
    result = differences(tmp_path, {"net": one, "w": one.weight}, {"net": two, "w": two.weight})
    assert [(value.first, value.second) for value in result.values] == [("0.1", "0.2")]
    # A tensor in one, and no tensor in the other.
    two.buffer, one.buffer = torch.ones(2), 3
    result = differences(tmp_path, one, two)
    assert ("3", "float32 (2,)") in [(value.first, value.second) for value in result.values]


# -- the command


def test_the_command_says_what_differs(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = state(), state()
    for index, content in enumerate((one, two)):
        content["model"]["0.weight"][:] = 0.25
        content["model"]["0.weight"][1, 2, 0, 0] = index
        content["model"]["0.bias"][:] = 1.0
        content["model"]["tied"] = content["model"]["0.bias"]
        content["model"]["last"] = torch.zeros(3, 2).to(memory_format=torch.preserve_format)
    two["model"]["0.bias"][3] = NAN
    two["model"]["tied"] = torch.ones(8)
    two["model"]["1.weight"] = two["model"]["1.weight"].half()
    two["model"]["2.bias"] = two["model"]["2.bias"][:3]
    two["model"]["last"] = torch.zeros(2, 3).T
    two["model"]["new"] = torch.ones(1)
    two["epoch"] = 4
    first, second = save(one, Path("first.pth")), save(two, Path("second.pth"))
    done = segcli("ckpt", "diff", first, second)
    assert (done.code, done.err) == (1, "")
    assert done.out == snapshot
    document = segcli("ckpt", "diff", first, second, "--json").json
    assert document["schema"] == "segcli.ckpt.diff/1"
    assert document["tensors"][2]["values"]["at"] == [1, 2, 0, 0]
    rows = list(csv.DictReader(io.StringIO(segcli("ckpt", "diff", first, second, "--csv").out)))
    assert [(row["key"], row["differs_in"], row["max_abs"]) for row in rows][1:3] == [
        ("model.0.bias", "values", ""),
        ("model.0.weight", "values", "1.0"),
    ]
    assert rows[-1]["key"] == "model.new"
    assert (
        "within the tolerance, but not equal: 1 tensor" in segcli("ckpt", "diff", first, second, "--tolerance", 1).out
    )
    same = segcli("ckpt", "diff", first, first)
    assert (same.code, same.out.splitlines()[0]) == (0, "first.pth and first.pth: the same")


def test_the_command_names_the_prefix_and_cuts_long_lists(segcli: Run, tmp_path: Path) -> None:
    content = {f"w{index}": torch.ones(1) for index in range(50)}
    first = save({f"module.{key}": tensor for key, tensor in content.items()}, tmp_path / "first.pth")
    second = save(content, tmp_path / "second.pth")
    out = " ".join(segcli("ckpt", "diff", first, second).out.split())
    assert "and 60 more, which --json lists" in out
    assert "first.pth are the other's behind 'module.'" in out
    assert "DST --prefix module." in out
    out = " ".join(segcli("ckpt", "diff", second, first).out.split())
    assert f"segcli ckpt strip {first} DST --prefix module." in out


def test_the_way_to_a_nested_dict_is_named(segcli: Run, tmp_path: Path) -> None:
    content = {"w": torch.ones(1), "v": torch.ones(2)}
    plain = save(content, tmp_path / "plain.pth")
    wrapped = {f"module.{key}": tensor for key, tensor in content.items()}
    for saved, options in (
        ({"net": content}, ["--keep", "net", "--weights-only"]),
        ({"net": wrapped, "more": {"x": torch.ones(1)}}, ["--keep", "net", "--weights-only", "--prefix", "module."]),
    ):
        nested = save(saved, tmp_path / "nested.pth")
        out = " ".join(segcli("ckpt", "diff", plain, nested).out.split())
        assert f"segcli ckpt strip {nested} DST {' '.join(options)}" in out
        segcli("ckpt", "strip", nested, tmp_path / "again.pth", *options, "--force")
        assert segcli("ckpt", "diff", plain, tmp_path / "again.pth").code == 0


def test_tags_and_complex_values_are_shown(segcli: Run, tmp_path: Path) -> None:
    first = save(torch.tensor([1j]), tmp_path / "first.pth")
    second = save(torch.tensor(0j).reshape(1), tmp_path / "second.pth", "cuda:0")
    out = segcli("ckpt", "diff", first, second, "--ignore", "values").out
    assert "where only the device tag differs, values are equal" in out
    out = segcli("ckpt", "diff", first, second).out
    assert "cuda:0 0j" in out
    scalars = [save(torch.tensor(value), tmp_path / f"{value}.pth") for value in (1, 2)]
    assert segcli("ckpt", "diff", *scalars).code == 1


def test_what_may_be_ignored_completes() -> None:
    from segcli.ckpt.difference.command import _complete_ignore

    assert _complete_ignore("t") == ["tags", "ties"]


def test_what_is_yet_to_be_conjugated_or_negated(tmp_path: Path) -> None:
    numbers = torch.tensor([1 + 2j, 3])
    lazy = save({"c": numbers.conj(), "n": torch._neg_view(torch.ones(3))}, tmp_path / "lazy.pth")
    plain = save({"c": numbers, "n": torch.ones(3)}, tmp_path / "plain.pth")
    done = diff(lazy, plain)
    # The elements in the files are the same ones; the tensors are not.
    assert [(one.key, one.differs) for one in done.tensors] == [("c", ("layout",)), ("n", ("layout",))]
    assert diff(lazy, lazy).same
    assert {one.key: one.layout for one in inspect(lazy).tensors} == {"c": "conj", "n": "neg"}
    with pytest.raises(SegcliError, match="has layout conj"):
        average([lazy, plain], tmp_path / "mean.pth")
    average([lazy, lazy], tmp_path / "mean.pth")
    assert torch.equal(torch.load(tmp_path / "mean.pth")["c"], numbers.conj())
    assert torch.load(tmp_path / "mean.pth")["n"].tolist() == [-1, -1, -1]


def test_two_tensors_of_one_dotted_key_are_told_apart(tmp_path: Path) -> None:
    content = {"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}}
    one = save(content, tmp_path / "one.pth")
    two = save({"a": {"b": torch.zeros(1)}, "a.b": torch.ones(1)}, tmp_path / "two.pth")
    three = save({**content, "a": {"b": torch.full((1,), 7.0)}}, tmp_path / "three.pth")
    assert diff(one, two).same
    found = diff(one, three)
    assert ([each.key for each in found.tensors], found.compared) == (["a.b"], 2)
    assert [each.key for each in diff(one, save({**content, "a.b": torch.zeros(1)}, three)).tensors] == ["'a.b'"]
    # A number and a text of one spelling cannot be told apart.
    odd = save({1: torch.ones(1), "1": torch.ones(1)}, tmp_path / "odd.pth")
    with pytest.raises(SegcliError, match="has two tensors whose key is '1'"):
        diff(odd, odd)
