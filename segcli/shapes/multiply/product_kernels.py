"""What PyTorch's kernels of matrix products ask of shapes and dtypes (PyTorch 2.13), errors included."""

from segcli.shapes.kinds import C_NAMES, SCALARS
from segcli.shapes.records import record
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import COMPLEX, RaisedError, Shape, Size, Span, Tensor


@record(frozen=True, slots=True)
class Place:
    """Where a product stands, and its second tensor, whose axis is at fault where there is one."""

    span: Span
    second: Span


# Larger products of batches are left to MKL, or made a matrix at a time (ATen/native/LinearAlgebra.cpp).
_SMALL_PRODUCT = 400
_MKL = ("float32", "float64", *COMPLEX)


def _differ(one: Size, other: Size) -> bool:
    return one != other and isinstance(one, int) and isinstance(other, int)


def fault(place: Place, words: str, axis: int | None = None) -> RaisedError:
    """Return an error about a product, or about an axis of its second tensor."""
    return RaisedError(place.span if axis is None else place.second, "RuntimeError", words, axis)


def not_implemented(place: Place, kernel: str, dtype: str) -> RaisedError:
    """Return the error of a kernel that a dtype has none of."""
    words = f"\"{kernel}\" not implemented for '{SCALARS[dtype]}'"
    return RaisedError(place.span, "NotImplementedError", words)


def _unequal_types(one: str, other: str) -> str:
    return f"expected m1 and m2 to have the same dtype, but got: {C_NAMES[one]} != {C_NAMES[other]}"


def check_mm(place: Place, left: Shape, right: Shape, one: str, other: str) -> str:
    """Return the dtype of a product of matrices.

    Args:
        place: Where it stands.
        left: The shape of the first matrix.
        right: The second's.
        one: The dtype of the first.
        other: The second's.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    if _differ(left[1], right[0]):
        words = f"mat1 and mat2 shapes cannot be multiplied ({left[0]}x{left[1]} and {right[0]}x{right[1]})"
        raise fault(place, words, 0)
    if one != other:
        raise fault(place, _unequal_types(one, other))
    if one == "bool" and 0 not in (*left, *right):
        raise not_implemented(place, "addmm_impl_cpu_", one)
    return one


def check_mv(place: Place, left: Shape, right: Shape, one: str, other: str) -> str:
    """Return the dtype of a product of a matrix and a vector; see ``check_mm``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    if _differ(left[1], right[0]):
        words = f"size mismatch, got input ({left[0]}), mat ({left[0]}x{left[1]}), vec ({right[0]})"
        raise fault(place, words, 0)
    if one != other:
        names = f"{SCALARS[other]}, {SCALARS[one]}, and {SCALARS[other]}"
        raise fault(place, f"addmv input tensors must have the same dtype, but got {names}")
    if one == "bool" and 0 not in left:
        raise not_implemented(place, "addmv_impl_cpu", one)
    return one


def check_dot(place: Place, left: Shape, right: Shape, one: str, other: str) -> str:
    """Return the dtype of a product of vectors; see ``check_mm``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    if one != other:
        names = f"{SCALARS[one]} and {SCALARS[other]}"
        raise fault(place, f"dot : expected both vectors to have same dtype, but found {names}")
    if _differ(left[0], right[0]):
        words = (
            f"inconsistent tensor size, expected tensor [{left[0]}] and src [{right[0]}] to have the same number of "
            f"elements, but got {left[0]} and {right[0]} elements respectively"
        )
        raise fault(place, words, 0)
    if one == "bool":
        raise not_implemented(place, "dot", one)
    return one


def check_bmm(place: Place, left: Shape, right: Shape, one: str, other: str, *, plain: bool = True) -> str:
    """Return the dtype of a product of batches of matrices; see ``check_mm``.

    Without elements nothing is computed, and nobody asks whether the dtypes fit.

    Args:
        place: Where it stands.
        left: The shape of the first batch.
        right: The second's.
        one: The dtype of the first.
        other: The second's.
        plain: Whether the matrices of both lie row after row, or column after column, which MKL wants.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    if _differ(left[2], right[1]):
        words = (
            f"Expected size for first two dimensions of batch2 tensor to be: [{left[0]}, {left[2]}] but got: "
            f"[{right[0]}, {right[1]}]."
        )
        raise fault(place, words, 1)
    if 0 in (*left, *right):
        return other
    work = product([left[2], left[1], right[2]])
    small = isinstance(work, int) and work < _SMALL_PRODUCT
    if one == "bool" and (small or other == "bool"):
        raise not_implemented(place, "bmm" if small else "addmm_impl_cpu_", one)
    if one != other:
        # The result's dtype is the second's, by which one of the three is chosen.
        by_mkl = f"expected scalar type {SCALARS[other]} but found {SCALARS[one]}"
        by_matrix = by_mkl if plain and other in _MKL else _unequal_types(one, other)
        raise fault(place, f"expected scalar type {SCALARS[one]} but found {SCALARS[other]}" if small else by_matrix)
    return one


def is_plain(tensor: Tensor) -> bool:
    """Tell whether the matrices of a batch lie row after row, or column after column, gaps between them or not.

    Examples:
        >>> is_plain(Tensor((2, 3, 4), "float32", "x.mT", strides=(12, 1, 3)))
        True
        >>> is_plain(Tensor((2, 3, 4), "float32", "x[..., ::2]", strides=(24, 8, 2)))
        False
    """
    (rows, columns), (down, along) = tensor.shape[-2:], strides_of(tensor)[-2:]
    return _follows(columns, along, rows, down) or _follows(rows, down, columns, along)


def _follows(inner: Size, step: Size | None, outer: Size, stride: Size | None) -> bool:
    known = isinstance(inner, int) and isinstance(stride, int)
    return step == 1 and (outer == 1 or not known or int(stride or 0) >= int(inner))
