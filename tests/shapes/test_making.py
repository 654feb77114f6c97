"""Making tensors: ``arange``, ``zeros``, ``ones``, ``full``, ``empty``, and those like another."""

import random
import re

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES
from tests.shapes.cases import Case
from tests.shapes.drawing import bind, holds, refused, run_cases

SIZES = ["2", "3", "0", "1", "k", "-1", "True", "2.0", "None"]
WHOLE = ["(2, 3)", "[2, 3]", "()", "[]", "(k, 2)", "(2, -1)", "(2, 3.0)", "[2.0]", "[True, 2]", "(2, True)", "f"]
WHOLE += ["(2, None)", "x.shape", "None", "'a'", "2.5", "2", "k"]
NUMBERS = ["0", "1", "5", "5", "7", "2.5", "-3", "0.5", "k", "f", "True", "-1", "2", "3.0", "10"]
STEPS = ["1", "2", "-1", "0.5", "3", "0", "-2", "0.3", "k", "1.0"]
FILLS = ["1", "1.5", "True", "k", "f", "b", "0", "x"]
DTYPES = ["torch.float32", "torch.int64", "torch.uint8", "torch.float16", "torch.int32", "torch.float64", "None"]
DTYPES += ["torch.complex64", "torch.bool", "3"]


def draw_made(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice([(), (3,), (2, 3), (0, 3), (2, 3, 4)]))
    case.tensors |= {"k": torch.tensor(2), "f": torch.tensor(2.5), "b": torch.tensor(1) > 0}
    case.specs |= {"k": "int64:tensor(2)", "f": "float32:tensor(2.5)", "b": "bool:tensor(True)"}
    kind = rng.random()
    if kind < 0.4:
        name, arguments = "arange", draw_bounds(rng)
    elif kind < 0.8:
        name = rng.choice(["zeros", "ones", "empty", "full"])
        several = rng.random() < 0.4 and name != "full"
        arguments = [rng.choice(SIZES) for _ in range(rng.choice([0, 1, 2, 2, 3]))] if several else [rng.choice(WHOLE)]
        if name == "full" and rng.random() < 0.95:
            arguments.append(rng.choice(FILLS))
    else:
        name = rng.choice(["zeros_like", "ones_like", "empty_like", "full_like"])
        arguments = [source if rng.random() < 0.9 else rng.choice(["2", "2.5", "[1, 2]"])]
        if name == "full_like" and rng.random() < 0.95:
            arguments.append(rng.choice(FILLS))
    if rng.random() < 0.35:
        arguments.append(f"dtype={rng.choice(DTYPES)}")
    elif rng.random() < 0.15:
        arguments.append(rng.choice(["device='cpu'", "requires_grad=True", "requires_grad=False", "foo=1"]))
    case.expr = f"torch.{name}({', '.join(arguments)})"
    case.numpy_expr = f"np.{name}({', '.join(argument.replace('torch.', 'np.') for argument in arguments)})"
    case.numpy_expr = case.numpy_expr.replace("end=", "stop=").replace("np.bool", "np.bool_")
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    used = set(re.findall(r"(?<![.'\w])\w+", case.expr))
    case.specs = {name: spec for name, spec in case.specs.items() if name in used}
    return case


def draw_bounds(rng: random.Random) -> list[str]:
    count = rng.choice([1, 1, 2, 2, 3, 3])
    bounds = [rng.choice(NUMBERS) for _ in range(count)]
    if count == 3:
        bounds[2] = rng.choice(STEPS)
    if rng.random() < 0.05:
        bounds[rng.randrange(count)] = rng.choice(["None", "'a'", "[5]", "1e999", "1e20"])
    if rng.random() < 0.15:
        names = {1: ["end"], 2: ["start", "end"], 3: ["start", "end", "step"]}[count]
        first = rng.randrange(count)
        bounds = [bound if place < first else f"{names[place]}={bound}" for place, bound in enumerate(bounds)]
    return bounds


