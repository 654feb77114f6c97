"""Makes the answer of a library out of what an expression gives: a tensor, several, or a plain value."""

from segcli.shapes.result import Answer, Failure, Member
from segcli.shapes.symbols import product, total
from segcli.shapes.values import DType, Listed, Pair, Parts, RaisedError, Size, Symbol, Tensor, Value, type_name

# How many bytes an element takes.
ITEM_BYTES = {
    **dict.fromkeys(("bool", "uint8", "int8"), 1),
    **dict.fromkeys(("int16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
}


def failure_of(error: RaisedError, expr: str) -> Failure:
    """Return what a library raises, with the token of the expression that is at fault."""
    start, end = error.span
    return Failure(error.kind, error.message, expr[start:end], start, end, error.axis)


def answer_with(result: Value, library: str, *, view: bool | None) -> Answer:
    """Return the answer that a result is.

    Args:
        result: What the expression gives.
        library: ``torch`` or ``numpy``.
        view: Whether it shares storage with a named tensor, None where that is not known.
    """
    match result:
        case Tensor():
            kind = "Tensor" if library == "torch" else "scalar" if result.scalar else "ndarray"
            return Answer(result.shape, result.dtype, view, (), None, result.labels or None, count_bytes(result), kind)
        case Pair():
            members = (
                Member("values", result.values.shape, result.values.dtype),
                Member("indices", result.indices.shape, result.indices.dtype),
            )
            first, kind = result.values, f"torch.return_types.{result.function}"
            return Answer(first.shape, first.dtype, view, members, None, first.labels or None, count_bytes(first), kind)
        case Parts():
            return _several(result, view=view)
        case _:
            return Answer(None, None, None, (), None, type=_plain_type(result), value=_plain(result))


def _several(parts: Parts, *, view: bool | None) -> Answer:
    members: list[Member] = []
    place: Size = 0
    for run in parts.runs:
        end = total([place, run.count])
        name = f"[{place}]" if run.count == 1 else f"[{place}:{end}]"
        members.append(Member(name, run.tensor.shape, run.tensor.dtype, run.count))
        place = end
    if not parts.runs:
        return Answer(None, None, None, (), None, type=type_name(parts), value=())
    first = parts.runs[0].tensor
    kind = type_name(parts)
    return Answer(first.shape, first.dtype, view, tuple(members), None, first.labels or None, count_bytes(first), kind)


def count_bytes(tensor: Tensor) -> Size | None:
    """Return how many bytes a tensor's elements take; None for NumPy's texts and objects.

    Examples:
        >>> count_bytes(Tensor((8, 16, 3), "float32", "x")), count_bytes(Tensor(("N", 3), "int64", "x"))
        (1536, '24*N')
    """
    item = ITEM_BYTES.get(tensor.dtype)
    return None if item is None else product([*tensor.shape, item])


def _plain_type(value: Value) -> str:
    if isinstance(value, Listed) and value.is_size:
        return "torch.Size"
    return type_name(value)


def _plain(value: Value) -> int | float | bool | str | tuple[Size, ...] | None:
    match value:
        case Symbol(size):
            return size
        case DType(name):
            return name
        case Listed(items):
            return tuple(_size(item.value) for item in items)
        case bool() | int() | float() | str():
            return value
        case _:
            return None


def _size(value: Value) -> Size:
    plain = _plain(value)
    return plain if isinstance(plain, int | str) else str(plain)
