"""Confirms an explanation by letting a real library do it: on small tensors, or on torch's meta device.

The library is handed in, as a `Machine`: here nothing imports it. The user's text is not evaluated either; our own tree
is walked, and each of its operations is one call of the machine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from segcli.errors import SegcliError
from segcli.shapes.answering import ITEM_BYTES
from segcli.shapes.explanation import LIBRARIES, Told, tell
from segcli.shapes.machine import Machine, Walk
from segcli.shapes.result import Explanation, Failure, Member
from segcli.shapes.text.names import bind as bind_names
from segcli.shapes.text.nodes import Node
from segcli.shapes.text.parse import parse
from segcli.shapes.values import ELLIPSIS, Listed, Shape, Size, Symbol, Tensor, Value

# Up to here tensors are made whole: 16 million elements, 128 MB of int64.
MAX_ELEMENTS = 2**24
# What sizes that have no number are taken to be: different ones first, so that none passes for another.
_SIZES = (2, 3, 5, 7, 11, 13, 17, 19)
# What PyTorch says of a device that this machine, or this PyTorch, has not.
_NO_DEVICE = ("not compiled with CUDA", "no NVIDIA driver", "device when none is available", "invalid device ordinal")


@dataclass(frozen=True)
class Found:
    """What PyTorch did.

    Attributes:
        shape: The result's shape, None where it raised.
        dtype: The result's dtype.
        view: Whether the result shares a source's storage.
        members: The results, where there are several.
        error: The exception's type and the first line of its words, or None.
        bytes: How many bytes the result's elements take.
        type: What the result is, as in ``Answer``.
        value: What it holds, where it is no tensor.
    """

    shape: tuple[int, ...] | None
    dtype: str | None
    view: bool | None
    members: tuple[Member, ...] = ()
    error: tuple[str, str] | None = None
    bytes: int | None = None
    type: str = ""
    value: int | float | bool | str | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Confirmation:
    """Whether the installed PyTorch does what was explained.

    Attributes:
        agrees: Whether it does; None where it could not be asked.
        why: What differs, or why it could not be asked; empty where it agrees.
        version: PyTorch's version.
        device: ``cpu``, or ``meta`` where the tensors would be too large to make.
        assumed: The numbers that stood for sizes without one.
        found: What PyTorch did, None where it was not asked.
    """

    agrees: bool | None
    why: str
    version: str
    device: str
    assumed: dict[str, int]
    found: Found | None


def confirm(result: Explanation, machine: Machine) -> Confirmation:
    """Do what an explanation is about, and compare.

    Args:
        result: The explanation; PyTorch's answer in it is confirmed.
        machine: PyTorch.
    """
    node = parse(result.expr)
    bound = bind_names(result.expr, node, result.bind)
    bindings, assumed, told = _with_numbers(result.expr, node, bound)
    device = "cpu" if _elements(bindings, told) <= MAX_ELEMENTS else "meta"
    try:
        names = {name: _made(value, machine, device) for name, value in bindings.items()}
        names |= assumed
        sources = [names[name] for name, value in bindings.items() if isinstance(value, Tensor)]
        found = _run(node, names, sources, machine, device)
    except SegcliError as error:
        return Confirmation(None, error.message, machine.version, device, assumed, None)
    if found.error is not None and _is_absent(found.error[1]):
        return Confirmation(None, f"torch says: {found.error[1]}", machine.version, device, assumed, None)
    blind = device == "meta" and _is_blind(told, found)
    if blind:
        words = "the tensors are too large to make, and without values PyTorch cannot tell"
        return Confirmation(None, words, machine.version, device, assumed, None)
    if told.answer.error is not None and result.torch.error is None:
        words = "no sizes were found that fit what the expression needs"
        return Confirmation(None, words, machine.version, device, assumed, None)
    why = _difference(told, found)
    return Confirmation(not why, why, machine.version, device, assumed, found)


def document(result: Explanation, confirmation: Confirmation) -> dict[str, Any]:
    """Return an explanation with its confirmation under ``run``."""
    return {**asdict(result), "run": asdict(confirmation)}


def _with_numbers(
    expr: str, node: Node, bindings: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, int], Told]:
    """Put numbers in the place of sizes that have none; different ones, or else equal ones."""
    symbols = dict.fromkeys(size for tensor in _tensors(bindings) for size in tensor.shape if isinstance(size, str))
    named = tell(expr, node, bindings, LIBRARIES["torch"])
    tried = []
    for sizes in _choices(list(symbols), expr, named.state.needs):
        numbered = {name: _numbered(value, sizes) for name, value in bindings.items()}
        tried.append((numbered, sizes, tell(expr, node, numbered, LIBRARIES["torch"])))
        if tried[-1][2].answer.error is None:
            break
    numbered, sizes, told = tried[-1] if tried[-1][2].answer.error is None else tried[0]
    return numbered, {**sizes, **_counts(numbered, named)}, told


def _choices(symbols: Sequence[str], expr: str, needs: Sequence[str]) -> list[dict[str, int]]:
    """Return numbers for sizes: different ones first, then such as what is needed of them and the expression name."""
    if not symbols:
        return [{}]
    named = {int(number) for number in re.findall(r"\b[0-9]{1,5}\b", " ".join([expr, *needs]))} - {0}
    fitting = {found[1]: int(found[2]) for need in needs if (found := re.fullmatch(r"(\w+) (?:==|>=) ([0-9]+)", need))}
    rows = [_SIZES, [8 * size for size in _SIZES], [24 * (place + 1) for place in range(len(_SIZES))]]
    choices = [{symbol: row[place % len(row)] for place, symbol in enumerate(symbols)} for row in rows]
    choices += [{**choice, **{name: size for name, size in fitting.items() if name in choice}} for choice in choices]
    equal = [dict.fromkeys(symbols, size) for size in (4, 1, 48, *sorted(named))]
    return choices + equal


def _numbered(value: Value, sizes: Mapping[str, int]) -> Value:
    if isinstance(value, Symbol):
        return sizes[value.size]
    if not isinstance(value, Tensor):
        return value
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in value.shape)
    if value.dtype not in ("bool", "uint8") or value.values is not None or value.true_count is not None:
        return replace(value, shape=shape)
    # As many True as False, or one more.
    return replace(value, shape=shape, true_count=(prod(shape) + 1) // 2)


def _counts(numbered: Mapping[str, Value], told: Told) -> dict[str, int]:
    """Return how many True elements each mask was given, of those whose number the answer hangs on."""
    texts = [*map(str, told.answer.shape or ()), *told.state.needs]
    counts = {f"nonzero({tensor.text})": tensor.true_count for tensor in _tensors(numbered)}
    return {
        symbol: count for symbol, count in counts.items() if count is not None and any(symbol in text for text in texts)
    }


def _tensors(bindings: Mapping[str, Value]) -> list[Tensor]:
    return [value for value in bindings.values() if isinstance(value, Tensor)]


def _elements(bindings: Mapping[str, Value], told: Told) -> int:
    """Count the elements of the largest tensor on the way."""
    shapes = [tensor.shape for tensor in _tensors(bindings)]
    shapes += [stage.result.shape for stage in told.state.stages if isinstance(stage.result, Tensor)]
    return max((prod(size for size in shape if isinstance(size, int)) for shape in shapes), default=0)


def _made(value: Value, machine: Machine, device: str) -> Any:  # noqa: ANN401 - a tensor of the machine, or a literal
    if not isinstance(value, Tensor):
        return _python_value(value)
    shape = [int(size) for size in value.shape]
    count = value.true_count or 0
    if value.values is None and count == 0:
        return machine.make(shape, value.dtype, device=device)
    if value.values is None and prod(shape) > MAX_ELEMENTS:
        message = f"{value.text} is too large to make, and its True elements matter"
        raise SegcliError(message)
    return machine.make(shape, value.dtype, values=value.values, true_count=count)


def _python_value(value: Value) -> Any:  # noqa: ANN401 - whatever a literal is
    match value:
        case Listed(items, is_tuple):
            made = [_python_value(item.value) for item in items]
            return tuple(made) if is_tuple else made
        case _:
            return ... if value is ELLIPSIS else value


def _run(node: Node, names: Mapping[str, Any], sources: list[Any], machine: Machine, device: str) -> Found:
    try:
        result = Walk(names, machine, device).value(node)
    except SegcliError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the library raises is what was asked for
        return Found(None, None, None, (), (type(error).__name__, (str(error).splitlines() or [""])[0]))
    facts = machine.facts(result, sources)
    if not facts:
        value = tuple(result) if isinstance(result, tuple) else result
        return Found(None, None, None, type=_type(result), value=value)
    shape, dtype, view = facts[0]
    members: tuple[Member, ...] = ()
    if isinstance(result, tuple | list):
        named = type(result).__module__ == "torch.return_types"
        names_of = ("values", "indices") if named else [f"[{place}]" for place in range(len(facts))]
        members = tuple(Member(name, shape, dtype) for name, (shape, dtype, _) in zip(names_of, facts, strict=True))
    return Found(shape, dtype, view, members, None, prod(shape) * ITEM_BYTES[dtype], "Tensor")


def _type(result: object) -> str:
    return "torch.Size" if type(result).__name__ == "Size" else type(result).__name__


def _is_absent(words: str) -> bool:
    """Tell whether PyTorch lacks the device that a tensor is moved to."""
    return any(phrase in words for phrase in _NO_DEVICE)


def _is_blind(told: Told, found: Found) -> bool:
    """Tell whether the meta device could not see what the answer hangs on."""
    if found.error is not None:
        return found.error[0] == "NotImplementedError"
    return told.answer.error is not None


def _difference(told: Told, found: Found) -> str:
    """Say in what the rules and PyTorch differ; empty where they do not."""
    ours = told.answer
    if ours.error is not None or found.error is not None:
        return _different_errors(ours.error, found)
    for what, mine, real in _compared(told, found):
        if mine != real:
            return f"{what}: segcli says {mine}, PyTorch {real}"
    return ""


def _different_errors(ours: Failure | None, found: Found) -> str:
    mine = ours.type if ours else "no exception"
    real = found.error[0] if found.error else "no exception"
    return "" if mine == real else f"segcli says {mine}, PyTorch raises {real}"


def _compared(told: Told, found: Found) -> Iterator[tuple[str, object, object]]:
    ours = told.answer
    if found.shape is None or ours.shape is None:
        yield "type", ours.type, found.type
        yield "value", ours.value, ours.value if ours.value is None else found.value
        return
    members = _each(ours.members)
    yield "number of results", len(members), len(found.members)
    yield "shape", _fitted(ours.shape, found.shape), found.shape
    yield "dtype", ours.dtype, found.dtype
    yield "storage shared", ours.view, found.view
    for mine, real in zip(members, found.members, strict=True):
        yield f"shape of {mine.name}", _fitted(mine.shape, real.shape), real.shape
        yield f"dtype of {mine.name}", mine.dtype, real.dtype


def _each(members: Sequence[Member]) -> list[Member]:
    """Return every member by itself."""
    return [member for member in members for _ in range(int(member.count))]


def _fitted(mine: Shape, real: Shape) -> Shape:
    """Let a size that only the data can tell be what it was."""
    if len(mine) != len(real):
        return mine
    known: dict[str, Size] = {}
    return tuple(
        known.setdefault(size, found) if isinstance(size, str) else size for size, found in zip(mine, real, strict=True)
    )
