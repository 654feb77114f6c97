"""The registry of random generators covers every operation, and a long run tells what went wrong."""

import contextlib
import random
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes.operations import find_space, is_known, names_in
from segcli.shapes.text.nodes import Assign, Attribute, Call, Operator, Subscript
from segcli.shapes.text.parse import parse
from tests.shapes import fuzz
from tests.shapes.agreement import Family, compare_many
from tests.shapes.cases import Case
from tests.shapes.families import FAMILIES
from tests.shapes.formula_agreement import compare_formulas

# What the command is for, by where a name stands; an entry of two names is known by both.
_PROMISED = {
    "method torch": (
        "argmax argmin max min amax amin sum mean std any all prod median topk sort kthvalue cumsum norm logsumexp "
        "softmax log_softmax chunk split unbind reshape flatten unflatten permute transpose movedim squeeze unsqueeze "
        "tile roll flip broadcast_to gather scatter scatter_add take_along_dim index_select masked_select masked_fill "
        "where nonzero eq ne lt matmul bmm"
    ),
    "method": "view expand expand_as repeat size numel item",
    "torch": "cat stack hstack vstack einsum",
    "attribute": "T mT shape ndim",
    "operator": "[]= @ + - * / // % ** == != < <= > >= & | ^ unary_- unary_~",
    "functional": (
        "one_hot interpolate pad conv1d conv2d conv3d conv_transpose2d max_pool2d avg_pool2d adaptive_avg_pool2d "
        "unfold grid_sample cross_entropy binary_cross_entropy_with_logits"
    ),
    "nn": (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d BatchNorm1d BatchNorm2d BatchNorm3d "
        "LayerNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d GroupNorm Linear Upsample"
    ),
}
_SPACES = ("method", "attribute", "torch", "functional", "nn", "operator")
# What is drawn seldom takes several rounds.
_ROUNDS, _DRAWN = 30, 100


def parts(node: object) -> Iterator[Any]:
    """Walk a tree of nodes."""
    if isinstance(node, tuple):
        for part in node:
            yield from parts(part)
    elif is_dataclass(node):
        yield node
        for each in fields(node):
            yield from parts(getattr(node, each.name))


def uses(expr: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """Tell which operations an expression asks for, by space and name."""
    tree = parse(expr)
    called = {id(part.function) for part in parts(tree) if isinstance(part, Call)}
    for part in parts(tree):
        if isinstance(part, Operator):
            yield "operator", f"unary_{part.mark}" if len(part.operands) == 1 else part.mark
        elif isinstance(part, Assign):
            yield "operator", f"{'[]' * isinstance(part.target, Subscript)}{part.mark}="
        elif isinstance(part, Attribute):
            space = find_space(part.base, names)
            yield space or ("method" if id(part) in called else "attribute"), part.name


@pytest.fixture(scope="module")
def drawn() -> set[tuple[str, str]]:
    """Every operation that some family draws."""
    wanted = {(space, name) for space in _SPACES for name in names_in(space)}
    found: set[tuple[str, str]] = set()
    rng = random.Random(0)
    for _ in range(_ROUNDS):
        for family in FAMILIES:
            for case in [family.draw(rng) for _ in range(_DRAWN)]:
                with contextlib.suppress(SegcliError):
                    found |= set(uses(case.expr, set(case.specs)))
        if wanted <= found:
            break
    return found


@pytest.mark.parametrize("space", _SPACES)
def test_every_operation_is_drawn(space: str, drawn: set[tuple[str, str]]) -> None:
    missing = [name for name in names_in(space) if (space, name) not in drawn]
    assert not missing, f"no family draws {', '.join(missing)}"


@pytest.mark.parametrize("spaces", _PROMISED)
def test_every_operation_that_is_promised_is_drawn(spaces: str, drawn: set[tuple[str, str]]) -> None:
    for space in spaces.split():
        for name in _PROMISED[spaces].split():
            assert is_known(space, name), f"{space} {name}"
            assert (space, name) in drawn, f"no family draws {space} {name}"


def test_names_are_told_apart() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)


def wrong(rng: random.Random) -> Case:
    """Draw a case whose tensor is not what is said of it."""
    return Case("x.flip(0)", "", {"x": "3,"}, {"x": torch.arange(rng.choice([4, 5]))})


def test_a_disagreement_is_told_with_its_case() -> None:
    tally = compare_many(Family("wrong", wrong), 3, seed=5)
    assert len(tally.failures) == 3
    assert re.match(r"SEGCLI_FUZZ_SEED=5, wrong, chunk 0, case 0: x.flip\(0\) \{'x': '3,'\}\n", tally.failures[0])
    tally = compare_formulas(Family("wrong", wrong), 3, seed=5)
    assert len(tally.failures) == 3
    assert "result[i] = x[2 - i]" in tally.failures[0]


def test_a_run_ends_with_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--seed", "3", "--only", "linear", "--cases", "200", "--formulas", "100", "--processes", "1"]
    assert fuzz.main(given) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "seed 3"
    assert said[1].startswith("200 of 200 drawn, ")
    assert said[2].split() == ["family", "cases", "answers", "raised", "refused", "disagree", "seconds"]
    assert said[-1] == "seed 3: all agree"
    monkeypatch.setattr(fuzz, "fuzz", lambda *_: {"wrong": compare_many(Family("wrong", wrong), 2)})
    assert fuzz.main(given) == 1
    assert capsys.readouterr().out.endswith("seed 3: 4 disagree\n")
