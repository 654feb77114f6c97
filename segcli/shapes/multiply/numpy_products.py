"""NumPy's products of matrices and vectors (NumPy 2.4), read from the calls that PyTorch's names make."""

from typing import TYPE_CHECKING

from segcli.shapes.calls import Call
from segcli.shapes.compute.numpy_arithmetic import NO_LOOP, no_operand
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.multiply.contraction import Contraction, contract
from segcli.shapes.operands import as_array, promote
from segcli.shapes.symbols import equal
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Size, Symbol, Tensor, format_sizes, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_CORE = "with gufunc signature (n?,k),(k,m?)->(n?,m?)"
_MATRIX = 2


def _operands(call: Call) -> tuple[tuple[Item, Item], tuple[Tensor, Tensor]]:
    items = [item for _, item in call.arguments]
    if len(items) != 2:  # noqa: PLR2004 - a product has two
        words = f"{call.name}() takes from 2 to 3 positional arguments but {len(items)} were given"
        raise RaisedError(call.span, "TypeError", words)
    return (items[0], items[1]), (as_array(items[0]), as_array(items[1]))


def _held(items: tuple[Item, Item], arrays: tuple[Tensor, Tensor]) -> tuple[Item, Item]:
    """Let literals be the arrays that NumPy makes of them."""
    first, second = (Item(array, item.text, item.span) for item, array in zip(items, arrays, strict=True))
    return first, second


def _dtype_name(item: Item, array: Tensor) -> str:
    return f"<U{max(len(item.value), 1)}" if isinstance(item.value, str) else array.dtype


def matmul_numpy(call: Call) -> Computed:
    """Multiply as ``np.matmul`` and ``@`` do.

    Raises:
        RaisedError: As NumPy would raise.
    """
    from segcli.shapes.multiply.products import multiply

    items, arrays = _operands(call)
    one, other = arrays
    if call.name == "@" and not any(isinstance(item.value, Tensor) and not item.value.scalar for item in items):
        # Neither numbers nor lists have matrices: of two that are no arrays, Python itself speaks.
        raise no_operand(call, items)
    text = next((item for item in items if isinstance(item.value, str)), None)
    if text is not None:
        types = ", ".join(f"dtype('{_dtype_name(item, array)}')" for item, array in zip(items, arrays, strict=True))
        raise RaisedError(text.span, "UFuncTypeError", NO_LOOP.format(ufunc="matmul", types=types))
    for place, array in enumerate(arrays):
        if not array.shape:
            words = (
                f"matmul: Input operand {place} does not have enough dimensions (has 0, gufunc core with signature "
                "(n?,k),(k,m?)->(n?,m?) requires 1)"
            )
            raise RaisedError(items[place].span, "ValueError", words)
    left, right = one.shape, other.shape
    inner = right[-2] if len(right) > 1 else right[0]
    if isinstance(inner, int) and isinstance(left[-1], int) and inner != left[-1]:
        words = (
            f"matmul: Input operand 1 has a mismatch in its core dimension 0, {_CORE} "
            f"(size {inner} is different from {left[-1]})"
        )
        raise RaisedError(items[1].span, "ValueError", words, max(len(right) - 2, 0))
    if broadcast_sizes([left[:-2], right[:-2]], []) is None:
        cores = ((*left[-2:-1],), (*right[len(right) - 1 :],) if len(right) > 1 else ())
        raise RaisedError(items[1].span, "ValueError", _remapped(left, right, (*cores[0], *cores[1])))
    dtype = promote(one.dtype, other.dtype, "numpy")
    return multiply(call, _held(items, arrays), (left, right), dtype, scalar=True)


def _remapped(left: Shape, right: Shape, wanted: Shape) -> str:
    shown = []
    for shape in (left, right):
        batch = shape[:-2]
        mapped = [*map(str, batch), *["newaxis"] * len(wanted)]
        shown.append(f"{_tight(shape)}->({','.join(mapped)})")
    return (
        f"operands could not be broadcast together with remapped shapes [original->remapped]: {' '.join(shown)}  and "
        f"requested shape {_tight(wanted)}"
    )


def _tight(shape: Shape) -> str:
    return format_sizes(shape).replace(" ", "")


def dot_numpy(call: Call) -> Computed:
    """Multiply as ``np.dot`` does: every row of one with every column of the other, batches not paired.

    Raises:
        RaisedError: As NumPy would raise.
    """
    items, arrays = _operands(call)
    one, other = arrays
    first = items[0].value
    if call.space == "method" and isinstance(first, Tensor) and first.scalar:
        words = f"'numpy.{first.dtype}' object has no attribute 'dot'"
        raise RaisedError(items[0].span, "AttributeError", words)
    if not isinstance(items[1].value, Tensor | Listed | Symbol | int | float):
        words = f"unsupported operand type(s) for *: 'float' and '{type_name(items[1].value)}'"
        raise RaisedError(items[1].span, "TypeError", words)
    dtype = promote(one.dtype, other.dtype, "numpy")
    left, right = one.shape, other.shape
    names = [f"a{axis}" for axis in range(len(left))], [f"b{axis}" for axis in range(len(right))]
    needs: Sequence[str] = ()
    sizes: dict[str, Size] = {
        **dict(zip(names[0], left, strict=True)),
        **dict(zip(names[1], right, strict=True)),
    }
    if left and right:
        axis = max(len(right) - _MATRIX, 0)
        if left[-1] != right[axis]:
            if isinstance(left[-1], int) and isinstance(right[axis], int):
                words = (
                    f"shapes {_tight(left)} and {_tight(right)} not aligned: {left[-1]} (dim {len(left) - 1}) != "
                    f"{right[axis]} (dim {axis})"
                )
                raise RaisedError(items[1].span, "ValueError", words, axis)
            needs = (equal(left[-1], right[axis]),)
        names[0][-1] = names[1][axis] = "inner"
        sizes["inner"] = left[-1] if isinstance(left[-1], int) else right[axis]
    output = tuple(name for each in names for name in each if name != "inner")
    made = Contraction(_held(items, arrays), (tuple(names[0]), tuple(names[1])), output, sizes)
    return contract(call, made, dtype, needs=needs, scalar=not output)
