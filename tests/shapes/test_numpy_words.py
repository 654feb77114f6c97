"""NumPy's own words: NumPy is asked for what is written, PyTorch for how segcli writes it."""

import random
import re

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.text.numpy_words import FUNCTIONS
from segcli.shapes.text.parse import parse_words
from tests.shapes.agreement import disagreement
from tests.shapes.oracle import ask_numpy, ask_torch

DTYPES = ["float32"] * 6 + ["float64", "int64", "int32", "uint8", "bool"]
SHAPES = [(), (3,), (2, 3), (3, 3), (2, 3, 4), (0, 3), (1, 3)]
AXES = ["axis=0", "axis=1", "axis=-1", "1", "axis=(0, 1)", "axis=None", "axis=3", ""]
KEEPING = ["keepdims=True", "keepdims=False", "", "", ""]
_OF_TWO = (
    "maximum minimum add subtract multiply divide true_divide floor_divide remainder mod power equal not_equal greater "
    "greater_equal less less_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor matmul dot "
    "outer"
)
GIVEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        [
            "argmax",
            "argmin",
            "sum",
            "mean",
            "any",
            "all",
            "prod",
            "max",
            "min",
            "amax",
            "amin",
            "count_nonzero",
            "std",
            "var",
        ],
        ("x", "AXIS", "KEEP"),
    ),
    **dict.fromkeys(["cumsum", "cumprod", "argsort", "median"], ("x", "AXIS")),
    **dict.fromkeys(["concatenate", "concat", "stack"], ("[x, x]", "AXIS")),
    **dict.fromkeys(["hstack", "vstack", "dstack"], ("[x, x]",)),
    "where": ("x > 0", "x", "y"),
    "squeeze": ("x", "AXIS"),
    "expand_dims": ("x", "AXIS"),
    "reshape": ("x", "SIZES"),
    "broadcast_to": ("x", "SIZES"),
    "transpose": ("x", "ORDER"),
    "swapaxes": ("x", "0", "-1"),
    "moveaxis": ("x", "0", "-1"),
    "flip": ("x", "AXIS"),
    "roll": ("x", "1", "AXIS"),
    "tile": ("x", "SIZES"),
    "repeat": ("x", "2", "AXIS"),
    "clip": ("x", "0", "1"),
    "diff": ("x",),
    "bincount": ("x",),
    "take_along_axis": ("x", "x", "AXIS"),
    "einsum": ("'...i->...'", "x"),
    **dict.fromkeys(["zeros", "ones", "empty"], ("SIZES",)),
    "full": ("SIZES", "1"),
    **dict.fromkeys(["zeros_like", "ones_like", "empty_like", "ravel", "argwhere", "tril", "triu"], ("x",)),
    "full_like": ("x", "2"),
    "arange": ("3",),
    "eye": ("3",),
    "linspace": ("0", "1", "5"),
    **dict.fromkeys(("array", "asarray"), ("[[1, 2], [3, 4]]",)),
    **dict.fromkeys(_OF_TWO.split(), ("x", "y")),
}
# What they give hangs on the values.
KNOWN = ("argwhere", "bincount", "take_along_axis")
TEXTS = {
    "AXIS": AXES,
    "KEEP": KEEPING,
    "SIZES": ["(6,)", "(2, 3)", "-1", "(3, -1)", "(2, 2, 3)", "6"],
    "ORDER": ["(1, 0)", "(0, 2, 1)", "axes=(1, 0)", "", "[1, 0]"],
}


def written(rng: random.Random, name: str) -> str:
    given = [rng.choice(TEXTS[each]) if each in TEXTS else each for each in GIVEN.get(name, ("x",))]
    return f"np.{name}({', '.join(each for each in given if each)})"


