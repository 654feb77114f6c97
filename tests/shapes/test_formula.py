"""Formulas are evaluated element by element and compared with what the library gives."""

import random
import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import Explanation, explain
from tests.shapes.cases import Case, random_case
from tests.shapes.oracle import ask_numpy, ask_torch

_CASES = 3_000
_COMBINE: dict[str, Any] = {
    "sum": lambda values: sum(values, np.float64(0)),
    "mean": lambda values: float(np.mean(values)) if values else float("nan"),
    "max": max,
    "min": min,
    "any": lambda values: any(bool(value) for value in values),
    "all": lambda values: all(bool(value) for value in values),
}


def number(expr: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an element
    # Only formulas that segcli wrote are evaluated here.
    value = eval(expr, {"torch": torch, "argwhere": np.argwhere, "slice": slice}, dict(names))  # noqa: S307
    return value.item() if hasattr(value, "item") else value


def walk(letters: list[str], sizes: list[int]) -> Iterator[dict[str, int]]:
    for place in product(*(range(size) for size in sizes)):
        yield dict(zip(letters, place, strict=True))


def check_element(right: str, names: dict[str, Any], sizes: list[int], real: Any) -> None:  # noqa: ANN401 - an element
    """Evaluate the right side of a formula; ``sizes`` are those that a reduction goes over."""
    located = re.fullmatch(r"the (.+) where (.+) is (largest|smallest)", right)
    reduced = re.fullmatch(r"(\w+) over ([^ ]+(?:, [^ ]+)*) of (.+)", right)
    if located:
        position, element, which = located.groups()
        letters = re.findall(r"[a-z]\d*", position)
        best = max if which == "largest" else min
        values = [(number(position, names | at), number(element, names | at)) for at in walk(letters, sizes)]
        # Of equals, either may be named.
        assert real in [place for place, value in values if value == best(value for _, value in values)]
    elif reduced:
        words, over, element = reduced.groups()
        values = [number(element, names | at) for at in walk(over.split(", "), sizes)]
        assert _COMBINE[words](values) == pytest.approx(real, rel=1e-3, nan_ok=True)
    else:
        assert number(right, names) == real


def check_formula(explanation: Explanation, names: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - a result
    assert explanation.formula is not None
    results = list(value) if isinstance(value, tuple) else [value]
    sizes = [int(size) for size in explanation.steps[-1].takes_sizes] if explanation.steps else []
    for equation, result in zip(explanation.formula.split("; "), results, strict=True):
        left, right = equation.split(" = ")
        letters = re.sub(r"^\w+\[?|\]$", "", left).split(", ") if "[" in left else []
        assert len(letters) == len(result.shape)
        for place in product(*(range(size) for size in result.shape)):
            at = dict(zip(letters, place, strict=True))
            check_element(right, names | at, sizes, result[place].item() if place else result.item())


def numeric(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the source values of which sums are exact and few are equal."""
    source = tensors["x"]
    values = (torch.arange(source.numel()) * 7 % 11).reshape(source.shape)
    return {**tensors, "x": values.to(source.dtype)}


@pytest.mark.parametrize("lead", ["torch", "numpy"])
def test_formulas_of_random_expressions(lead: str) -> None:
    rng = random.Random(7)
    seen = 0
    for _ in range(_CASES):
        case = random_case(rng)
        tensors = numeric(case.tensors)
        try:
            explanation = explain(case.expr, case.specs, lead=lead)
        except SegcliError:
            continue
        if explanation.answer.error is not None or prod(int(size) for size in explanation.answer.shape or ()) > 300:
            continue
        if lead == "numpy" and re.search(r"\.\w+\(", explanation.formula or ""):
            # The text of an operation in the middle is PyTorch's.
            continue
        names: dict[str, Any]
        if lead == "torch":
            names, verdict = dict(tensors), ask_torch(case.expr, tensors)
        else:
            names = {name: tensor.numpy() for name, tensor in tensors.items()}
            verdict = ask_numpy(case.numpy_expr, tensors)
        try:
            check_formula(explanation, names, verdict.value)
        except Exception as error:
            message = f"{case.expr} {case.specs}: {explanation.formula}\n{error}"
            raise AssertionError(message) from error
        seen += 1
    assert seen > 700


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"}, "result[i, j, k] = src[a[i, j], b[i, j], k]"),
        ("src[a, b]", {"src": "8,16,3", "a": "4,1", "b": "5,"}, "result[i, j, k] = src[a[i, 0], b[j], k]"),
        ("x.argmax(dim=1)", {"x": "2,3,4"}, "result[i, k] = the j where x[i, j, k] is largest"),
        ("x.argmin()", {"x": "2,3,4"}, "result = the 12*i + 4*j + k where x[i, j, k] is smallest"),
        ("x.argmax()", {"x": "()"}, "result = 0"),
        ("x.sum((0, 2), True)", {"x": "2,3,4"}, "result[0, j, 0] = sum over i, k of x[i, j, k]"),
        ("x.any(())", {"x": "2,3"}, "result[i, j] = x[i, j] != 0"),
        ("x[1:][::2]", {"x": "9,"}, "result[i] = x[1 + 2*i]"),
        ("x[1:][3]", {"x": "9,2"}, "result[i] = x[4, i]"),
        ("x[1:][a]", {"x": "9,", "a": "4,"}, "result[i] = x[1:][a[i]]"),
        ("x[-1]", {"x": "9,"}, "result = x[8]"),
        ("x[k, None]", {"x": "9,2", "k": "int64:()"}, "result[i, j] = x[k, j]"),
        ("x[m]", {"x": "8,16,3", "m": "bool:8,16"}, "result[i, j] = x[m.nonzero()[i, 0], m.nonzero()[i, 1], j]"),
        ("x[[True, False, True]]", {"x": "3,2"}, "result[i, j] = x[[0, 2][i], j]"),
        ("x[[0, 5, -1]]", {"x": "9,"}, "result[i] = x[[0, 5, -1][i]]"),
        ("i[j]", {"i": "5,", "j": "2,"}, "result[k] = i[j[k]]"),
        ("x", {"x": "2,3"}, "result[i, j] = x[i, j]"),
        ("x.max(dim=0)[0][1:]", {"x": "2,3"}, "result[i] = x.max(dim=0)[0][1 + i]"),
        ("x.sum(0).sum(0)", {"x": "2,3"}, "result = sum over i of x.sum(0)[i]"),
        ("x.max(dim=0).indices", {"x": "2,3"}, "result[j] = the i where x[i, j] is largest"),
        ("x.min(0)", {"x": "2,"}, "values = min over i of x[i]; indices = the i where x[i] is smallest"),
        ("x[m][-2:]", {"x": "9,", "m": "bool:9"}, None),
        ("x[:, m].argmax()", {"x": "2,9", "m": "bool:9"}, None),
        ("x[m].argmax()", {"x": "2,9", "m": "bool:2"}, "result = the 9*i + j where x[m.nonzero()[i, 0], j] is largest"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str | None) -> None:
    assert explain(expr, specs).formula == formula


def test_letters_go_on_with_numbers() -> None:
    formula = explain("x[...]", {"x": ",".join(["1"] * 16)}).formula
    assert formula is not None
    assert formula.startswith("result[i, j, k, l, m, n, p, q, r, s, t, u, v, w, i1, j1] = x[i,")


def test_the_notes_formula_holds() -> None:
    tensors = {
        "x": torch.arange(8 * 16 * 3).reshape(8, 16, 3),
        "a": torch.randint(-8, 8, (4, 5), generator=torch.Generator().manual_seed(0)),
        "b": torch.randint(-16, 16, (4, 5), generator=torch.Generator().manual_seed(1)),
    }
    case = Case("x[a, b, :]", "x[a, b, :]", {"x": "8,16,3", "a": "4,5", "b": "4,5"}, tensors)
    check_formula(explain(case.expr, case.specs), dict(tensors), ask_torch(case.expr, tensors).value)
