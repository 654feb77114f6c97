"""Assignment to an index: agreement with real PyTorch and NumPy, by hand, symbols, formulas."""

import random
import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import Answer, explain
from tests.shapes.agreement import CASES, SEED
from tests.shapes.cases import Case, bind_source, shape_text, subscript
from tests.shapes.formulas import perform_formula
from tests.shapes.selecting_cases import NUMBERS

_STRANGERS = ["[1, 2]", "[0]", "[]", "(1,)", "[[1], [2]]", "None", "'a'", "...", "1:2", "[1e999]", "[300, 0]"]
# Where several of NumPy's kernels may be the first to raise.
_VIEWS = [".transpose(0, -1)", "[1:]", "[..., None]", "[::2]", "[0]", "[None]"]


def perform(expr: str, names: dict[str, Any]) -> tuple[tuple[int, ...], str] | str:
    """Do an assignment; return shape and dtype of the place that it writes to, or the exception's type."""
    left, _, right = expr.partition(" = ")
    target, _, index = left.rpartition("@[")
    scope = {"np": np, "torch": torch, "slice": slice, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # The tests wrote it.
            exec(f"value = {right}\ntarget = {target}\ntarget[{index} = value\nplace = target[{index}", scope)  # noqa: S102
        except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
            return type(error).__name__
    place = scope["place"]
    return tuple(place.shape), str(place.dtype).removeprefix("torch.")


def verdict_of(answer: Answer) -> tuple[tuple[Any, ...], str] | str:
    if answer.error is not None:
        return answer.error.type
    assert answer.shape is not None
    assert answer.dtype is not None
    return answer.shape, answer.dtype


def draw_value(rng: random.Random, case: Case, region: tuple[int, ...] | None) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(NUMBERS)
    if kind < 0.25:
        return rng.choice([each for each in _STRANGERS if each != "1:2"])
    shape = list(region) if region is not None else [2, 3]
    for axis in range(len(shape)):
        if rng.random() < 0.1:
            shape[axis] = rng.choice([1, 1, 2, 5, 0])
    cut = rng.choice([0, 0, 0, 1, 2])
    shape = shape[cut:]
    if rng.random() < 0.15:
        shape = [rng.choice([1, 1, 2]), *shape]
    if rng.random() < 0.1:
        shape = rng.choice([[], [1], [1, 1], [0], [7]])
    own = str(case.tensors["x"].dtype).removeprefix("torch.")
    dtype = own if rng.random() < 0.75 else rng.choice(["float32", "float64", "int64", "bool", "uint8", "complex64"])
    case.tensors["v"] = torch.ones(shape, dtype=getattr(torch, dtype))
    case.specs["v"] = f"{dtype}:{shape_text(tuple(shape))}"
    return "v"


def draw(rng: random.Random) -> tuple[Case, str]:
    """Draw an assignment; return it, and its text with a mark where the last index begins."""
    case = Case("x", "x")
    bind_source(rng, case)
    view = rng.choice(_VIEWS) if rng.random() < 0.25 else ""
    if rng.random() < 0.06:
        view = f".expand({', '.join(map(str, (2, *case.tensors['x'].shape)))})"
    index = subscript(rng, case, tuple(case.tensors["x"].shape))
    base = f"x{view}"
    region: tuple[int, ...] | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            region = tuple(eval(f"{base}{index}", {"slice": slice}, dict(case.tensors)).shape)  # noqa: S307 - as above
    except Exception:  # noqa: BLE001 - then any value will do
        region = None
    value = draw_value(rng, case, region)
    case.expr = f"{base}{index} = {value}"
    left = set(re.findall(r"\b[a-hvx]\b", re.sub(r"'a'", "", case.expr)))
    case.specs = {name: spec for name, spec in case.specs.items() if name in left}
    return case, f"{base}@{index} = {value}"


@pytest.mark.parametrize("chunk", range(2))
def test_random_assignments(chunk: int) -> None:
    rng = random.Random(SEED + chunk)
    count = CASES // 8
    raised = 0
    for number in range(count):
        case, marked = draw(rng)
        where = f"SEGCLI_FUZZ_SEED={SEED + chunk}, case {number}: {case.expr} {case.specs}"
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError as error:
            if "objects" not in error.message:
                raise
            continue
        except Exception as error:
            raise AssertionError(where) from error
        tensors = {name: tensor.clone() for name, tensor in case.tensors.items()}
        arrays = {name: tensor.clone().numpy() for name, tensor in case.tensors.items()}
        real = perform(marked, tensors)
        assert verdict_of(explanation.torch) == real, f"{where}\n{explanation.torch}\n{real}"
        if ".transpose" not in marked and ".expand" not in marked:
            in_numpy = perform(marked, arrays)
            assert verdict_of(explanation.numpy) == in_numpy, f"{where}\n{explanation.numpy}\n{in_numpy}"
        raised += isinstance(real, str)
    assert 0.2 * count < raised < 0.8 * count


_EXPANDED_SIZE = (
    "The expanded size of the tensor (3) must match the existing size (5) at non-singleton dimension 0.  "
    "Target sizes: [3].  Tensor sizes: [5]"
)
_TOO_MANY_SIZES = (
    "expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to "
    "the number of dimensions in the tensor (2)"
)
_ONE_LOCATION = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
    "Please clone() the tensor before performing the operation."
)
_TENSORS = {
    "x": torch.arange(24.0).reshape(2, 3, 4),
    "y": torch.arange(24).reshape(2, 3, 4),
    "c": torch.zeros(2, dtype=torch.complex64),
    "m": torch.arange(24).reshape(2, 3, 4) % 5 == 0,
    "i": torch.tensor([0, 1, 1]),
    "o": torch.tensor([9]),
    "e": torch.zeros(0, dtype=torch.int64),
    "u": torch.ones(2, 3, 4, dtype=torch.uint8),
    "z": torch.tensor(1.0),
    "big": torch.tensor(1e30),
    "v": torch.ones(3, 2),
    "w": torch.ones(7, 7),
    "s": torch.ones(2),
    "d": torch.ones(1, dtype=torch.float64),
    "k": torch.ones(2, 0, 3, 4),
}
_SPECS = {
    name: f"{str(tensor.dtype).removeprefix('torch.')}:"
    + (shape_text(tuple(tensor.shape)) if name in "xycvwsdke" else f"tensor({tensor.tolist()})")
    for name, tensor in _TENSORS.items()
}


