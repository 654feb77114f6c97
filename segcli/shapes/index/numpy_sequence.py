"""How NumPy reads lists in an index: as ``numpy.asarray`` does."""

from segcli.shapes.symbols import refuse_unequal
from segcli.shapes.values import (
    NUMPY_INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Symbol,
    Tensor,
    Value,
    format_sizes,
)

INVALID = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid "
    "indices"
)


def array_from_list(item: Item, value: Listed) -> Tensor:
    """Make the array that NumPy makes of a list; an empty one is taken for integers.

    Raises:
        RaisedError: As NumPy would raise.
    """
    shape, regular = _discover(value)
    if not regular:
        words = (
            "setting an array element with a sequence. The requested array has an inhomogeneous shape after "
            f"{len(shape)} dimensions. The detected shape was {format_sizes(shape)} + inhomogeneous part."
        )
        raise RaisedError(item.span, "ValueError", words)
    kinds = {_kind(leaf) for leaf in _leaves(value)}
    if "object" in kinds or ("other" in kinds and 0 not in shape):
        raise RaisedError(item.span, "IndexError", INVALID)
    if kinds == {"bool"} and 0 not in shape:
        return _array(item, value, shape, "bool")
    return _array(item, value, shape, "int64")


def _discover(value: Value) -> tuple[Shape, bool]:
    """Return the shape that all branches share, and whether that is the shape of every branch."""
    if isinstance(value, Tensor):
        return value.shape, True
    if not isinstance(value, Listed):
        return (), True
    inner = [_discover(item.value) for item in value.items]
    common: list[Size] = []
    for sizes in zip(*(shape for shape, _ in inner), strict=False):
        refuse_unequal(sizes, "a list")
        if len(set(sizes)) > 1:
            break
        common.append(sizes[0])
    regular = all(regular and len(shape) == len(common) for shape, regular in inner)
    return (len(value.items), *common), regular


def _leaves(value: Value) -> list[Value]:
    if isinstance(value, Listed):
        return [leaf for item in value.items for leaf in _leaves(item.value)]
    return [value]


def _kind(leaf: Value) -> str:
    match leaf:
        case bool():
            return "bool"
        case int() | Symbol():
            return "int"
        case float():
            return "other"
        case Tensor():
            return "bool" if leaf.dtype == "bool" else "int" if leaf.dtype in NUMPY_INTEGER else "other"
        case _:
            return "object"


def _array(item: Item, value: Listed, shape: Shape, dtype: str) -> Tensor:
    values: list[int | float | bool] = []
    for leaf in (leaf for leaf in _leaves(value) if isinstance(leaf, int | Tensor | Symbol)):
        if isinstance(leaf, int):
            values.append(bool(leaf) if dtype == "bool" else int(leaf))
        elif isinstance(leaf, Tensor) and leaf.values is not None:
            values.extend(leaf.values)
        else:
            return _unknown(item, value, shape, dtype)
    return Tensor(shape, dtype, item.text, values=tuple(values))


def _unknown(item: Item, value: Listed, shape: Shape, dtype: str) -> Tensor:
    counts = [leaf.nonzero if isinstance(leaf, Tensor) else int(bool(leaf)) for leaf in _leaves(value)]
    known = [count for count in counts if isinstance(count, int)]
    true_count = sum(known) if dtype == "bool" and len(known) == len(counts) else None
    return Tensor(shape, dtype, item.text, true_count=true_count)
