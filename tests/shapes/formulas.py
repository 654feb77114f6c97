"""Evaluates formulas element by element and compares them with what the library gave."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from segcli.shapes import Explanation
from segcli.shapes.formula import free_letters

_UFUNCS = "exp log log2 log10 log1p expm1 sqrt sin cos tan tanh sign floor ceil trunc isnan isinf isfinite"


def _on_element(ufunc: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a function of NumPy
    """Return a function of an element that is a tensor, of which NumPy makes a tensor again, and no bool."""
    return lambda element: ufunc(np.asarray(element))


_SCOPE = {
    "torch": torch,
    "argwhere": np.argwhere,
    "slice": slice,
    "round": lambda value, decimals=0: np.round(float(value), decimals),
    **{name: _on_element(getattr(np, name)) for name in _UFUNCS.split()},
}


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


def walk(letters: list[str], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    for place in product(*(range(sizes[letter]) for letter in letters)):
        yield dict(zip(letters, place, strict=True))


def over(text: str, names: dict[str, Any], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Walk the letters of ``j, k`` or of ``4*j + k <= l``."""
    bounded = text.partition(" <= ")
    for at in walk(re.findall(r"[a-z]\d*", bounded[0]), sizes):
        if not bounded[1] or number(bounded[0], at) <= number(bounded[2], names):
            yield at


class Edged:
    """A tensor that a window may reach beyond: what lies there is 0, or nothing."""

    def __init__(self, tensor: torch.Tensor, outside: int | None) -> None:
        self._tensor = tensor
        self._outside = outside

    def __getitem__(self, place: tuple[int, ...]) -> torch.Tensor | int | None:
        inside = all(0 <= at < size for at, size in zip(place, self._tensor.shape, strict=True))
        return self._tensor[place] if inside else self._outside


def check_element(right: str, names: dict[str, Any], sizes: Mapping[str, int], real: Any) -> None:  # noqa: ANN401 - an element
    """Evaluate the right side of a formula; ``sizes`` are those that a reduction goes over."""
    # Which of an order it is may count along an axis of the result.
    right = re.sub(r"\((\w+) \+ 1\)-th", lambda found: f"{names[found[1]] + 1}-th", right)
    if edged := re.fullmatch(r"(.+), (with zeros outside|inside) (\w+)", right):
        right, words, name = edged.groups()
        names = names | {name: Edged(names[name], None if words == "inside" else 0)}
    if added := re.fullmatch(r"(\w+(?:\[[^]]*\])?) \+ (sum over .+)", right):
        real, right = real - number(added[1], names), added[2]
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
        found = (number(element, names | at) for at in over(which, names, sizes))
        values = [value for value in found if value is not None]
        assert combine(words, values) == pytest.approx(real, rel=3e-3, nan_ok=True)
    elif alone:
        assert combine(alone[1], [number(alone[2], names)]) == pytest.approx(real, nan_ok=True)
    else:
        # What is looked up is exact; what is computed, as far as floats go.
        exact = re.fullmatch(r"\w+(\[.*\])?", right) is not None
        assert number(right, names) == pytest.approx(real, rel=0 if exact else 1e-5, abs=0, nan_ok=True)


def ranked(found: re.Match[str], values: list[tuple[int, Any]]) -> list[Any]:
    """Return the k largest or smallest values."""
    return sorted((value for _, value in values), key=in_order, reverse=found[2] == "largest")[: int(found[1])]


def check_formula(explanation: Explanation, names: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - a result
    assert explanation.formula is not None
    results = list(value) if isinstance(value, tuple) else [value]
    sizes = {letter: int(size) for letter, size in explanation.over.items()}
    for equation, result in zip(explanation.formula.split("; "), results, strict=True):
        left, right = equation.split(" = ")
        letters = re.sub(r"^\w+\[?|\]$", "", left).split(", ") if "[" in left else []
        # A plain 0 stands for an axis of size 1.
        assert len(letters) == len(result.shape)
        for place in product(*(range(size) for size in result.shape)):
            at = dict(zip(letters, place, strict=True))
            check_element(right, names | at, sizes, result[place].item() if place else result.item())


def perform_formula(explanation: Explanation, names: dict[str, Any], place: Any, start: Any) -> Any:  # noqa: ANN401 - a tensor
    """Do what a formula says whose left side is no element of the result, element by element.

    Args:
        explanation: It has the formula.
        names: What its names stand for.
        place: The place that is written to, whose axes the letters walk; of a formula that binds its letters, anything.
        start: What ``result`` is at first.

    Returns:
        What ``result`` is in the end.
    """
    assert explanation.formula is not None
    left, sign, right = re.split(r" (=|\+=|\*=) ", explanation.formula)
    sizes = {letter: int(size) for letter, size in explanation.over.items()}
    if not sizes:
        sizes = dict(zip(free_letters(place.dim(), list(names)), place.shape, strict=True))
    scope = {**_SCOPE, **names, "result": start}
    for at in walk(list(sizes), sizes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Only formulas that segcli wrote are executed here.
            exec(f"{left} {sign} {right}", {**scope, **at})  # noqa: S102 - see above
    return start
