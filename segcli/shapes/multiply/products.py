"""Products of matrices and vectors: PyTorch 2.13's and NumPy 2.4's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.computed import Computed
from segcli.shapes.fitting import fit
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.multiply.contraction import Contraction, contract
from segcli.shapes.multiply.einsum import einsum_torch
from segcli.shapes.multiply.numpy_einsum import einsum_numpy
from segcli.shapes.multiply.numpy_products import dot_numpy, matmul_numpy
from segcli.shapes.multiply.outer import crossed, outer_numpy
from segcli.shapes.multiply.product_kernels import Place, check_bmm, check_dot, check_mm, check_mv, fault, is_plain
from segcli.shapes.records import record
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import stretched, strides_of
from segcli.shapes.symbols import equal, product
from segcli.shapes.values import Item, RaisedError, Shape, Size, Tensor, type_name

_SECOND = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "tensor"}
_MATRIX, _BATCHED = 2, 3


@record(frozen=True, slots=True)
class _Factors:
    """The two tensors of a product, and where an error about them points."""

    items: tuple[Item, Item]
    left: Tensor
    right: Tensor
    place: Place


def _bound(call: Call) -> _Factors:
    name = _SECOND[call.name]
    known = Signatures((f"Tensor {name}",), (f"Tensor input, Tensor {name}, *, Tensor? out=",))
    bound = bind_call(call, known)
    if "out" in bound and bound["out"].value is not None:
        message = "out= is not supported"
        raise SegcliError(message, hint="leave it out: the shape of the result is the same")
    first, second = bound["input"].item if "input" in bound else call.first, bound[name].item
    # The parser let tensors pass alone.
    left, right = cast("Tensor", first.value), cast("Tensor", second.value)
    return _Factors((first, second), left, right, Place(call.span, second.span))


def _at(call: Call) -> Computed:
    (_, first), (_, second) = call.arguments
    if not isinstance(first.value, Tensor) or not isinstance(second.value, Tensor):
        words = f"unsupported operand type(s) for @: '{type_name(first.value)}' and '{type_name(second.value)}'"
        raise RaisedError(call.span, "TypeError", words)
    return _matmul(call, _Factors((first, second), first.value, second.value, Place(call.span, second.span)))


def _matmul(call: Call, factors: _Factors | None = None) -> Computed:
    factors = factors or _bound(call)
    ndims = len(factors.left.shape), len(factors.right.shape)
    if 0 in ndims:
        words = f"both arguments to matmul need to be at least 1D, but they are {ndims[0]}D and {ndims[1]}D"
        raise fault(factors.place, words)
    match ndims:
        case (1, 1):
            return _dot(call, factors)
        case (2, 1):
            return _mv(call, factors)
        case (1 | 2, 2):
            return _mm(call, factors)
        case _ if folds(factors.left, factors.right):
            return _folded(call, factors)
        case _:
            return _batched(call, factors)


def _mm(call: Call, factors: _Factors | None = None) -> Computed:
    """Multiply matrices; ``matmul`` takes a vector on the left for one row."""
    own = factors is None
    factors = factors or _bound(call)
    left, right = factors.left, factors.right
    for name, tensor in (("self", left), ("mat2", right)):
        if own and len(tensor.shape) != _MATRIX:
            raise fault(factors.place, f"{name} must be a matrix")
    rows = (1, *left.shape)[-2:]
    return _written(call, factors, check_mm(factors.place, rows, right.shape, left.dtype, right.dtype))


def _mv(call: Call, factors: _Factors | None = None) -> Computed:
    factors = factors or _bound(call)
    left, right = factors.left, factors.right
    if not left.shape:
        # The result is made first, with as many elements as there are rows.
        words = "Dimension specified as 0 but tensor has no dimensions"
        raise RaisedError(factors.items[0].span, "IndexError", words)
    if (len(left.shape), len(right.shape)) != (_MATRIX, 1):
        words = f"vector + matrix @ vector expected, got 1, {len(left.shape)}, {len(right.shape)}"
        raise fault(factors.place, words)
    return _written(call, factors, check_mv(factors.place, left.shape, right.shape, left.dtype, right.dtype))


def _dot(call: Call, factors: _Factors | None = None) -> Computed:
    factors = factors or _bound(call)
    left, right = factors.left, factors.right
    if (len(left.shape), len(right.shape)) != (1, 1):
        raise fault(factors.place, f"1D tensors expected, but got {len(left.shape)}D and {len(right.shape)}D tensors")
    return _written(call, factors, check_dot(factors.place, left.shape, right.shape, left.dtype, right.dtype))


def _bmm(call: Call) -> Computed:
    factors = _bound(call)
    for name, tensor in (("batch1", factors.left), ("batch2", factors.right)):
        if len(tensor.shape) != _BATCHED:
            raise fault(factors.place, f"{name} must be a 3D tensor")
    left, right = factors.left, factors.right
    needs: list[str] = []
    if isinstance(left.shape[0], str) or isinstance(right.shape[0], str):
        needs += [equal(left.shape[0], right.shape[0])] if left.shape[0] != right.shape[0] else []
    elif left.shape[0] != right.shape[0]:
        raise fault(factors.place, _batch_words(left.shape, right.shape), 0)
    plain = is_plain(left) and is_plain(right)
    dtype = check_bmm(factors.place, left.shape, right.shape, left.dtype, right.dtype, plain=plain)
    # Of a batch, both have as many; a size of 1 is not stretched.
    batch = left.shape[0] if isinstance(left.shape[0], int) else right.shape[0]
    return multiply(call, factors.items, ((batch, *left.shape[1:]), (batch, *right.shape[1:])), dtype, needs=needs)


def _batch_words(left: Shape, right: Shape) -> str:
    wanted = f"[{left[0]}, {left[2]}]"
    return f"Expected size for first two dimensions of batch2 tensor to be: {wanted} but got: [{right[0]}, {right[1]}]."


def folds(left: Tensor, right: Tensor) -> bool:
    """Tell whether matmul looks at the larger tensor as one tall matrix (``should_fold`` of ATen).

    Args:
        left: The first tensor.
        right: The second.
    """
    turned = len(left.shape) < len(right.shape)
    large, small = (right, left) if turned else (left, right)
    if len(large.shape) < _BATCHED or len(small.shape) > _MATRIX or len(left.shape) == _MATRIX:
        return False
    if 0 in large.shape:
        return True
    shape, strides = list(large.shape), list(strides_of(large))
    if turned:
        shape[-2:], strides[-2:] = shape[:-3:-1], strides[:-3:-1]
    follows = zip(strides[:-2], strides[1:-1], shape[1:-1], strict=True)
    return all(stride == (None if after is None else product([after, size])) for stride, after, size in follows)


def _folded(call: Call, factors: _Factors) -> Computed:
    left, right = factors.left, factors.right
    turned = len(left.shape) < len(right.shape)
    large, small = (right.shape, left.shape) if turned else (left.shape, right.shape)
    if turned:
        large = (*large[:-2], large[-1], large[-2])
    tall = (product(list(large[:-1])), large[-1])
    dtypes = (right.dtype, left.dtype) if turned else (left.dtype, right.dtype)
    check = check_mv if len(small) == 1 else check_mm
    return _written(call, factors, check(factors.place, tall, small, *dtypes))


def _batched(call: Call, factors: _Factors) -> Computed:
    left, right = factors.left.shape, factors.right.shape
    one, other = (1, *left)[-2:], (*right, 1)[:2] if len(right) == 1 else right[-2:]
    _broadcast(factors, left[:-2], right[:-2])
    batch = broadcast_sizes([left[:-2], right[:-2]], []) or ()
    size: Size = product(list(batch))
    dtypes = factors.left.dtype, factors.right.dtype
    plain = _is_plain(factors.left, batch) and _is_plain(factors.right, batch)
    return _written(call, factors, check_bmm(factors.place, (size, *one), (size, *other), *dtypes, plain=plain))


def _is_plain(tensor: Tensor, batch: Shape) -> bool:
    """Tell whether matrices lie row after row, or column after column, when all batches are made one."""
    if len(tensor.shape) < _MATRIX:
        return True
    shape = (*batch, *tensor.shape[-2:])
    spread = replace(tensor, shape=shape, strides=stretched(tensor.shape, strides_of(tensor), shape))
    one = (product(list(batch)), *shape[-2:])
    # What cannot be looked at as one batch is copied, row after row.
    return is_plain(replace(spread, shape=one, strides=fit(spread, one).strides))


def _broadcast(factors: _Factors, one: Shape, other: Shape) -> None:
    """Refuse batches that do not broadcast, naming the first axis from the right where they do not."""
    width = max(len(one), len(other))
    for back in range(1, min(len(one), len(other)) + 1):
        if broadcast_sizes([one[-back:][:1], other[-back:][:1]], []) is None:
            words = (
                f"The size of tensor a ({one[-back]}) must match the size of tensor b ({other[-back]}) at "
                f"non-singleton dimension {width - back}"
            )
            raise fault(factors.place, words, len(other) - back)


def _written(call: Call, factors: _Factors, dtype: str) -> Computed:
    """Return a product whose shapes fit."""
    return multiply(call, factors.items, (factors.left.shape, factors.right.shape), dtype)


def multiply(
    call: Call,
    items: tuple[Item, Item],
    shapes: tuple[Shape, Shape],
    dtype: str,
    *,
    needs: Sequence[str] = (),
    scalar: bool = False,
) -> Computed:
    """Return the product of two tensors as ``matmul`` means it, of shapes that fit.

    Args:
        call: The operation.
        items: The tensors.
        shapes: Their shapes.
        dtype: The result's dtype.
        needs: What else must hold of sizes that are not known.
        scalar: Whether NumPy returns a result without axes as a scalar.
    """
    left, right = shapes
    batches = left[:-2], right[:-2]
    every = list(needs)
    batch = broadcast_sizes(batches, every) or ()
    names = [f"b{len(batch) - place}" for place in range(len(batch))]
    rows = ("row",) if len(left) > 1 else ()
    columns = ("column",) if len(right) > 1 else ()
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner and (isinstance(left[-1], str) or isinstance(inner, str)):
        every.append(equal(left[-1], inner))
    shared = left[-1] if isinstance(left[-1], int) else inner
    sizes: dict[str, Size] = {**dict(zip(names, batch, strict=True)), "inner": shared}
    sizes |= {"row": left[-2]} if rows else {}
    sizes |= {"column": right[-1]} if columns else {}
    labels = (
        (*names[len(names) - len(batches[0]) :], *rows, "inner"),
        (*names[len(names) - len(batches[1]) :], "inner", *columns),
    )
    made = Contraction(items, labels, (*names, *rows, *columns), sizes)
    shown = tuple((item.text, each) for item, each in zip(items, batches, strict=True)) if all(batches) else ()
    return contract(
        call, made, dtype, needs=every, rows=shown, broadcast=batch if shown else (), scalar=scalar and not made.output
    )


def _outer(call: Call) -> Computed:
    """Multiply each element of a vector with each of another."""
    known = Signatures(("Tensor vec2",), ("Tensor input, Tensor vec2, *, Tensor? out=",))
    bound = bind_call(call, known)
    if "out" in bound and bound["out"].value is not None:
        message = "out= is not supported"
        raise SegcliError(message, hint="leave it out: the shape of the result is the same")
    items = bound["input"].item if "input" in bound else call.first, bound["vec2"].item
    for name, item in zip(("self", "vec2"), items, strict=True):
        ndim = len(cast("Tensor", item.value).shape)
        if ndim != 1:
            words = f"outer: Expected 1-D argument {name}, but got {ndim}-D"
            raise RaisedError(item.span, "RuntimeError", words)
    return crossed(call, items, torch_dtype([item.value for item in items]))


_AS_MATMUL = "np.matmul"

OPERATIONS = {
    "@": Operation(_at, matmul_numpy),
    "matmul": Operation(_matmul, matmul_numpy),
    "mm": Operation(_mm, matmul_numpy, read_as=_AS_MATMUL),
    "bmm": Operation(_bmm, matmul_numpy, read_as=_AS_MATMUL),
    "mv": Operation(_mv, matmul_numpy, read_as=_AS_MATMUL),
    "dot": Operation(_dot, dot_numpy),
    "outer": Operation(_outer, outer_numpy, read_as="np.outer"),
    "einsum": Operation(einsum_torch, einsum_numpy),
}
