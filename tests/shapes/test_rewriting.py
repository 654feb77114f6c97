"""What is written anew means the same in both libraries: the numbers that PyTorch gives for what stood there before."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import Explanation, explain
from segcli.shapes.rewriting import engine
from tests.shapes.agreement import CASES, SEED
from tests.shapes.oracle import evaluate
from tests.shapes.reading import in_numpy
from tests.shapes.rewriting_cases import KINDS, draw

# Of each kind; a long run draws more.
_DRAWN = max(CASES * 60 // 20_000, 4)
# Float16 has three digits.
_TOLERANCE = {"float16": 5e-3}
# Their expressions raise in PyTorch more often than not, or mean the same in both.
_SELDOM = (
    "cumsum",
    "prod",
    "any",
    "all",
    "sum",
    "mean",
    "computed",
    "clamped",
    "pointed",
    "argsort",
    "joined",
    "made",
    "along",
)


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - what PyTorch and NumPy give
    """Tell whether two results are the same numbers, in the same shape and dtype."""
    if isinstance(one, torch.Size):
        return isinstance(other, tuple) and tuple(one) == tuple(other)
    if isinstance(one, tuple | list):
        if not isinstance(other, tuple | list) or len(one) != len(other):
            return False
        return all(same(*pair) for pair in zip(one, other, strict=True))
    if not isinstance(one, torch.Tensor):
        return bool(one == other)
    if not isinstance(other, torch.Tensor | np.ndarray | np.generic):
        return False
    first = one.detach().numpy()
    second = other.detach().numpy() if isinstance(other, torch.Tensor) else np.asarray(other)
    tolerance = _TOLERANCE.get(str(first.dtype), 2e-5)
    return (first.shape, first.dtype) == (second.shape, second.dtype) and np.allclose(
        first, second, rtol=tolerance, atol=tolerance, equal_nan=True
    )


def answer(expr: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what the library gives
    """Return what a library gives, or what it raises."""
    try:
        return evaluate(expr, names)[0]
    except Exception as error:  # noqa: BLE001 - that is the answer
        return error


def specs_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Write what tensors are as SPECs."""
    return {name: f"{str(each.dtype)[6:]}:{str(tuple(each.shape)).replace(' ', '')}" for name, each in tensors.items()}


def compare(expr: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Compare what is written anew with the libraries; return what came of it."""
    specs = specs_of(tensors)
    wanted = answer(expr, tensors)
    if isinstance(wanted, Exception):
        return "raises"
    told = explain(expr, specs)
    arrays = {name: each.clone().numpy() for name, each in tensors.items()}
    assert same(wanted, answer(in_numpy(expr), arrays)) == (not told.differs), f"{expr} {specs}: {told.differs!r}"
    if told.rewrite is None:
        return "none" if told.differs else "same"
    for text, names in ((told.rewrite, tensors), (in_numpy(told.rewrite), arrays)):
        found = answer(text, names)
        assert same(wanted, found), f"{expr} {specs}\nas {text}\ngives {found}\nwanted {wanted}"
    return "rewritten"


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_same_numbers_in_both(kind: str) -> None:
    torch.set_num_threads(1)
    rng = random.Random(f"{SEED} {kind}")
    count: Counter[str] = Counter()
    for _ in range(_DRAWN):
        expr, tensors = draw(rng, KINDS[kind])
        try:
            count[compare(expr, tensors)] += 1
        except SegcliError as error:
            message = f"{expr}: {error}"
            raise AssertionError(message) from error
    # Whatever differs is written anew.
    assert count["none"] <= count["rewritten"] // 10, dict(count)
    assert kind in _SELDOM or count["rewritten"] >= _DRAWN // 4, dict(count)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_checked_would_pass_the_check(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(f"{SEED} {kind} checked")
    cases = [draw(rng, KINDS[kind]) for _ in range(_DRAWN // 4)]
    quick = [told(expr, tensors) for expr, tensors in cases]
    monkeypatch.setattr(engine, "Sure", Explanation)
    assert quick == [told(expr, tensors) for expr, tensors in cases]


def told(expr: str, tensors: Mapping[str, torch.Tensor]) -> tuple[str, str | None, set[str]]:
    """Say what is written anew, and what is noted."""
    explanation = explain(expr, specs_of(tensors))
    return explanation.differs, explanation.rewrite, set(explanation.notes)