@pytest.mark.parametrize(
    ("marked", "in_torch", "in_numpy"),
    [
        ("x@[0, :, i[:2]] = v", (3, 2), "ValueError"),
        ("x@[0, :, i[:2]] = v[:2, [0, 0, 0]]", "RuntimeError", (2, 3)),
        ("x@[False] = w", (0, 2, 3, 4), "ValueError"),
        ("x@[True] = w", "RuntimeError", "ValueError"),
        ("x@[m] = 1", (5,), (5,)),
        ("x@[m] = s", "RuntimeError", "ValueError"),
        ("x@[m] = d", (5,), (5,)),
        ("x@[m] = v", "RuntimeError", "TypeError"),
        ("x@[i] = d", "RuntimeError", (3, 3, 4)),
        ("x@[0] = d", (3, 4), (3, 4)),
        ("x@[u] = 1", "RuntimeError", None),
        ("y@[m] = big", "RuntimeError", None),
        ("x@[0] = [1, 2, 3, 4]", "TypeError", (3, 4)),
        ("x@[0] = [[[1]]]", "TypeError", "ValueError"),
        ("x@[0, 0, 0] = [1]", "TypeError", "ValueError"),
        ("x@[0, 0, 0] = s", "RuntimeError", "ValueError"),
        ("x@[0, 0, 0] = d", (), "ValueError"),
        ("y@[0, 0, 0] = [1]", "TypeError", "TypeError"),
        ("c@[0] = [1]", "TypeError", "TypeError"),
        ("c@[0] = s", "RuntimeError", "TypeError"),
        ("c@[0] = 'a'", "TypeError", "ValueError"),
        ("c@[0] = ...", "TypeError", "TypeError"),
        ("m@[0, 0, 0] = [1]", "TypeError", ()),
        ("m@[0, 0, 0] = s", "RuntimeError", "ValueError"),
        ("x@[0] = None", "TypeError", (3, 4)),
        ("y@[0] = None", "TypeError", "TypeError"),
        ("x@[0] = 'a'", "TypeError", "ValueError"),
        ("x@[0] = '1.5'", "TypeError", (3, 4)),
        ("x@[0] = ...", "TypeError", "TypeError"),
        ("y@[0] = 1e999", "RuntimeError", "OverflowError"),
        ("y@[0] = 1e999 - 1e999", "RuntimeError", "ValueError"),
        ("y@[0] = 1e30", "RuntimeError", "OverflowError"),
        ("u@[0] = 300", "RuntimeError", "OverflowError"),
        ("u@[0] = -1", (3, 4), "OverflowError"),
        ("x@[o] = w", "RuntimeError", "ValueError"),
        ("x@[o] = 1", "IndexError", "IndexError"),
        ("x@[[9]] = w", "RuntimeError", "ValueError"),
        ("x@[[[9], [0]]] = w", "RuntimeError", "ValueError"),
        ("x@[[9.5]] = w", "RuntimeError", "IndexError"),
        ("x[:0]@[o] = w", "IndexError", "ValueError"),
        ("x@[i, e] = 'a'", "TypeError", "ValueError"),
        ("x@[i, e] = 1", "IndexError", "IndexError"),
        ("x@[e] = k", "RuntimeError", (0, 3, 4)),
        ("x[0, 0, 0]@[0] = 1", "IndexError", "TypeError"),
        ("x@[0] = x", "RuntimeError", "ValueError"),
        ("z@[()] = s", "RuntimeError", "ValueError"),
    ],
)
def test_by_hand(marked: str, in_torch: tuple[int, ...] | str, in_numpy: tuple[int, ...] | str | None) -> None:
    expr = marked.replace("@", "")
    names = set(re.findall(r"\b[a-z]+\b", re.sub(r"'\S*'|\.\w+", "", expr))) & set(_TENSORS)
    explanation = explain(expr, {name: _SPECS[name] for name in names})
    torch_said, numpy_said = verdict_of(explanation.torch), verdict_of(explanation.numpy)
    assert (torch_said if isinstance(torch_said, str) else torch_said[0]) == in_torch
    assert perform(marked, {name: _TENSORS[name].clone() for name in names}) == torch_said
    if in_numpy is not None:
        assert (numpy_said if isinstance(numpy_said, str) else numpy_said[0]) == in_numpy
        assert perform(marked, {name: _TENSORS[name].clone().numpy() for name in names}) == numpy_said


