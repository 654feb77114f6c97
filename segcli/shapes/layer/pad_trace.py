"""Explains ``F.pad``: a step an axis, and the formula."""

from segcli.shapes.calls import Call
from segcli.shapes.computed import Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import kept_step
from segcli.shapes.layer.pad_checks import Padding
from segcli.shapes.values import FLOATING, INTEGER, Listed, Shape, Size


def pad_steps(call: Call, padding: Padding, shape: Shape) -> tuple[Step, ...]:
    """Return the trace: an axis a step, with its pair of numbers."""
    first = len(shape) - len(padding.walked)
    steps = list(kept_step(call, "not padded", range(first), "kept"))
    for axis in reversed(padding.walked):
        token, span = _token(padding, axis)
        before, behind = padding.pair(axis)
        effect = f"{padding.x.shape[axis]}{_signed(before)}{_signed(behind)} = {shape[axis]}"
        if axis == len(shape) - 1:
            effect += ": (before, behind) pairs count from the last axis"
        steps.append(Step(call.stage, token, span, padding.mode, (axis,), (axis,), effect))
    return tuple(steps)


def _signed(amount: Size) -> str:
    if isinstance(amount, int) and amount < 0:
        return f" - {-amount}"
    return f" + {amount}"


def _token(padding: Padding, axis: int) -> tuple[str, tuple[int, int]]:
    """Return the pair of an axis as it is written, or the whole argument where it does not stand there."""
    value = padding.item.value
    items = value.items if isinstance(value, Listed) else ()
    place = 2 * (len(padding.x.shape) - 1 - axis)
    before, behind = items[place], items[place + 1]
    start, end = padding.item.span
    if start < before.span[0] < behind.span[0] < end:
        offset = padding.item.span[0]
        return padding.item.text[before.span[0] - offset : behind.span[1] - offset], (before.span[0], behind.span[1])
    return padding.item.text, padding.item.span


def pad_formula(padding: Padding, shape: Shape) -> Formula | None:
    """Return how an element is written; None where it hangs on what is not known."""
    at = [f"{{i{axis}}}" for axis in range(len(shape))]
    conditions = []
    if 0 in shape or not all(isinstance(amount, int) for amount in padding.amounts):
        return None
    for axis in padding.walked:
        before, behind = (int(amount) for amount in padding.pair(axis))
        size, letter = padding.x.shape[axis], f"{{i{axis}}}"
        shifted = f"{letter} - {before}" if before > 0 else f"{letter} + {-before}" if before else letter
        if padding.mode == "constant":
            at[axis] = shifted
            conditions += _condition(letter, before, behind, shape[axis])
            continue
        written = _walk(padding.mode, shifted, before, behind, size)
        if written is None:
            return None
        at[axis] = written
    read = Read(0, tuple(at))
    if not conditions:
        return Formula("{0}", (read,))
    value = _value(padding)
    return None if value is None else Formula(f"{{0}} if {' and '.join(conditions)} else {value}", (read,))


def _condition(letter: str, before: int, behind: int, made: Size) -> list[str]:
    end = f"{letter} < {made - behind}" if isinstance(made, int) else f"{letter} < {made} - {behind}"
    if before > 0 and behind > 0:
        return [f"{before} <= {end}"]
    if before > 0:
        return [f"{before} <= {letter}"]
    return [end] if behind > 0 else []


def _walk(mode: str, shifted: str, before: int, behind: int, size: Size) -> str | None:
    """Write which position of an axis is read."""
    if mode == "circular":
        if before < 0 or behind < 0:
            # What is cut away is read again, or left as it was found.
            return shifted if before <= 0 and behind <= 0 else None
        return f"({shifted}) % {size}" if before or behind else shifted
    last = size - 1 if isinstance(size, int) else f"({size} - 1)"
    if mode == "replicate":
        lower = f"max({shifted}, 0)" if before > 0 else shifted
        return f"min({lower}, {last})" if behind > 0 else lower
    if behind <= 0:
        return f"abs({shifted})" if before > 0 else shifted
    lower = f"abs({shifted})" if before > 0 else f"({shifted})" if before else shifted
    return f"{last} - abs({last} - {lower})"


def _value(padding: Padding) -> str | None:
    """Write what is put there, as an element of the dtype."""
    value, dtype = padding.value.value, padding.x.dtype
    if value is None:
        return "False" if dtype == "bool" else "0"
    if not isinstance(value, int | float):
        return padding.value.text if dtype in FLOATING else None
    if dtype == "bool":
        return str(bool(value))
    if dtype in INTEGER:
        return str(int(value)) if abs(value) < float("inf") else None
    return padding.value.text
