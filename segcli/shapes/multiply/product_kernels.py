"""What PyTorch's kernels of matrix products ask of shapes and dtypes (PyTorch 2.13), errors included."""

from segcli.shapes.kinds import C_NAMES, SCALARS
from segcli.shapes.records import record
from segcli.shapes.symbols import product
from segcli.shapes.values import RaisedError, Shape, Size, Span


@record(frozen=True, slots=True)
class Place:
    """Where a product stands, and its second tensor, whose axis is at fault where there is one."""

    span: Span
    second: Span


# Larger products of batches are made a matrix at a time (ATen/native/LinearAlgebra.cpp).
_SMALL_PRODUCT = 400


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


def check_bmm(place: Place, left: Shape, right: Shape, one: str, other: str) -> str:
    """Return the dtype of a product of batches of matrices; see ``check_mm``.

    Without elements nothing is computed, and nobody asks whether the dtypes fit.

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
    if one == "bool":
        raise not_implemented(place, "bmm" if small else "addmm_impl_cpu_", one)
    if one != other:
        words = f"expected scalar type {SCALARS[one]} but found {SCALARS[other]}"
        raise fault(place, words if small else _unequal_types(one, other))
    return one
