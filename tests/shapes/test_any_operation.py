"""Every operation there is, called with anything: an answer, or a refusal in words, and never a traceback."""

import contextlib
import random
import re

import pytest

from segcli.errors import SegcliError
from segcli.shapes import Explanation, explain
from segcli.shapes.operations import find_operation, names_in, written
from tests.shapes.agreement import CASES, SEED

SPACES = ("method", "attribute", "torch", "functional", "nn")
SPECS = {
    "x": ["2,3,4", "N,3,H,W", "()", "0,3", "int64:2,3", "bool:4,5", "h:8,w:16,c:3", "complex64:2,2", "1,16,8,8"],
    "y": ["2,3,4", "N,3", "4,", "int64:2,3", "bfloat16:3", "bool:2#1", "N,M", "1000000000000,1000000"],
    "i": ["tensor([0, 1])", "int64:4,", "3", "[0, 1]", "tensor(1)", "bool:tensor([True, False])", "int64:N"],
}
ARGUMENTS = [
    *(
        "x",
        "y",
        "i",
        "x[0]",
        "y.T",
        "0",
        "1",
        "-1",
        "3",
        "99",
        "9223372036854775807",
        "1.5",
        "True",
        "None",
        "...",
        "'same'",
        "''",
    ),
    *(
        "torch.float16",
        "torch.long",
        "(1, 2)",
        "[2, 2]",
        "()",
        "[x, y]",
        "(x,)",
        "[[1], [2]]",
        "x.shape",
        "x.size(0)",
        "x.max(0)",
    ),
    *(
        "x.split(1)",
        "(None, 1)",
        "'ij,jk'",
        "'bilinear'",
        "[x.shape[0], -1]",
        "-x.shape[0]",
        "x.ndim // 2",
        "1e400",
        "(1, 'a')",
    ),
]
KEYWORDS = [
    *(
        "dim",
        "keepdim",
        "size",
        "mode",
        "stride",
        "padding",
        "dtype",
        "input",
        "other",
        "index",
        "out",
        "bias",
        "value",
    ),
    *("scale_factor", "align_corners", "groups", "reduction", "weight", "num_classes", "k", "descending", "nonsense"),
]


def random_call(rng: random.Random, space: str, name: str) -> str:
    given = [rng.choice(ARGUMENTS) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 4]))]
    keywords = rng.sample(KEYWORDS, rng.choice([0, 0, 0, 1, 2]))
    arguments = ", ".join([*given, *(f"{keyword}={rng.choice(ARGUMENTS)}" for keyword in keywords)])
    call = written(space, name)
    if space == "attribute":
        return call
    if space == "method":
        call = call.replace("x.", rng.choice(["x.", "x.", "y.", "x[1:].", "x.max(0).", "x.shape.", "(x + 1)."]))
    return f"{call}({arguments})" + (f"({rng.choice(['x', 'y', 'x, y', '3'])})" if space == "nn" else "")


@pytest.mark.parametrize("space", SPACES)
def test_no_call_ends_in_a_traceback(space: str) -> None:
    names = names_in(space)
    for name in names:
        rng = random.Random(f"{SEED} {space} {name}")
        for _ in range(CASES // 250):
            check(rng, random_call(rng, space, name))


@pytest.mark.parametrize("mark", [*names_in("operator")])
def test_no_operator_ends_in_a_traceback(mark: str) -> None:
    rng = random.Random(f"{SEED} {mark}")
    for _ in range(CASES // 100):
        one, other = rng.choice(ARGUMENTS), rng.choice(ARGUMENTS)
        if mark == "[]=":
            check(rng, f"x[{one}] = {other}")
        elif mark.startswith("unary"):
            check(rng, f"{mark[-1]}{one}")
        else:
            check(rng, f"{one} {mark} {other}")


def check(rng: random.Random, expr: str) -> None:
    specs = {name: rng.choice(known) for name, known in SPECS.items() if f"{name}" in expr.replace("sin", "")}
    for lead in ("torch", "numpy"):
        with contextlib.suppress(SegcliError):
            used = {name: spec for name, spec in specs.items() if is_used(name, expr)}
            assert explained(expr, used, lead).expr == expr


def explained(expr: str, specs: dict[str, str], lead: str) -> Explanation:
    try:
        return explain(expr, specs, lead=lead)
    except SegcliError:
        raise
    except Exception as error:
        message = f"{expr} {specs}"
        raise AssertionError(message) from error


def is_used(name: str, expr: str) -> bool:
    return re.search(rf"\b{name}\b", re.sub(r"'[^']*'|\.\w+|\w+=", "", expr)) is not None


@pytest.mark.parametrize("space", [*SPACES, "operator"])
def test_every_name_has_its_rules(space: str) -> None:
    for name in names_in(space):
        operation = find_operation(space, name)
        assert operation is not None
        assert callable(operation.torch)
        # Where NumPy has no such operation, it is said what to write.
        assert operation.numpy is not None or operation.advice, f"{space} {name}"
