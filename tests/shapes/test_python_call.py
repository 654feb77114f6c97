"""Arguments are bound to the parameters of a Python function as Python does."""

import random
import types
from typing import Any

import pytest

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.python_call import bind_python, n_tuple, value_of
from segcli.shapes.values import Item, Listed, RaisedError, Tensor

SIGNATURES = [
    "",
    "a",
    "a, b",
    "a, b=1",
    "a=1, b=2",
    "a, b, c, d=4",
    "a, *, b",
    "a, *, b, c, d=1",
    "*, a, b=2",
    "self, a, b=1",
    "self",
    "self, *, a",
    "self, a, *, b, c",
]


def make_call(positional: list[int], keywords: dict[str, int]) -> Call:
    given = [("", value) for value in positional] + list(keywords.items())
    items = tuple(
        (keyword, Item(value, str(value), (place, place + 1))) for place, (keyword, value) in enumerate(given)
    )
    return Call("f", "nn", items, (0, 9), "f()", "f()", 0)


def real(signature: str, positional: list[int], keywords: dict[str, int]) -> tuple[str, dict[str, Any]]:
    """Call a function of Python with that signature; return the words of its TypeError, or its arguments."""
    scope: dict[str, Any] = {}
    exec(f"def f({signature}): return dict(locals())", scope)  # noqa: S102 - a signature from above
    function = types.MethodType(scope["f"], object()) if signature.startswith("self") else scope["f"]
    try:
        return "", {name: value for name, value in function(*positional, **keywords).items() if name != "self"}
    except TypeError as error:
        return str(error), {}


def test_binds_as_python_does() -> None:
    rng = random.Random(3)
    words_seen = set()
    for _ in range(4000):
        signature = rng.choice(SIGNATURES)
        positional = [100 + place for place in range(rng.choice([0, 0, 1, 1, 2, 3, 5]))]
        keywords = dict.fromkeys(rng.sample("abcdz", rng.choice([0, 0, 1, 2, 3])), 200)
        words, bound = real(signature, positional, keywords)
        try:
            ours = bind_python(make_call(positional, keywords), "f", signature)
        except RaisedError as error:
            assert (error.kind, error.message) == ("TypeError", words), signature  # noqa: PT017 - or no error at all
            words_seen.add(words)
            continue
        assert not words, (signature, positional, keywords)
        given = {name: value for name, value in bound.items() if value >= 100}
        assert {name: each.value for name, each in ours.items()} == given
    assert len(words_seen) > 50


def test_ints_and_tuples() -> None:
    one = Item(3, "3", (0, 1))
    assert n_tuple(one, 2) == (one, one)
    assert n_tuple(Item(Listed((one,)), "[3]", (0, 3)), 2) == (one,)
    assert [item.value for item in n_tuple(Item("ab", "'ab'", (0, 4)), 3)] == ["a", "b"]
    with pytest.raises(RaisedError, match="iteration over a 0-d tensor"):
        n_tuple(Item(Tensor((), "int64", "i"), "i", (0, 1)), 2)
    with pytest.raises(SegcliError, match="is a tensor"):
        n_tuple(Item(Tensor((2,), "int64", "i"), "i", (0, 1)), 2)


def test_a_value_or_its_default() -> None:
    bound = bind_python(make_call([5], {}), "f", "a, b=2")
    assert (value_of(bound, "a"), value_of(bound, "b"), value_of(bound, "b", 2)) == (5, None, 2)
