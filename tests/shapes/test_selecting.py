"""What selects by positions, by masks and by a condition: agreement with the libraries, by hand, symbols, formulas."""

import random
import re

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES, check
from tests.shapes.cases import Case
from tests.shapes.drawing import bind, run_cases
from tests.shapes.formulas import check_formula, perform_formula
from tests.shapes.oracle import ask_torch
from tests.shapes.selecting_cases import (
    NUMBERS,
    Draw,
    dim_of,
    mask,
    near,
    positions,
    source,
    stranger,
    write,
)


def along(shape: tuple[int, ...], dim: str) -> tuple[int, int]:
    """Return an axis and its size, of a dim that may be none."""
    whole = shape or (1,)
    axis = int(dim) if dim.lstrip("-").isdecimal() and -len(whole) <= int(dim) < len(whole) else 0
    return axis % len(whole), whole[axis]


def draw_gather(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    index = stranger(rng, positions(rng, case, "i", near(rng, shape, larger=0.1), size))
    case.numpy_expr = f"np.take_along_axis({base}, {index}, {dim})"
    write(rng, case, "gather", base, [("dim", dim), ("index", index)])
    return trimmed(case)


def draw_along(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = rng.choice([dim_of(rng, len(shape))] * 5 + ["None", ""])
    axis, size = along(shape, dim)
    spread = [*near(rng, shape, larger=0.05)]
    if dim in ("", "None"):
        axis, size = 0, max(torch.Size(shape).numel(), 1)
        spread = [*rng.choice([tuple(spread), (2,), (4,)])]
    if spread and axis < len(spread):
        spread[axis] = rng.choice([1, 2, 5, size])
    index = stranger(rng, positions(rng, case, "i", tuple(spread), size))
    case.numpy_expr = f"np.take_along_axis({', '.join([base, index, *([dim] if dim else [])])})"
    write(rng, case, "take_along_dim", base, [("indices", index), *([("dim", dim)] if dim else [])])
    return trimmed(case)


def draw_select(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    index = stranger(rng, positions(rng, case, "i", rng.choice([(), (1,), (2,), (3,), (0,), (5,), (2, 2)]), size))
    case.numpy_expr = (
        f"np.take({base}, {index}, {dim})" if index in ("i", "[0]", "0", "True", "i.transpose(0, 1)") else ""
    )
    write(rng, case, "index_select", base, [("dim", dim), ("index", index)])
    return trimmed(case)


def draw_scatter(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    spread = near(rng, shape, larger=0.06)
    index = stranger(rng, positions(rng, case, "i", spread, size))
    dtype = str(case.tensors["x"].dtype).removeprefix("torch.")
    larger = tuple(each + rng.choice([0, 0, 1]) for each in spread)
    values = bind(rng, case, "v", rng.choice([larger] * 5 + [near(rng, spread)]), dtype if rng.random() < 0.9 else "")
    name = rng.choice(["scatter", "scatter", "scatter_add"])
    word, given = "src", values
    if rng.random() < 0.35:
        word, given = "value" if name == "scatter" else "src", rng.choice(NUMBERS)
    arguments = [("dim", dim), ("index", index), (word, stranger(rng, given))]
    if name == "scatter" and rng.random() < 0.25:
        arguments.append(("*reduce", rng.choice(["'add'", "'multiply'", "'add'", "'mean'", "None"])))
    write(rng, case, name, base, arguments)
    return trimmed(case)


def draw_mask(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    one = mask(rng, case, "m", rng.choice([shape, shape, near(rng, shape), (2, *shape), shape[1:]]))
    one = stranger(rng, one)
    if rng.random() < 0.4:
        write(rng, case, "masked_select", base, [("mask", one)])
        return trimmed(case)
    value = rng.choice(NUMBERS)
    if rng.random() < 0.4:
        value = bind(rng, case, "v", rng.choice([(), (), (), (1,), (2,)]))
    write(rng, case, "masked_fill", base, [("mask", one), ("value", stranger(rng, value))])
    return trimmed(case)


def draw_where(rng: random.Random) -> Case:
    case = Case()
    _, shape = source(rng, case)
    condition = stranger(
        rng, mask(rng, case, "m", rng.choice([shape, shape, near(rng, shape), (2, *shape), shape[1:]]))
    )
    given = []
    for name in ("x", "v"):
        text = bind(rng, case, name, rng.choice([shape, shape, near(rng, shape), (), (1,)]))
        given.append(stranger(rng, rng.choice(NUMBERS) if rng.random() < 0.3 else text))
    if {case.tensors[name].dtype for name in "xv"} == {torch.float16, torch.complex64}:
        # They may give complex32, which is refused.
        return draw_where(rng)
    if rng.random() < 0.3 and "x" in given[0] and given[0] != "x":
        given[0] = "x"
    count = rng.choice([0, 2, 2, 2, 2, 2, 2, 1])
    whole = [condition, *given[:count]]
    case.numpy_expr = f"np.where({', '.join(whole)})"
    case.expr = f"torch.where({', '.join(whole)})"
    if any(text in whole for text in ("None", "'a'", "...")):
        # NumPy makes an array of objects.
        return draw_where(rng)
    if rng.random() < 0.2 and count == 2 and given[0].startswith("x"):
        case.expr, case.numpy_expr = f"{given[0]}.where({condition}, {given[1]})", ""
    return trimmed(case)


def draw_nonzero(rng: random.Random) -> Case:
    case = Case()
    shape = rng.choice([(), (1,), (3,), (0,), (2, 3), (2, 0), (2, 3, 4)])
    one = mask(rng, case, "m", shape)
    asked = rng.choice(["", "", "as_tuple=True", "as_tuple=False", "as_tuple=1", "True"])
    of_torch = rng.random() < 0.5
    case.expr = f"torch.nonzero({', '.join(filter(None, [one, asked]))})" if of_torch else f"{one}.nonzero({asked})"
    case.numpy_expr = f"np.nonzero({', '.join(filter(None, [one, asked]))})" if of_torch else f"{one}.nonzero({asked})"
    if rng.random() < 0.3:
        case.expr = f"torch.where({one})"
        case.numpy_expr = f"np.where({one})"
    if rng.random() < 0.3 and ("where" in case.expr or "as_tuple=True" in case.expr):
        case.expr, case.numpy_expr = f"m[{case.expr}]", f"m[{case.numpy_expr}]"
    return trimmed(case)


def trimmed(case: Case) -> Case:
    """Leave out names that the expression does without."""
    from segcli.shapes.text.names import find_uses
    from segcli.shapes.text.parse import parse

    used = {use.name for use in find_uses(parse(case.expr))}
    case.specs = {name: spec for name, spec in case.specs.items() if name in used}
    if any(spec.startswith("bfloat16") for spec in case.specs.values()):
        case.numpy_expr = ""
    return case


@pytest.mark.parametrize(
    "draw", [draw_gather, draw_along, draw_select, draw_scatter, draw_mask, draw_where, draw_nonzero]
)
def test_random_calls(draw: Draw) -> None:
    run_cases(draw, CASES // 32)


_PINNED = [
    ("x.index_select(1, i)", "np.take(x, i, 1)", {"x": (2, 1, 3), "i": [-2, 2]}),
    ("x[:0].index_select(1, i)", "np.take(x[:0], i, 1)", {"x": (2, 3), "i": [9]}),
    ("x.index_select(0, i)", "np.take(x, i, 0)", {"x": (2, 0, 3), "i": [2]}),
    ("x.index_select(None, i)", "np.take(x, i, None)", {"x": (2, 3), "i": [4, 0]}),
    ("x.index_select(True, i)", "np.take(x, i, True)", {"x": (2, 3), "i": [1]}),
    ("x.scatter(0, i, 1)", "", {"x": (2, 3), "i": [[2, 0, 0]]}),
    ("x.scatter(0, i, v)", "", {"x": (2, 3), "i": [[0, 0, 0]], "v": (3,)}),
    ("x.scatter(0, i, v)", "", {"x": (2, 3), "i": [[0, 0, 0, 0]], "v": (3,)}),
    ("x.scatter(0, i, v)", "", {"x": (3,), "i": [0], "v": ()}),
    ("x.scatter(0, i, v)", "", {"x": (), "i": [0], "v": (1,)}),
    ("x.take_along_dim(i, 0)", "np.take_along_axis(x, i, 0)", {"x": (), "i": [0]}),
    ("x.take_along_dim(i, 5)", "np.take_along_axis(x, i, 5)", {"x": (3,), "i": [0]}),
    ("x.take_along_dim(i, 0)", "np.take_along_axis(x, i, 0)", {"x": (3,), "i": [4, -1, -7]}),
    ("x.T.take_along_dim(i)", "", {"x": (3, 2), "i": [4, 1]}),
    ("x.gather(0, i, sparse_grad=True)", "np.take_along_axis(x, i, 0)", {"x": (3,), "i": [1]}),
    ("torch.where()", "np.where()", {}),
    ("torch.where(x, x)", "np.where(x, x)", {"x": (3,)}),
    ("torch.where(x, x, x, x)", "np.where(x, x, x, x)", {"x": (3,)}),
    ("torch.where(condition=i)", "np.where(condition=i)", {"i": [0, 2]}),
    ("torch.where(0)", "np.where(0)", {}),
    ("torch.where([0, 1])", "np.where([0, 1])", {}),
    ("m.nonzero(m)", "m.nonzero(m)", {"m": [[0, 1]]}),
    ("torch.nonzero(x, foo=1)", "np.nonzero(x, foo=1)", {"x": (3,)}),
]


@pytest.mark.parametrize(
    ("expr", "numpy_expr", "bound"), _PINNED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_pinned(expr: str, numpy_expr: str, bound: dict[str, list[int] | tuple[int, ...]]) -> None:
    case = Case(expr, numpy_expr)
    for name, given in bound.items():
        case.tensors[name] = torch.zeros(given) if isinstance(given, tuple) else torch.tensor(given)
        text = str(given).replace(" ", "")
        case.specs[name] = f"float32:{text}" if isinstance(given, tuple) else f"tensor({text})"
    check(case, words=False)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "formula"),
    [
        ("x.gather(1, i)", {"x": "4,5", "i": "int64:3,2"}, (3, 2), "result[j, k] = x[j, i[j, k]]"),
        ("x.gather(1, n)", {"x": "4,5", "n": "int64:3,2"}, (3, 2), "result[i, j] = x[i, n[i, j]]"),
        ("x[1:].gather(0, n)", {"x": "9,", "n": "int64:2"}, (2,), "result[i] = x[1 + (n[i])]"),
        ("x.gather(0, n)", {"x": "()", "n": "int64:2"}, (2,), "result[i] = x"),
        ("x.gather(0, n)", {"x": "3,", "n": "int64:()"}, (), "result = x[n]"),
        ("x.gather(0, n)", {"x": "3,2", "n": "int64:(0,)"}, (0,), None),
        ("x.take_along_dim(n, 0)", {"x": "4,5", "n": "int64:1,5"}, (1, 5), "result[i, j] = x[n[i, j], j]"),
        ("x.take_along_dim(n, 1)", {"x": "1,5", "n": "int64:4,1"}, (4, 1), "result[i, j] = x[0, n[i, j]]"),
        ("x[1:].take_along_dim(n, 0)", {"x": "9,", "n": "int64:2"}, (2,), "result[i] = x[1:][n[i]]"),
        ("x.take_along_dim(n, 0)", {"x": "3,", "n": "tensor([7])"}, (1,), "result[i] = x[n[i] % 3]"),
        ("x.take_along_dim(n)", {"x": "4,5", "n": "int64:2,3"}, (6,), None),
        ("x.take_along_dim(n)", {"x": "4,", "n": "int64:2"}, (2,), "result[i] = x[n[i]]"),
        ("x.index_select(1, n)", {"x": "4,5,6", "n": "int64:2"}, (4, 2, 6), "result[i, j, k] = x[i, n[j], k]"),
        ("x.index_select(0, n)", {"x": "4,5", "n": "int64:()"}, (1, 5), "result[i, j] = x[n, j]"),
        ("x.index_select(0, n)", {"x": "()", "n": "int64:1,"}, (), "result = x"),
        ("x.scatter(0, n, v)", {"x": "4,5", "n": "int64:2,3", "v": "2,3"}, (4, 5), "result[n[i, j], j] = v[i, j]"),
        ("x.scatter(1, n, 7)", {"x": "4,5", "n": "int64:2,3"}, (4, 5), "result[i, n[i, j]] = 7"),
        ("x.scatter_add(1, n, v)", {"x": "4,5", "n": "int64:2,3", "v": "4,5"}, (4, 5), "result[i, n[i, j]] += v[i, j]"),
        ("x.scatter(0, n, 7)", {"x": "4,", "n": "int64:()"}, (4,), "result[n] = 7"),
        ("x.scatter(0, n, 7)", {"x": "()", "n": "int64:3"}, (), None),
        (
            "x.masked_select(m)",
            {"x": "4,5", "m": "bool:4,5#7"},
            (7,),
            "result[i] = x[m.nonzero()[i, 0], m.nonzero()[i, 1]]",
        ),
        ("x.masked_select(m)", {"x": "4,1", "m": "bool:4,5#7"}, (7,), "result[i] = x[m.nonzero()[i, 0], 0]"),
        ("x.masked_select(m)", {"x": "4,5", "m": "bool:5,#2"}, (8,), None),
        ("x.masked_fill(m, -1)", {"x": "4,5", "m": "bool:5"}, (4, 5), "result[i, j] = (-1) if m[j] else x[i, j]"),
        (
            "torch.where(m, x, v)",
            {"x": "4,1", "m": "bool:5", "v": "()"},
            (4, 5),
            "result[i, j] = x[i, 0] if m[j] else v",
        ),
        ("x.where(m, 0)", {"x": "3,", "m": "bool:3"}, (3,), "result[i] = x[i] if m[i] else 0"),
        ("m.nonzero()", {"m": "bool:4,5#3"}, (3, 2), None),
        ("m.nonzero()", {"m": "bool:()"}, ("nonzero(m)", 0), None),
        ("torch.where(m)[1]", {"m": "bool:4,5#3"}, (3,), None),
    ],
)
def test_by_hand(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], formula: str | None) -> None:
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, explanation.formula) == (shape, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("x.gather(1, n)", {"x": "N,C", "n": "int64:N,1"}, ("N", 1), ("C >= 1",)),
        ("x.gather(1, n)", {"x": "N,C", "n": "int64:M,K"}, ("M", "K"), ("M <= N", "C >= 1")),
        ("x.gather(0, n)", {"x": "N,3", "n": "tensor([[4,0,1]])"}, (1, 3), ("N >= 5",)),
        ("x.gather(0, n)", {"x": "N,M", "n": "tensor([[4,0,1]])"}, (1, 3), ("M >= 3", "N >= 5")),
        ("x.take_along_dim(n, 1)", {"x": "N,C", "n": "int64:M,1"}, ("M", 1), ("N == M (or 1)", "C >= 1")),
        ("x.take_along_dim(n)", {"x": "N,3", "n": "tensor([5])"}, (1,), ("3*N >= 6",)),
        ("x.index_select(0, n)", {"x": "N,3", "n": "int64:K"}, ("K", 3), ("N >= 1",)),
        ("x.index_select(0, n)", {"x": "()", "n": "int64:K"}, (), ("K == 1",)),
        ("x.scatter(1, n, v)", {"x": "N,C", "n": "int64:M,1", "v": "M,K"}, ("N", "C"), ("M <= N", "K >= 1", "C >= 1")),
        ("x.masked_select(m)", {"x": "N,3", "m": "bool:N,1"}, ("3*nonzero(m)",), ()),
        ("x.masked_select(m)", {"x": "N,3", "m": "bool:0,1"}, (0,), ("N == 0 (or 1)",)),
        ("x.masked_fill(m, 0)", {"x": "N,3", "m": "bool:M,1"}, ("M", 3), ("N == M (or 1)",)),
        ("torch.where(m, x, 0)", {"x": "N,3", "m": "bool:N,3"}, ("N", 3), ()),
        ("x.nonzero()", {"x": "N,3"}, ("nonzero(x)", 2), ()),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.shape == shape
    assert sorted(explanation.needs) == sorted(needs)


def test_symbols_of_numpy() -> None:
    specs = {"x": "N,3", "n": "tensor([[4,-6,1]])"}
    assert explain("x.take_along_dim(n, 0)", specs, lead="numpy").needs == ("N >= 6",)


def test_where_with_a_mask_is_an_index() -> None:
    explanation = explain("x[torch.where(m)]", {"x": "4,5,6", "m": "bool:4,5"})
    assert explanation.torch.shape == ("nonzero(m)", 6)


def test_labels_of_the_source_stay() -> None:
    specs = {"x": "n:4,c:5", "i": "int64:4,2", "k": "int64:2"}
    assert explain("x.gather(1, i)", {name: specs[name] for name in "xi"}).torch.labels == ("n", None)
    assert explain("x.index_select(1, k)", {name: specs[name] for name in "xk"}).torch.labels == ("n", "c")
    specs = {"x": "4,5", "i": "int64:a:4,b:2"}
    assert explain("x.gather(1, i)", specs).torch.labels == ("a", "b")


def test_notes_and_reasons() -> None:
    wrapped = explain("x.take_along_dim(i, 0)", {"x": "3,", "i": "tensor([7])"})
    assert "positions modulo the size of the axis here: 7 is 1" in wrapped.notes[0]
    stored = explain("x.masked_fill(m, 1.5)", {"x": "int64:3", "m": "bool:3"})
    assert stored.broadcasts[-1].why == "1.5 becomes int64, as x is"
    deprecated = explain("torch.where(m, x, 0)", {"x": "3,", "m": "uint8:3"})
    assert deprecated.notes[0].startswith("deprecated: where() takes a uint8 condition")


def test_the_axis_at_fault() -> None:
    error = explain("x.gather(1, i)", {"x": "4,5", "i": "tensor([[1],[7]])"}).torch.error
    assert error is not None
    assert (error.token, error.axis, error.message) == ("i", 1, "index 7 is out of bounds for dimension 1 with size 5")
    error = explain("x.gather(1, i)", {"x": "4,5", "i": "int64:6,2"}).torch.error
    assert error is not None
    assert (error.token, error.axis) == ("i", 0)


@pytest.mark.parametrize("draw", [draw_gather, draw_along, draw_select, draw_mask, draw_where])
def test_formulas(draw: Draw) -> None:
    rng = random.Random(3)
    seen = 0
    for _ in range(400):
        case = draw(rng)
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError:
            continue
        verdict = ask_torch(case.expr, case.tensors)
        small = verdict.shape is not None and torch.Size(verdict.shape).numel() < 60
        # What a number becomes in another dtype is said below a formula.
        if explanation.formula is None or not small or any("becomes" in each.why for each in explanation.broadcasts):
            continue
        if re.search(r"-1|-300|300|70000|1e30", case.expr) and verdict.dtype in ("uint8", "int8", "bool", "float16"):
            continue
        try:
            check_formula(explanation, dict(case.tensors), verdict.value)
        except Exception as error:
            message = f"{case.expr} {case.specs}: {explanation.formula}\n{error}"
            raise AssertionError(message) from error
        seen += 1
    assert seen > 60


def test_formulas_of_scatter() -> None:
    rng = random.Random(4)
    seen = 0
    for _ in range(1000):
        case = draw_scatter(rng)
        explanation = explain(case.expr, case.specs)
        verdict = ask_torch(case.expr, case.tensors)
        if explanation.formula is None or verdict.error or "multiply" in case.expr or "value" in case.expr:
            continue
        if case.tensors["x"].dtype is not torch.float32:
            continue
        start = case.tensors["x"]
        if start.shape != verdict.value.shape or "x.transpose" in case.expr or "x[" in case.expr:
            continue
        made = perform_formula(explanation, dict(case.tensors), None, start.clone())
        positions = case.tensors["i"].flatten().tolist()
        if "add" in case.expr or len(set(positions)) == len(positions):
            assert torch.equal(made, verdict.value), (case.expr, case.specs, explanation.formula)
            seen += 1
    assert seen > 60
