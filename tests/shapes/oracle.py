"""What real PyTorch and real NumPy say of an expression."""

import ast
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PYTHON = {each.__name__: each for each in (abs, float, int, len, list, max, min, tuple)}


@dataclass(frozen=True)
class Verdict:
    """Shape, dtype and whether storage is shared; or the exception's type and words; or ``plain``, no tensor."""

    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    view: bool | None = None
    members: tuple[tuple[tuple[int, ...], str], ...] = ()
    error: str | None = None
    message: str = ""
    value: Any = None
    plain: Any = None


def evaluate(expr: str, names: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what an expression gives, and of which the storage is asked: itself, or what is assigned to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The oracle is the library itself, on expressions that the tests wrote.
        # Of its reductions some import modules when they first run.
        builtins = {"slice": slice, "__import__": __import__, **PYTHON}
        scope = {"__builtins__": builtins, "torch": torch, "np": np, "F": torch.nn.functional, "nn": torch.nn}
        scope["math"] = math
        if is_statement(expr):
            scope |= names
            exec(_as_statements(expr), scope)  # noqa: S102 - see above
            return scope["place"], scope["target"]
        value = eval(expr, scope, dict(names))  # noqa: S307 - see above
        return value, value[0] if isinstance(value, tuple | list) and value else value


ASSIGNS = re.compile(r" (?:[-+*/%&|^@]|\*\*|//|<<|>>)?= ")


def is_statement(expr: str) -> bool:
    """Tell whether an expression assigns: ``x[0] = 1``, ``x += 1``."""
    return ASSIGNS.search(expr) is not None


def _as_statements(expr: str) -> str:
    """Write an assignment so that what it writes to, and the place in it, have names."""
    statement = ast.parse(expr).body[0]
    assert isinstance(statement, ast.Assign | ast.AugAssign)
    place = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    if not isinstance(place, ast.Subscript):
        return f"{expr}\ntarget = place = {ast.unparse(place)}"
    target, whole, value = (str(ast.get_source_segment(expr, node)) for node in (place.value, place, statement.value))
    index, sign = whole[len(target) :], expr[len(whole) : len(expr) - len(value)]
    return f"value = {value}\ntarget = {target}\ntarget{index}{sign}value\nplace = target{index}"


def write(expr: str, names: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Do an assignment; return what the names stand for then."""
    written = {name: tensor.clone() for name, tensor in names.items()}
    evaluate(expr, written)
    return written


def ask_torch(expr: str, names: Mapping[str, torch.Tensor]) -> Verdict:
    if is_statement(expr):
        # It writes.
        names = {name: tensor.clone() for name, tensor in names.items()}
    try:
        value, held = evaluate(expr, names)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
        return _raised(error)
    if isinstance(value, tuple | list) and value and all(isinstance(member, torch.Tensor) for member in value):
        members = tuple((tuple(member.shape), _name(member.dtype)) for member in value)
        return Verdict(*members[0], view=_is_view(held, names), members=members, value=value)
    if not isinstance(value, torch.Tensor):
        return Verdict(plain=value, value=value)
    return Verdict(tuple(value.shape), _name(value.dtype), _is_view(held, names), value=value)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _raised(error: Exception) -> Verdict:
    return Verdict(error=type(error).__name__, message=(str(error).splitlines() or [""])[0])


def _is_view(value: torch.Tensor, names: Mapping[str, torch.Tensor]) -> bool:
    # Not data_ptr(): of a tensor without elements it is 0.
    return any(value.untyped_storage()._cdata == tensor.untyped_storage()._cdata for tensor in names.values())


def ask_numpy(expr: str, names: Mapping[str, torch.Tensor]) -> Verdict:
    kept = {name: tensor for name, tensor in names.items() if tensor.dtype != torch.bfloat16}
    arrays = {name: (tensor.clone() if is_statement(expr) else tensor).numpy() for name, tensor in kept.items()}
    try:
        value, held = evaluate(expr, arrays)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
        return _raised(error)
    owners = list(arrays.values())
    known = np.ndarray | np.generic
    if isinstance(value, tuple | list) and value and all(isinstance(member, known) for member in value):
        members = tuple((tuple(member.shape), str(member.dtype)) for member in value)
        return Verdict(*members[0], view=_shares(held, owners), members=members, value=value)
    if not isinstance(value, known):
        return Verdict(plain=value, value=value)
    return Verdict(tuple(value.shape), str(value.dtype), _shares(held, owners), value=value)


def _shares(value: Any, arrays: list[Any]) -> bool:  # noqa: ANN401 - an array or a scalar
    owners = {id(_owner(array)) for array in arrays}
    return isinstance(value, np.ndarray) and id(_owner(value)) in owners


def _owner(array: Any) -> Any:  # noqa: ANN401 - an array, or the tensor that owns its memory
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array
