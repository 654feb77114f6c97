"""Evaluates formulas element by element and compares them with what the library gave."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from segcli.shapes import Explanation
from segcli.shapes.elements import free_letters

# Of what is looked up, the text of a whole operation.
_CALLS = re.compile(r"torch\.|\.(?!nonzero)\w+\(")
_UFUNCS = "exp log log2 log10 log1p expm1 sqrt sin cos tan tanh sign floor ceil trunc isnan isinf isfinite"


def _on_element(ufunc: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a function of NumPy
    """Return a function of an element that is a tensor, of which NumPy makes a tensor again, and no bool."""

    def apply(element: Any) -> Any:  # noqa: ANN401 - an element
        value = element.item() if hasattr(element, "item") else element
        # Of a complex number, an integer is its real part; of a bool, NumPy computes with half the digits.
        return ufunc(value.real if ufunc is np.trunc else value + 0)

    return apply


_SCOPE = {
    "torch": torch,
    "nn": torch.nn,
    "argwhere": np.argwhere,
    "nan": float("nan"),
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
    # A window may hold nothing.
    "max": lambda values: max(values, key=in_order, default=float("-inf")),
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


def _parts(values: list[Any]) -> list[Any]:
    """Return the real and the imaginary parts, of which PyTorch adds up the variances."""
    array = np.asarray(values)
    return [array.real, array.imag] if np.iscomplexobj(array) else [array]


def _around(values: Any) -> np.float64:  # noqa: ANN401 - an array
    return np.float64(np.sum((values - np.mean(values)) ** 2)) if values.size else np.float64(0)


@np.errstate(all="ignore")
def combine(words: str, values: list[Any]) -> Any:  # noqa: ANN401 - an element
    """Reduce values as a formula's words say."""
    spread = re.fullmatch(r"(std|variance) with correction (.+)", words)
    if spread:
        freedom = max(len(values) - float(spread[2]), 0)
        variance = sum(_around(part) / freedom for part in _parts(values))
        return np.sqrt(variance) if spread[1] == "std" else variance
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
    for at in walk(re.findall(r"[A-Za-z]\d*", bounded[0]), sizes):
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


_DIGITS = {torch.float16: 3e-3, torch.bfloat16: 3e-2}


@dataclass(frozen=True)
class Real:
    """An element of a real result.

    Attributes:
        value: What it is.
        dtype: The result's dtype.
        digits: How far floats of the dtypes that it is made of go.
    """

    value: Any
    dtype: torch.dtype
    digits: float

    def is_near(self, found: Any, rel: float, least: float) -> bool:  # noqa: ANN401 - an element
        """Tell whether a computed value is this one, as far as floats of the dtype go."""
        rel, least = max(rel, self.digits), max(least, self.digits)
        if isinstance(self.value, complex) and not np.isfinite(self.value):
            # Which part is no number, hangs on how one divides.
            return not np.isfinite(found)
        near = pytest.approx(self.value, rel=rel, abs=least, nan_ok=True)
        if found == near:
            return True
        # A number becomes one of the result's dtype, as is said beside a formula.
        with contextlib.suppress(RuntimeError, OverflowError):
            return bool(torch.as_tensor(found).to(self.dtype).item() == near)
        return False


def check_element(right: str, names: dict[str, Any], sizes: Mapping[str, int], real: Real) -> None:
    """Evaluate the right side of a formula; ``sizes`` are those that a reduction goes over."""
    chosen = re.fullmatch(r"(.+?) if (.+?) else (.+)", right) if " over " in right else None
    if chosen:
        return check_element(chosen[1 if number(chosen[2], names) else 3], names, sizes, real)
    # Which of an order it is may count along an axis of the result.
    right = re.sub(r"\((\w+) \+ 1\)-th", lambda found: f"{names[found[1]] + 1}-th", right)
    if edged := re.fullmatch(r"(.+), (with zeros outside|inside) (\w+)", right):
        right, words, name = edged.groups()
        names = names | {name: Edged(names[name], None if words == "inside" else 0)}
    if added := re.fullmatch(r"(\w+(?:\[[^]]*\])?) \+ (sum over .+)", right):
        real, right = replace(real, value=real.value - number(added[1], names)), added[2]
    assert _is_right(right, names, sizes, real), f"{right} is not {real}"
    return None


def _is_right(right: str, names: dict[str, Any], sizes: Mapping[str, int], real: Real) -> bool:
    if some := re.fullmatch(r"one of the (\d+) (largest|smallest) over (.+?) of (.+)", right):
        values = [(0, number(some[4], names | at)) for at in over(some[3], names, sizes)]
        return real.value in ranked(some, values)
    if located := re.fullmatch(r"the (.+?) where (.+) is (?:the )?(.+)", right):
        # Of equals, either may be named.
        return real.value in _best(located, names, sizes)
    if "sqrt(var" in right:
        # What is left of two numbers that are near is less exact, and then it is multiplied.
        real = replace(real, digits=10 * real.digits)
    return real.is_near(*_computed(right, names, sizes))


