"""Formulas are evaluated element by element and compared with what the library gives."""

import random
import re
import warnings
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


_SCOPE = {"torch": torch, "argwhere": np.argwhere, "slice": slice, "exp": np.exp}


def in_order(value: Any) -> tuple[float, float]:  # noqa: ANN401 - an element
    """Order complex numbers as NumPy does."""
    return value.real, value.imag


_COMBINE: dict[str, Any] = {
    "sum": lambda values: sum(values, 0),
    "mean": lambda values: np.mean(values) if values else float("nan"),
    "max": lambda values: max(values, key=in_order),
    "min": lambda values: min(values, key=in_order),
    "largest": lambda values: max(values, key=in_order),
    "smallest": lambda values: min(values, key=in_order),
    "product": lambda values: np.prod(np.asarray(values, dtype=np.complex128)),
    "logsumexp": lambda values: np.log(np.sum(np.exp(values))),
    "median": lambda _: float("nan"),
    "lower median": lambda _: float("nan"),
    "any": lambda values: any(bool(value) for value in values),
    "all": lambda values: all(bool(value) for value in values),
}


@np.errstate(all="ignore")
def combine(words: str, values: list[Any]) -> Any:  # noqa: ANN401 - an element
    """Reduce values as a formula's words say."""
    spread = re.fullmatch(r"(std|variance) with correction (.+)", words)
    if spread:
        freedom = max(len(values) - float(spread[2]), 0)
        around = np.float64(np.sum(np.abs(np.asarray(values) - np.mean(values)) ** 2)) if values else np.float64(0)
        return np.sqrt(around / freedom) if spread[1] == "std" else around / freedom
    if words.endswith("-norm"):
        power = float(words.removesuffix("-norm"))
        return np.linalg.norm(np.asarray(values).ravel(), power) if values else 0.0
    if words in ("median", "lower median") and values:
        return np.median(values) if words == "median" else sorted(values, key=in_order)[(len(values) - 1) // 2]
    ranked = re.fullmatch(r"(\d+)(?:st|nd|rd|th|-th) (largest|smallest)", words)
    if ranked:
        return sorted(values, key=in_order, reverse=ranked[2] == "largest")[int(ranked[1]) - 1]
    return _COMBINE[words](values)


def number(expr: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an element
    # Only formulas that segcli wrote are evaluated here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = eval(expr, _SCOPE, dict(names))  # noqa: S307 - see above
    return value.item() if hasattr(value, "item") else value


def walk(letters: list[str], sizes: list[int]) -> Iterator[dict[str, int]]:
    for place in product(*(range(size) for size in sizes)):
        yield dict(zip(letters, place, strict=True))


def over(text: str, names: dict[str, Any], sizes: list[int]) -> Iterator[dict[str, int]]:
    """Walk the letters of ``j, k`` or of ``4*j + k <= l``."""
    bounded = text.partition(" <= ")
    for at in walk(re.findall(r"[a-z]\d*", bounded[0]), sizes):
        if not bounded[1] or number(bounded[0], at) <= number(bounded[2], names):
            yield at


def check_element(right: str, names: dict[str, Any], sizes: list[int], real: Any) -> None:  # noqa: ANN401 - an element
    """Evaluate the right side of a formula; ``sizes`` are those that a reduction goes over."""
    # Which of an order it is may count along an axis of the result.
    right = re.sub(r"\((\w+) \+ 1\)-th", lambda found: f"{names[found[1]] + 1}-th", right)
    located = re.fullmatch(r"the (.+?) where (.+) is (?:the )?(.+)", right)
    some = re.fullmatch(r"one of the (\d+) (largest|smallest) over (.+?) of (.+)", right)
    scaled = re.fullmatch(r"exp\((.+)\) / sum over (\w+) of exp\((.+)\)", right)
    shifted = re.fullmatch(r"(.+) - logsumexp over (\w+) of (.+)", right)
    reduced = re.fullmatch(r"(.+?) over (.+?) of (.+)", right)
    alone = re.fullmatch(r"((?:std|variance) with correction .+|.+-norm) of (.+)", right)
    if located:
        position, element, words = located.groups()
        letters = re.findall(r"[a-z]\d*", position)
        values = [(number(position, names | at), number(element, names | at)) for at in walk(letters, sizes)]
        chosen = re.fullmatch(r"one of the (\d+) (largest|smallest)", words)
        best = [combine(words, [value for _, value in values])] if not chosen else ranked(chosen, values)
        # Of equals, either may be named.
        assert real in [place for place, value in values if value in best]
    elif some:
        values = [(0, number(some[4], names | at)) for at in over(some[3], names, sizes)]
        assert real in ranked(some, values)
    elif shifted := scaled or shifted:
        own, letter, inner = shifted.groups()
        values = [number(inner, names | at) for at in walk([letter], sizes)]
        logarithm = number(own, names) - np.log(np.sum(np.exp(values)))
        assert (np.exp(logarithm) if scaled else logarithm) == pytest.approx(real, rel=1e-2, abs=1e-2)
    elif reduced:
        words, which, element = reduced.groups()
        values = [number(element, names | at) for at in over(which, names, sizes)]
        assert combine(words, values) == pytest.approx(real, rel=3e-3, nan_ok=True)
    elif alone:
        assert combine(alone[1], [number(alone[2], names)]) == pytest.approx(real, nan_ok=True)
    else:
        assert number(right, names) == pytest.approx(real, rel=0, abs=0, nan_ok=True)


def ranked(found: re.Match[str], values: list[tuple[int, Any]]) -> list[Any]:
    """Return the k largest or smallest values."""
    return sorted((value for _, value in values), key=in_order, reverse=found[2] == "largest")[: int(found[1])]


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
        ("x.std(1)", {"x": "2,3"}, "result[i] = std with correction 1 over j of x[i, j]"),
        ("x.var(unbiased=False)", {"x": "2,3"}, "result = variance with correction 0 over i, j of x[i, j]"),
        ("x.std(0)", {"x": "()"}, "result = std with correction 1 of x"),
        ("x.prod(0)", {"x": "2,3"}, "result[j] = product over i of x[i, j]"),
        ("x.median()", {"x": "2,3"}, "result = lower median over i, j of x[i, j]"),
        ("x.median(0)[1]", {"x": "2,3"}, "result[j] = the i where x[i, j] is the lower median"),
        ("x.kthvalue(2).values", {"x": "2,3"}, "result[i] = 2nd smallest over j of x[i, j]"),
        ("x.topk(2).indices", {"x": "2,3"}, "result[i, j] = the k where x[i, k] is (j + 1)-th largest"),
        ("x.topk(2, 0, False, False)[0]", {"x": "2,3"}, "result[i, j] = one of the 2 smallest over k of x[k, j]"),
        ("x.sort(0, True)[0]", {"x": "2,3"}, "result[i, j] = (i + 1)-th largest over k of x[k, j]"),
        ("x.sort()", {"x": "()"}, "values = x; indices = 0"),
        ("x.argsort()", {"x": "2,3"}, "result[i, j] = the k where x[i, k] is (j + 1)-th smallest"),
        ("x.cumsum(1)", {"x": "2,3"}, "result[i, j] = sum over k <= j of x[i, k]"),
        ("x[:, 1:].cumsum(1)", {"x": "2,3"}, "result[i, j] = sum over k <= j of x[i, 1 + k]"),
        ("x.norm()", {"x": "2,3"}, "result = 2-norm over i, j of x[i, j]"),
        ("x.norm(1e999, 1)", {"x": "2,3"}, "result[i] = inf-norm over j of x[i, j]"),
        ("x.logsumexp(1)", {"x": "2,3"}, "result[i] = logsumexp over j of x[i, j]"),
        ("x.softmax(1)", {"x": "2,3"}, "result[i, j] = exp(x[i, j]) / sum over k of exp(x[i, k])"),
        ("x.log_softmax(0)", {"x": "2,3"}, "result[i, j] = x[i, j] - logsumexp over k of x[k, j]"),
        ("x.softmax(0)", {"x": "()"}, "result = exp(x) / exp(x)"),
        ("x.log_softmax(0)", {"x": "()"}, "result = x - x"),
        ("x[m][-2:]", {"x": "9,", "m": "bool:9"}, "result[i] = x[m.nonzero()[max(nonzero(m) - 2, 0) + i, 0]]"),
        ("x[m][-4:2]", {"x": "9,", "m": "bool:9"}, "result[i] = x[m.nonzero()[max(nonzero(m) - 4, 0) + i, 0]]"),
        (
            "x[:, m].argmax()",
            {"x": "2,9", "m": "bool:9"},
            "result = the nonzero(m)*i + j where x[i, m.nonzero()[j, 0]] is largest",
        ),
        ("x[m].argmax()", {"x": "2,9", "m": "bool:2"}, "result = the 9*i + j where x[m.nonzero()[i, 0], j] is largest"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str | None) -> None:
    assert explain(expr, specs).formula == formula


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.cumsum()", "result[k] = sum over 3*i + j <= k of x[i, j]"),
        ("x.sort(None)", "result[k] = (k + 1)-th smallest over i, j of x[i, j]"),
        ("x.argsort(dim=None)", "result[k] = the 3*i + j where x[i, j] is (k + 1)-th smallest"),
        ("x.median(1)", "result[i] = median over j of x[i, j]"),
        ("x.std(1, correction=True)", "result[i] = std with correction 1 over j of x[i, j]"),
    ],
)
def test_formulas_of_numpy_by_hand(expr: str, formula: str) -> None:
    assert explain(expr, {"x": "2,3"}, lead="numpy").formula == formula


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