def drawn(rng: random.Random, name: str) -> tuple[str, dict[str, str], dict[str, torch.Tensor]]:
    expr = written(rng, name)
    if rng.random() < 0.2:
        expr += rng.choice([".astype(np.float32)", ".astype(int)", ".astype('uint8')", ".copy()", "[..., np.newaxis]"])
    specs, tensors = {}, {}
    for each in "xy":
        if re.search(rf"\b{each}\b", expr):
            shape, dtype = rng.choice(SHAPES), rng.choice(DTYPES)
            specs[each] = f"{dtype}:{str(tuple(shape)).replace(' ', '')}"
            tensors[each] = torch.ones(shape, dtype=getattr(torch, dtype))
            if name in KNOWN and tensors[each].numel():
                specs[each] = f"{dtype}:tensor({tensors[each].tolist()})"
    return expr, specs, tensors


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_numpy_says_the_same(name: str) -> None:
    rng = random.Random(name)
    answered = 0
    for _ in range(50):
        expr, specs, tensors = drawn(rng, name)
        try:
            found = explain(expr, specs)
        except SegcliError:
            continue
        told = f"{expr} {specs}"
        assert found.lead == "numpy", told
        wrong = disagreement(found.numpy, ask_numpy(expr, tensors), words=False)
        assert wrong is None, f"{wrong}: {told}\n{found.numpy}\n{ask_numpy(expr, tensors)}"
        in_torch = parse_words(expr)[1]
        assert in_torch is not None
        wrong = disagreement(found.torch, ask_torch(in_torch, tensors), words=False)
        assert wrong is None, f"{wrong}: {told}: {in_torch}\n{found.torch}"
        answered += found.numpy.error is None
    assert answered > 1


@pytest.mark.parametrize(
    ("expr", "in_torch"),
    [
        ("np.argmax(x, axis=1)", "torch.argmax(x, axis=1)"),
        ("np.concatenate([x, x], axis=0)", "torch.concatenate([x, x], axis=0)"),
        ("np.transpose(x[0])", "x[0].T"),
        ("np.transpose(x + x)", "(x + x).T"),
        ("np.transpose(*[x])", "torch.permute(*[x])"),
        ("np.transpose(x, axes=(1, 0))", "torch.permute(x, dims=(1, 0))"),
        ("x.astype(np.uint8)", "x.to(torch.uint8)"),
        ("x.astype('float32')[:, np.newaxis]", "x.to(torch.float32)[:, torch.newaxis]"),
        ("x[1:, 0].astype(bool)", "x[1:, 0].to(torch.bool)"),
        ("x.astype(x.dtype)", "x.to(x.dtype)"),
        ("-numpy.expand_dims(x, axis=0) * np.pi", "-torch.unsqueeze(x, axis=0) * torch.pi"),
        ("x[np.argmax(x)] = np.sum(x)", "x[torch.argmax(x)] = torch.sum(x)"),
        ("x += np.sum(x)", "x += torch.sum(x)"),
        ("x.sum(1)", None),
        ("x[:, np.newaxis]", None),
        ("slice(np.pi)", None),
    ],
)
def test_what_pytorch_writes(expr: str, in_torch: str | None) -> None:
    assert parse_words(expr)[1] == in_torch


def test_numpy_leads_and_its_counterpart_is_told() -> None:
    found = explain("np.argmax(x, axis=1)", {"x": "2,19,4,4"})
    assert (found.lead, found.numpy.shape, found.rewrite) == ("numpy", (2, 4, 4), "torch.argmax(x, axis=1)")
    assert found.notes == ("for PyTorch it is read as torch.argmax(x, axis=1)",)
    # Of what the libraries think apart, the rule is told as if PyTorch's words were written.
    found = explain("np.std(x, axis=1)", {"x": "2,19"})
    assert found.differs == "std and var divide by n - 1 in PyTorch, by n in NumPy"


def test_what_is_not_supported_is_told() -> None:
    for expr, words in (
        ("np.foo(x)", "np.foo is not supported"),
        ("np.linalg(x)", "np.linalg is not supported"),
        ("np.linalg.norm(x)", "np.linalg is not a value"),
        ("np.sum(torch.cat([x, x]))", "functions of NumPy and of PyTorch stand in one expression"),
        ("np.sum(F.relu(x))", "functions of NumPy and of PyTorch stand in one expression"),
    ):
        with pytest.raises(SegcliError, match=words):
            explain(expr, {"x": "2,3"})