@pytest.mark.parametrize("chunk", range(2))
def test_agreement_on_random_makings(chunk: int) -> None:
    run_cases(draw_made, CASES // 8, chunk=chunk)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs", "formula"),
    [
        ("torch.arange(5)", {}, (5,), (), "result[i] = i"),
        ("torch.arange(2, 11, 3)", {}, (3,), (), "result[i] = 2 + 3*i"),
        ("torch.arange(5, 2, -1)", {}, (3,), (), "result[i] = 5 - i"),
        ("torch.arange(9, 0, -2)", {}, (5,), (), "result[i] = 9 - 2*i"),
        ("torch.arange(x.size(0))", {"x": "N,3"}, ("N",), (), "result[i] = i"),
        ("torch.arange(2, x.size(0))", {"x": "N,3"}, ("N - 2",), ("N >= 2",), "result[i] = 2 + i"),
        ("torch.arange(0, x.size(0), 2)", {"x": "N,3"}, ("ceil(N / 2)",), (), "result[i] = 2*i"),
        ("torch.arange(x.size(0), 0, -1)", {"x": "N,3"}, ("N",), ("N >= 0",), "result[i] = N - i"),
        ("torch.arange(x.size(0), x.size(1))", {"x": "N,M"}, ("M - 1*N",), ("M >= N",), "result[i] = N + i"),
        ("torch.arange(x.size(0), x.size(0) + 6, 2)", {"x": "N,3"}, (3,), (), "result[i] = N + 2*i"),
        ("torch.zeros(x.size(0), 3)", {"x": "N,3"}, ("N", 3), (), None),
        ("torch.zeros_like(x)", {"x": "h:4,w:5"}, (4, 5), (), None),
    ],
)
def test_by_hand(
    expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...], formula: str | None
) -> None:
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, explanation.needs, explanation.formula) == (shape, needs, formula)
    if not specs:
        holds(expr, specs, str(formula))


def test_sizes_apart_are_no_shape_to_numpy() -> None:
    refused("torch.zeros(2, 3)", {}, "TypeError", "Cannot interpret '3' as a data type", "3", lead="numpy")
    assert explain("torch.zeros(2, dtype='float32')", {}, lead="numpy").answer.dtype == "float32"
    assert explain("torch.zeros_like([1, 2])", {}, lead="numpy").answer.shape == (2,)
    assert explain("torch.zeros(i)", {"i": "[2,3]"}, lead="numpy").answer.shape == (2, 3)
    assert explain("torch.zeros(i)", {"i": "int64:tensor([2,3])"}, lead="numpy").answer.shape == (2, 3)


@pytest.mark.parametrize(
    ("expr", "specs", "lead", "words"),
    [
        ("torch.arange(x.size(0), 9.5)", {"x": "N,3"}, "torch", "how many numbers arange counts"),
        ("torch.arange(n)", {"n": "int64:()"}, "torch", "the value of n is not known"),
        ("torch.zeros(2, out=x)", {"x": "2,"}, "torch", "out= is not supported"),
        ("torch.zeros(2, dtype='a')", {}, "numpy", "'a' as a dtype is not supported"),
        ("torch.zeros(i)", {"i": "int64:2"}, "numpy", "the values of i are not known"),
    ],
)
def test_refused(expr: str, specs: dict[str, str], lead: str, words: str) -> None:
    with pytest.raises(SegcliError) as caught:
        explain(expr, specs, lead=lead)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("expr", "specs", "lead", "kind"),
    [
        ("torch.zeros(2**63)", {}, "torch", "TypeError"),
        ("torch.zeros(2**63)", {}, "numpy", "ValueError"),
        ("torch.zeros((4611686018427387904, 2))", {}, "torch", "RuntimeError"),
        ("torch.zeros((4611686018427387904, 2))", {}, "numpy", "ValueError"),
        ("torch.zeros(f)", {"f": "float32:tensor(2.5)"}, "torch", "TypeError"),
        ("torch.zeros(i)", {"i": "float32:2"}, "numpy", "TypeError"),
        ("torch.zeros(2, device='foo')", {}, "numpy", "ValueError"),
        ("torch.zeros(2, x)", {"x": "2,"}, "numpy", "TypeError"),
        ("torch.zeros('a')", {}, "numpy", "TypeError"),
        ("torch.full((2, 3), x)", {"x": "2,"}, "numpy", "ValueError"),
        ("torch.arange(x)", {"x": "2,"}, "numpy", "ValueError"),
        ("torch.arange('a')", {}, "numpy", "TypeError"),
        ("torch.arange(n)", {"n": "float32:tensor(1e999)"}, "numpy", "ValueError"),
        ("torch.zeros_like([2])", {}, "torch", "TypeError"),
        ("torch.full()", {}, "torch", "TypeError"),
        ("torch.zeros(2, dtype=torch.bfloat16)", {}, "numpy", "TypeError"),
        ("torch.arange(1e999 - 1e999)", {}, "numpy", "ValueError"),
        ("torch.arange(step=2)", {}, "numpy", "TypeError"),
        ("torch.arange(0, 2**62, 0.25, dtype=torch.float32)", {}, "torch", "RuntimeError"),
    ],
)
def test_errors(expr: str, specs: dict[str, str], lead: str, kind: str) -> None:
    error = explain(expr, specs, lead=lead).answer.error
    assert error is not None
    assert error.type == kind
