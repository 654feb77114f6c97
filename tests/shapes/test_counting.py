"""``bincount`` beside real PyTorch and NumPy: shapes, words, symbols, formulas."""

import random

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.sampling_cases import holds

_TENSORS = {
    "y": torch.tensor([1, 4, 4]),
    "n": torch.tensor([1, -1]),
    "e": torch.zeros(0, dtype=torch.int64),
    "k": torch.zeros(0, 2, dtype=torch.int64),
    "g": torch.zeros(3, 3, dtype=torch.int64),
    "z": torch.tensor(2),
    "u": torch.tensor([7, 0], dtype=torch.uint8),
    "b": torch.tensor([True, False]),
    "f": torch.ones(3),
    "d": torch.ones(3, dtype=torch.float64),
    "h": torch.ones(3, dtype=torch.float16),
    "i": torch.ones(3, dtype=torch.int32),
    "c": torch.ones(3, dtype=torch.complex64),
    "v": torch.ones(4),
    "w": torch.ones(3, 1),
}
_ARGUMENTS = ["", "", "f", "d", "h", "i", "c", "v", "w", "z", "None", "[1, 2]", "3", "b"]
_LEAST = ["", "", "minlength=3", "minlength=9", "minlength=0", "minlength=-1", "minlength=2.0", "minlength=None"]


def _spec(name: str) -> str:
    tensor = _TENSORS[name]
    dtype = str(tensor.dtype).removeprefix("torch.")
    if name in "fdhcvwek":
        return f"{dtype}:({','.join(map(str, tensor.shape))},)".replace(",,", ",")
    return f"{dtype}:tensor({tensor.tolist()})"


def test_it_agrees_with_both_libraries() -> None:
    rng = random.Random(3)
    raised = 0
    for _ in range(500):
        source = rng.choice([*"yyyyyyuu", *_TENSORS])
        weights, least = rng.choice(_ARGUMENTS), rng.choice([*_LEAST, "foo=1"])
        weights = f"weights={weights}" if weights and rng.random() < 0.5 else weights
        rest = ", ".join(filter(None, [weights, least]))
        of_torch = rng.random() < 0.6
        comma = ", " if rest else ""
        expr = f"torch.bincount({source}{comma}{rest})" if of_torch else f"{source}.bincount({rest})"
        numpy_expr = f"np.bincount({source}{comma}{rest})"
        names = {name for name in _TENSORS if name in (source, weights.removeprefix("weights="))}
        case = Case(expr, numpy_expr, {name: _spec(name) for name in names}, {name: _TENSORS[name] for name in names})
        raised += check(case, known=True)
    assert 300 < raised < 900


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("torch.bincount(y)", {"y": "int64:N,"}, ("max(y) + 1",), ()),
        ("torch.bincount(y, minlength=19)", {"y": "int64:N,"}, ("max(max(y) + 1, 19)",), ()),
        ("torch.bincount(e, minlength=C)", {"e": "int64:0,", "x": "C,"}, ("C",), ()),
        ("torch.bincount(y, minlength=2)", {"y": "tensor([3, 0])"}, (4,), ()),
        ("torch.bincount(y, w)", {"y": "int64:N,", "w": "M,"}, ("max(y) + 1",), ("N == M",)),
        (
            "torch.bincount(19 * y[m] + p[m], minlength=19**2).reshape(19, 19)",
            {"y": "int64:H,W", "p": "int64:H,W", "m": "bool:H,W"},
            (19, 19),
            ("max(max(19 * y[m] + p[m]) + 1, 361) == 361",),
        ),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], shape: tuple[object, ...], needs: tuple[str, ...]) -> None:
    if "C" in expr:
        expr = expr.replace("C", "x.size(0)")
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, set(explanation.needs)) == (shape, set(needs))


@pytest.mark.parametrize("arguments", ["", "y, None, 3, 4", "y, foo=1", "y, None, weights=None", "y, minlength=True"])
def test_odd_calls(arguments: str) -> None:
    bound = "y" in arguments
    specs, tensors = ({"y": _spec("y")}, {"y": _TENSORS["y"]}) if bound else ({}, {})
    check(Case(f"torch.bincount({arguments})", f"np.bincount({arguments})", specs, tensors), words=False)
    keyword = explain("torch.bincount(input=y)", {"y": "int64:4,"}).numpy.error
    assert keyword is not None
    assert keyword.message == "bincount() got some positional-only arguments passed as keyword arguments: 'x'"


def test_formulas() -> None:
    holds("torch.bincount(y)", {"y": "int64:6,"}, "result[i] = sum over j of (y[j] == i)", high=4)
    holds(
        "torch.bincount(y, w, minlength=7)",
        {"y": "int64:6,", "w": "6,"},
        "result[i] = sum over j of w[j] * (y[j] == i)",
        high=4,
    )


def test_the_trace_says_what_is_counted() -> None:
    first, second = explain("y.bincount(w, minlength=3)", {"y": "int64:4,", "w": "4,"}).steps
    assert first.effect == "adds up the weights of each value, up to the largest, at least 3"
    assert second.effect == "one weight a value"
