"""Tables of expressions for shapes.md: cog prints what segcli says of each, and torch and NumPy must say the same."""

import re
import warnings
from html import escape
from typing import Any

import numpy as np
import torch

from segcli.shapes import Answer, explain
from segcli.shapes.values import format_sizes

# Where the two libraries part ways. Here, since cog ends a block at three closing brackets.
# A place that is written to, by ``=`` or by an operator before it.
_ASSIGNMENT = re.compile(r"(?P<place>.+?) [-+*/]?= ")

PARTING = (
    "y[0, :, i]",
    "y[0, :, j]",
    "x[0, ..., i]",
    "z[:, 0, :, i]",
    "z[:, i, :, 0]",
    "x[0, None, i]",
    "x[:, i, None, 0]",
    "y[n, :, i]",
    "y[:, True, :, 0]",
    "x[0, :, True]",
    "w[:, i, ..., i]",
    "w[:, i, None, i]",
    "x[:, i, 0:1, i]",
    "x[:, i, 0, i]",
    "y[[0, 1]]",
    "y[(0, 1)]",
    "y[[[0, 1], [1, 0]]]",
    "y[[[0, 1]]]",
    "y[[..., 0]]",
    "x[[[True, False, True], [False, False, True]]]",
    "y[[0, 1.0]]",
    "y[[True, 1]]",
    "y[..., 0, ...]",
    "y[::-1]",
    "y[5:10]",
    "y[2]",
)


def compare(binds: str, *expressions: str) -> None:
    """Print a table of expressions by PyTorch and by NumPy, with the rule that differs.

    Args:
        binds: What their names stand for, ``x=2,3,4 i=int64:2``.
        expressions: Expressions that both libraries read, word for word.
    """
    reasons: dict[str, int] = {}
    print("\n| expression | PyTorch | NumPy | |\n| --- | --- | --- | --- |")
    for expression in expressions:
        told = explain(expression, _used(binds, expression))
        for answer, library in ((told.torch, torch), (told.numpy, np)):
            _confirm(expression, binds, answer, library)
        number = f"({reasons.setdefault(told.differs, len(reasons) + 1)})" if told.differs else ""
        print(f"| {_code(expression)} | {_shown(told.torch)} | {_shown(told.numpy)} | {number} |")
    print()
    for reason, number in reasons.items():
        print(f"{number}. {reason[0].upper()}{reason[1:]}.")
    print()


def of_torch(binds: str, *expressions: str) -> None:
    """Print a table of expressions by PyTorch alone: shape, dtype, storage and formula."""
    print("\n| expression | gives | storage | an element of it |\n| --- | --- | --- | --- |")
    for expression in expressions:
        told = explain(expression, _used(binds, expression))
        _confirm(expression, binds, told.torch, torch)
        storage = "" if told.torch.shape is None else _storage(expression, told.view)
        formula = _code(told.formula) if told.formula else ""
        print(f"| {_code(expression)} | {_shown(told.torch)} | {storage} | {formula} |")
    print()


def _storage(expression: str, view: bool | None) -> str:  # noqa: FBT001 - what a result says
    if _ASSIGNMENT.match(expression):
        return "in place" if view else "to a copy"
    return "view" if view else "copy"


def _used(binds: str, expression: str) -> dict[str, str]:
    pairs = dict(bind.split("=", 1) for bind in binds.split())
    # A number alone would be a number.
    pairs = {name: f"{spec}," if spec.isdecimal() else spec for name, spec in pairs.items()}
    return {name: spec for name, spec in pairs.items() if re.search(rf"\b{name}\b(?!\s*=[^=])", expression)}


def _confirm(expression: str, binds: str, answer: Answer, library: Any) -> None:  # noqa: ANN401 - torch or numpy
    """Let the library do it, on zeros, and compare; NumPy only where both write it alike."""
    if library is np and re.search(r"\btorch\.|\bF\.|\bnn\.|dim=|\.(?!T\b|shape\b)[a-z]\w*", expression):
        return
    names: dict[str, Any] = {name: _made(spec) for name, spec in _used(binds, expression).items()}
    if library is np:
        names = {name: value.numpy() for name, value in names.items()}
    real: tuple[int | str, ...] | str | None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _done(expression, names)
            real = tuple(found.shape) if hasattr(found, "shape") else answer.shape
        except Exception as error:  # noqa: BLE001 - whatever it raises is what it says
            real = type(error).__name__
    ours = answer.error.type if answer.error else answer.shape
    known = ours if isinstance(ours, str) or ours is None or all(isinstance(size, int) for size in ours) else real
    if known != real:
        message = f"{expression}: segcli says {ours}, {library.__name__} {real}"
        raise ValueError(message)


def _done(expression: str, names: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it gives
    """Do it; what an assignment gives is the part that it wrote."""
    scope = {"torch": torch, "F": torch.nn.functional, "nn": torch.nn}
    assignment = _ASSIGNMENT.match(expression)
    # Expressions of our own pages.
    if assignment:
        exec(expression, scope, names)  # noqa: S102
    return eval(assignment["place"] if assignment else expression, scope, names)  # noqa: S307


def _made(spec: str) -> torch.Tensor:
    dtype, _, shape = spec.rpartition(":")
    sizes = [int(size) for size in shape.partition("#")[0].strip("()").split(",") if size]
    # True: where a mask finds nothing, half of what can be said of it raises.
    return torch.full(sizes, dtype == "bool", dtype=getattr(torch, dtype or "float32"))


def _shown(answer: Answer) -> str:
    if answer.error is not None:
        return answer.error.type
    if answer.shape is None:
        return f"`{format_sizes(answer.value)}`" if isinstance(answer.value, tuple) else f"`{answer.value}`"
    if answer.members:
        return ", ".join(f"{member.name} {format_sizes(member.shape)}" for member in answer.members)
    return format_sizes(answer.shape)


def _code(text: str) -> str:
    """Return text as code in a cell; three closing brackets would end cog's block."""
    if "]]]" in text:
        return f"<code>{escape(text).replace(']]]', ']]&#93;')}</code>"
    return f"`{text}`".replace("|", "\\|")