@pytest.mark.parametrize(
    ("expr", "specs", "kind", "message"),
    [
        (
            "x.max(1)[0] = 1",
            {"x": "2,3"},
            "TypeError",
            "'torch.return_types.max' object does not support item assignment",
        ),
        ("x.shape[0] = 1", {"x": "2,3"}, "TypeError", "'torch.Size' object does not support item assignment"),
        ("x.split(1)[0] = 1", {"x": "2,3"}, "TypeError", "'tuple' object does not support item assignment"),
        ("x[0] = (1, 2)", {"x": "2,3"}, "TypeError", "can't assign a tuple to a torch.FloatTensor"),
        (
            "x[0] = v",
            {"x": "2,3", "v": "5,"},
            "RuntimeError",
            _EXPANDED_SIZE,
        ),
        (
            "x[0] = v",
            {"x": "2,3", "v": "1,2,3"},
            "RuntimeError",
            _TOO_MANY_SIZES,
        ),
        (
            "x[i] = v",
            {"x": "2,3", "i": "4,", "v": "1,5"},
            "RuntimeError",
            "shape mismatch: value tensor of shape [5] cannot be broadcast to indexing result of shape [4, 3]",
        ),
        (
            "x.expand(4, 3)[0:2] = 1",
            {"x": "1,3"},
            "RuntimeError",
            _ONE_LOCATION,
        ),
    ],
)
def test_words(expr: str, specs: dict[str, str], kind: str, message: str) -> None:
    error = explain(expr, specs).torch.error
    assert error is not None
    assert (error.type, error.message) == (kind, message)