def _computed(right: str, names: dict[str, Any], sizes: Mapping[str, int]) -> tuple[Any, float, float]:
    """Return what a right side comes to, how near that is to it, and how near at least."""
    scaled = re.fullmatch(r"exp\((.+)\) / sum over (\w+) of exp\((.+)\)", right)
    shifted = re.fullmatch(r"(.+) - logsumexp over (\w+) of (.+)", right)
    reduced = re.fullmatch(r"(.+?) over (.+?) of (.+)", right)
    alone = re.fullmatch(r"((?:std|variance) with correction .+|.+-norm) of (.+)", right)
    if shifted := scaled or shifted:
        own, letter, inner = shifted.groups()
        values = [number(inner, names | at) for at in walk([letter], sizes)]
        logarithm = number(own, names) - np.log(np.sum(np.exp(values)))
        return np.exp(logarithm) if scaled else logarithm, 1e-2, 1e-2
    if divided := re.fullmatch(r"(.+) / max\((.+-norm) over (.+?) of (.+), (\S+)\)", right):
        own, words, which, element, least = divided.groups()
        norm = combine(words, [number(element, names | at) for at in over(which, names, sizes)])
        with np.errstate(all="ignore"):
            return np.asarray(number(own, names)) / np.fmax(norm, float(least)), 1e-2, 1e-2
    if reduced:
        words, which, element = reduced.groups()
        found = (number(element, names | at) for at in over(which, names, sizes))
        # What is near 0 is as far from it as floats are from 1, of which it is the logarithm.
        least = 1e-5 if words == "logsumexp" else 0
        return combine(words, [value for value in found if value is not None]), 3e-3, least
    if alone:
        return combine(alone[1], [number(alone[2], names)]), 1e-5, 0
    # What is looked up is exact; what is computed, as far as floats go. A variance of equal values is not quite 0.
    exact = re.fullmatch(r"\w+(\[.*\])?", right) is not None
    near = 0 if exact else 1e-3 if "sqrt(var" in right else 1e-5
    return number(right, names), near, near


def _best(located: re.Match[str], names: dict[str, Any], sizes: Mapping[str, int]) -> list[Any]:
    """Return the positions that ``the j where x[i, j] is largest`` may name."""
    position, element, words = located.groups()
    letters = re.findall(r"[a-z]\d*", position)
    values = [(number(position, names | at), number(element, names | at)) for at in walk(letters, sizes)]
    chosen = re.fullmatch(r"one of the (\d+) (largest|smallest)", words)
    best = ranked(chosen, values) if chosen else [combine(words, [value for _, value in values])]
    return [place for place, value in values if value in best]


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
        places = list(product(*map(range, result.shape)))
        every = [dict(zip(letters, place, strict=True)) for place in places]
        known = {name: _as_read(name, value, right) for name, value in names.items()}
        known |= moments(right, known, every)
        dtype = _dtype(result)
        digits = max(_DIGITS.get(_dtype(tensor), 0) for tensor in [result, *names.values()])
        for place, at in zip(places, every, strict=True):
            value = result[place].item() if place else result.item()
            check_element(right, known | at, sizes, Real(value, dtype, digits))


def _dtype(value: Any) -> torch.dtype:  # noqa: ANN401 - a tensor or an array
    dtype: torch.dtype = getattr(torch, str(value.dtype).removeprefix("torch."))
    return dtype


def _as_read(name: str, value: Any, right: str) -> Any:  # noqa: ANN401 - a tensor or an array
    """Return what a name stands for: elements are numbers, and a whole tensor in a call, or a mask, is what it is."""
    index = re.search(rf"[\[,] ?{name}[,\]]", right)
    # Of one element, an index in the text of a call is a mask too; alone it is a position that is written.
    whole = re.search(rf"\w\({name}[,)]", right) or index if value.ndim else index and _CALLS.search(right)
    return value if whole else _as_numbers(value, right)


def _as_numbers(value: Any, right: str) -> Any:  # noqa: ANN401 - a tensor or an array
    """Widen integers: a formula computes with numbers, which never wrap around."""
    dtype, negated = _dtype(value), re.search(r"\bexp\(-", right)
    if dtype.is_floating_point or dtype.is_complex or (dtype is torch.bool and not negated):
        return value
    wide = "float64" if negated else "int64"
    return value.to(getattr(torch, wide)) if isinstance(value, torch.Tensor) else value.astype(wide)


def moments(right: str, names: dict[str, Any], places: list[dict[str, int]]) -> dict[str, Any]:
    """Return ``mean`` and ``var`` of ``(x[i, j] - mean[i]) / sqrt(var[i] + ...)``: over all places that share them."""
    found = re.match(r"\((.+?) - mean(?:\[([^]]*)\])?\) / sqrt", right)
    if found is None:
        return {}
    held: dict[Any, list[float]] = {}
    for at in places:
        key = number(f"({found[2]})", names | at) if found[2] else None
        held.setdefault(key, []).append(number(found[1], names | at))
    mean, var = ({key: reduce(values) for key, values in held.items()} for reduce in (np.mean, np.var))
    return {"mean": mean, "var": var} if found[2] else {"mean": mean.get(None), "var": var.get(None)}


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
    left, sign, right = re.split(r" ((?:[-+*/%&|^]|\*\*|//|<<|>>)?=) ", explanation.formula)
    if left.isidentifier():
        # It has no axes.
        left += "[()]"
    sizes = {letter: int(size) for letter, size in explanation.over.items()}
    if not sizes:
        sizes = dict(zip(free_letters(place.dim(), list(names)), place.shape, strict=True))
    scope = {**_SCOPE, **names, "result": start}
    # What is read is what stood there before anything was written.
    before = {name: value.clone() for name, value in scope.items() if isinstance(value, torch.Tensor)}
    for at in walk(list(sizes), sizes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Only formulas that segcli wrote are executed here.
            value = eval(right, {**_SCOPE, **before, **at})  # noqa: S307 - see above
            if start is not None and not isinstance(value, torch.Tensor):
                # It becomes one of the dtype before it meets what is there.
                value = torch.tensor(value, dtype=start.dtype)
            exec(f"{left} {sign} value", {**scope, **at, "value": value})  # noqa: S102 - see above
    return start
