"""What real PyTorch and real NumPy say of an expression."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


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


def _evaluate(expr: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a tensor, an array or a pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The oracle is the library itself, on expressions that the tests wrote.
        # Of its reductions some import modules when they first run.
        builtins = {"slice": slice, "__import__": __import__}
        scope = {"__builtins__": builtins, "torch": torch, "np": np, "F": torch.nn.functional, "nn": torch.nn}
        return eval(expr, scope, dict(names))  # noqa: S307


def ask_torch(expr: str, names: Mapping[str, torch.Tensor]) -> Verdict:
    try:
        value = _evaluate(expr, names)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
        return Verdict(error=type(error).__name__, message=str(error).splitlines()[0])
    if isinstance(value, tuple | list) and value and all(isinstance(member, torch.Tensor) for member in value):
        members = tuple((tuple(member.shape), str(member.dtype).removeprefix("torch.")) for member in value)
        return Verdict(*members[0], view=_is_view(value[0], names), members=members, value=value)
    if not isinstance(value, torch.Tensor):
        return Verdict(plain=value, value=value)
    return Verdict(tuple(value.shape), str(value.dtype).removeprefix("torch."), _is_view(value, names), value=value)


def _is_view(value: torch.Tensor, names: Mapping[str, torch.Tensor]) -> bool:
    # Not data_ptr(): of a tensor without elements it is 0.
    return any(value.untyped_storage()._cdata == tensor.untyped_storage()._cdata for tensor in names.values())


def ask_numpy(expr: str, names: Mapping[str, torch.Tensor]) -> Verdict:
    arrays = {name: tensor.numpy() for name, tensor in names.items() if tensor.dtype != torch.bfloat16}
    try:
        value = _evaluate(expr, arrays)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
        return Verdict(error=type(error).__name__, message=str(error).splitlines()[0])
    owners = list(arrays.values())
    if (
        isinstance(value, tuple | list)
        and value
        and all(isinstance(member, np.ndarray | np.generic) for member in value)
    ):
        members = tuple((tuple(member.shape), str(member.dtype)) for member in value)
        return Verdict(*members[0], view=_shares(value[0], owners), members=members, value=value)
    if not isinstance(value, np.ndarray | np.generic):
        return Verdict(plain=value, value=value)
    return Verdict(tuple(value.shape), str(value.dtype), _shares(value, owners), value=value)


def _shares(value: Any, arrays: list[Any]) -> bool:  # noqa: ANN401 - an array or a scalar
    owners = {id(_owner(array)) for array in arrays}
    return isinstance(value, np.ndarray) and id(_owner(value)) in owners


def _owner(array: Any) -> Any:  # noqa: ANN401 - an array, or the tensor that owns its memory
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array