def test_numpy_writes_to_no_expanded_array() -> None:
    error = explain("torch.broadcast_to(x, (4, 3))[0] = 1", {"x": "1,3"}).numpy.error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "assignment destination is read-only")


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("x[0] = v", {"x": "N,C", "v": "C,"}, ("N >= 1",)),
        ("x[0] = v", {"x": "2,C", "v": "5,"}, ("C == 5",)),
        ("x[0] = v", {"x": "2,3", "v": "K,"}, ("K == 3 (or 1)",)),
        ("x[0] = v", {"x": "2,3", "v": "K,3"}, ("K == 1",)),
        ("x[m] = v", {"x": "8,16", "m": "bool:8,16", "v": "12,"}, ("nonzero(m) == 12",)),
        ("x[i] = v", {"x": "8,16", "i": "K,", "v": "K,16"}, ()),
        ("x[i] = v", {"x": "8,16", "i": "4,", "v": "K,1,16"}, ("K == 1",)),
        ("x[m] = n", {"x": "8,n", "m": "bool:8"}, ()),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    assert explain(expr, specs).needs == needs


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("src[a, b] = v", {"src": "8,16,3", "a": "4,5", "b": "4,5", "v": "5,3"}, "src[a[i, j], b[i, j], k] = v[j, k]"),
        ("y[0, :, n] = v", {"y": "2,3,4", "n": "2,", "v": "3,1"}, "y[0, i, n[j]] = v[i, 0]"),
        ("x[1:, None] = 5", {"x": "4,6"}, "x[1 + i, k] = 5"),
        ("x.transpose(0, 1)[0] = v", {"x": "4,6", "v": "1,1,4"}, "x[i, 0] = v[0, 0, i]"),
        ("x[a][0] = v", {"x": "4,6", "a": "3,", "v": "6,"}, "x[a][0, i] = v[i]"),
        ("x[0][1] = 7", {"x": "4,6"}, "x[0, 1] = 7"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str) -> None:
    assert explain(expr, specs).formula == formula


def test_a_slice_from_the_end_of_an_unknown_axis_has_no_formula() -> None:
    assert explain("x[-3:2:-1] = 1", {"x": "N,6"}, lead="numpy").formula is None


def test_formulas() -> None:
    rng = random.Random(9)
    seen = 0
    for _ in range(3000):
        case, marked = draw(rng)
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError:
            continue
        shape = explanation.torch.shape
        if explanation.formula is None or shape is None or torch.Size([int(size) for size in shape]).numel() > 60:
            continue
        done = {name: tensor.clone() for name, tensor in case.tensors.items()}
        assert perform(marked, done) == (shape, explanation.torch.dtype)
        made = {name: tensor.clone() for name, tensor in case.tensors.items()}
        if explanation.formula.startswith("x[") and "_" not in explanation.formula:
            becomes = any("becomes" in each.why for each in explanation.broadcasts)
            if becomes or re.search(r"= .*(-|e|\d{3})", explanation.formula):
                continue
            try:
                perform_formula(explanation, made, torch.zeros([int(size) for size in shape]), None)
            except Exception as error:
                message = f"{case.expr} {case.specs}: {explanation.formula}"
                raise AssertionError(message) from error
            assert torch.equal(made["x"], done["x"]), (case.expr, case.specs, explanation.formula)
            seen += 1
    assert seen > 300


def test_notes() -> None:
    copied = explain("x[m][0] = 1", {"x": "8,16", "m": "bool:8"})
    assert copied.view is False
    assert copied.notes[0].startswith("x[m] is a copy: this writes into it, and x stays as it was")
    assert explain("x[1:][0] = 1", {"x": "8,16"}).notes == ()
    assert explain("x.sort().values[0] = 1", {"x": "8,16"}).notes[0].startswith("x.sort() is a copy")
    repeated = explain("x[i] = v", {"x": "8,", "i": "4,", "v": "4,"})
    assert "where positions repeat" in repeated.notes[0]
    assert explain("x[i] = 1", {"x": "8,", "i": "4,"}).notes == ()
    assert explain("x[i] = v", {"x": "8,", "i": "tensor([0, 3])", "v": "2,"}).notes == ()
    assert explain("x[i] = v", {"x": "8,", "i": "tensor([0, -8])", "v": "2,"}).notes != ()
    assert "expanded" in explain("x.expand(4, 3)[i] = 1", {"x": "1,3", "i": "2,"}).notes[0]
    assert explain("x[0] = 1.5", {"x": "int64:3,2"}).broadcasts[-1].why == "1.5 becomes int64, as x is"
