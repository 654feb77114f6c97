"""``gather``: every element of the result is looked up along one axis, by the element of an index in the same place.

The rules are those of ``aten/src/ATen/native/ScatterGatherChecks.h`` of PyTorch 2.13. NumPy's nearest relative is
``np.take_along_axis``, which stretches the index where ``gather`` takes the first positions only.
"""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, both, tensor_in, wrap
from segcli.shapes.integers import read_int
from segcli.shapes.select.looking import (
    POSITIONS,
    as_vector,
    brackets,
    check_positions,
    label_like,
    letters,
    relabelled,
    steps_along,
    written,
)
from segcli.shapes.symbols import at_least
from segcli.shapes.values import Item, RaisedError, Size, Tensor

_GATHER = both("int dim, Tensor index, *, bool sparse_grad=")


def gather_torch(call: Call) -> Computed:
    """Look up positions along one axis.

    Args:
        call: ``x.gather(dim, index)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _GATHER)
    index, given = bound["index"].item, bound["dim"].item
    positions = tensor_in(index)
    dim = wrap(read_int(given), len(source.shape), given.span)
    needs: list[str] = []
    # An index without elements may have any dtype, and any shape.
    if 0 not in positions.shape:
        if positions.dtype not in POSITIONS:
            raise RaisedError(index.span, "RuntimeError", "gather(): Expected dtype int32/int64 for index")
        needs = _check_shape(source, index, dim) + check_positions(index, as_vector(source.shape)[dim], dim)
    result = relabelled(call.make(positions.shape, source.dtype), label_like(source, positions, dim))
    return Computed(
        result,
        (written(item), written(index)),
        steps_along(call, item, index, dim, positions.shape),
        formula=_formula(source, positions, dim),
        needs=tuple(needs),
        rules=frozenset({"gather-crops"}),
    )


def _formula(source: Tensor, positions: Tensor, dim: int) -> Formula | None:
    if not source.shape:
        return Formula("{0}", (Read(0, ()),))
    looked = Read(1, letters(positions.shape))
    if not positions.shape:
        return Formula("{1}", (looked, Read(0, ("{0}",))))
    if len(source.shape) != len(positions.shape):
        return None
    at = letters(source.shape)
    return Formula("{1}", (looked, Read(0, (*at[:dim], "{0}", *at[dim + 1 :]))))


def _check_shape(source: Tensor, index: Item, dim: int) -> list[str]:
    positions = tensor_in(index)
    own, shape = as_vector(source.shape), as_vector(positions.shape)
    if len(own) != len(shape):
        words = "Index tensor must have the same number of dimensions as input tensor"
        raise RaisedError(index.span, "RuntimeError", words)
    needs: list[str] = []
    for axis, (size, most) in enumerate(zip(shape, own, strict=True)):
        if axis != dim and is_larger(size, most):
            words = (
                f"Size does not match at dimension {axis} expected index {brackets(positions.shape)} to be no larger "
                f"than self {brackets(source.shape)} apart from dimension {dim}"
            )
            raise RaisedError(index.span, "RuntimeError", words, axis)
        needs += no_larger(size, most) if axis != dim else []
    return needs


def is_larger(size: Size, most: Size) -> bool:
    """Tell whether a size is known to be larger than another."""
    return isinstance(size, int) and isinstance(most, int) and size > most


def no_larger(size: Size, most: Size) -> list[str]:
    """Say that a size may not be larger than another, where one of them is not known.

    Examples:
        >>> no_larger(3, "N"), no_larger("M", "N"), no_larger("N", "N"), no_larger(2, 3), no_larger(0, "N")
        (['N >= 3'], ['M <= N'], [], [], [])
    """
    if isinstance(size, int):
        return [at_least(most, size)] if isinstance(most, str) and size else []
    return [] if size == most else [f"{size} <= {most}"]


def swapped(call: Call) -> Call:
    """Put the positions before the axis, as NumPy has them."""
    plain = [argument for argument in call.arguments if not argument[0]]
    named = [argument for argument in call.arguments if argument[0] not in ("", "sparse_grad")]
    if len(plain) > 2:  # noqa: PLR2004 - the tensor, the dim and the index
        plain[1], plain[2] = plain[2], plain[1]
    elif len(plain) > 1:
        # The index has a keyword.
        plain[1] = ("axis", plain[1][1])
    return replace(call, arguments=(*plain, *named))
