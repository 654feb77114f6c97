"""``x.view(dtype)``: the same bytes as elements of another dtype, in both libraries."""

from segcli.shapes.answering import ITEM_BYTES
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
from segcli.shapes.request import Given
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import indivisible, product, quotient
from segcli.shapes.values import DType, Item, RaisedError, Size, Tensor


def recast(call: Call, item: Item, source: Tensor, given: Given) -> Computed:
    """Look at a tensor's bytes as another dtype, as ``x.view(dtype)`` of PyTorch does.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    dtype = given.value.name if isinstance(given.value, DType) else ""
    before, after = ITEM_BYTES[source.dtype], ITEM_BYTES[dtype]
    if before == after:
        return recasted(call, item, source, dtype, ())
    tail = f"to view {SCALARS[source.dtype]} as {SCALARS[dtype]} (different element sizes)"
    if not source.shape:
        raise RaisedError(given.item.span, "RuntimeError", f"self.dim() cannot be 0 {tail}")
    strides = strides_of(source)
    last = len(source.shape) - 1
    needs = _check_larger(source, after // before, tail, given) if after > before else []
    if strides[last] is None:
        needs.append(f"{source.text} with elements of its last axis side by side in storage")
    elif strides[last] != 1:
        words = f"self.stride(-1) must be 1 {tail}, but got {strides[last]}"
        raise RaisedError(given.item.span, "RuntimeError", words, last)
    for axis, stride in enumerate(strides[:-1] if after > before else ()):
        ratio = after // before
        if isinstance(stride, int) and stride % ratio:
            words = f"self.stride({axis}) must be divisible by {ratio} {tail}, but got {stride}"
            raise RaisedError(given.item.span, "RuntimeError", words, axis)
    return recasted(call, item, source, dtype, tuple(needs))


def _check_larger(source: Tensor, ratio: int, tail: str, given: Given) -> list[str]:
    """Refuse a size that elements of a larger dtype do not fit into; say what they need where it is not known."""
    needs: list[str] = []
    last = len(source.shape) - 1
    size = source.shape[last]
    if isinstance(size, str) and (need := indivisible(size, ratio)):
        needs.append(need)
    elif isinstance(size, int) and size % ratio:
        words = f"self.size(-1) must be divisible by {ratio} {tail}, but got {size}"
        raise RaisedError(given.item.span, "RuntimeError", words, last)
    if source.strides is not None:
        # Where in storage a view begins is not followed.
        needs.append(f"a first element at a multiple of {ratio} in storage")
    return needs


def recasted(call: Call, item: Item, source: Tensor, dtype: str, needs: tuple[str, ...]) -> Computed:
    """Return the same bytes as another dtype.

    Args:
        call: The call.
        item: The tensor as written.
        source: The tensor.
        dtype: The new dtype.
        needs: What must hold of sizes that are not known.
    """
    before, after = ITEM_BYTES[source.dtype], ITEM_BYTES[dtype]
    axes = tuple(range(len(source.shape)))
    shape, strides = list(source.shape), list(strides_of(source))
    effect = f"the same bytes, read as {dtype}"
    if before != after:
        shape[-1] = _rescaled(shape[-1], before, after)
        strides = [*(None if stride is None else _rescaled(stride, before, after) for stride in strides[:-1]), 1]
        effect += f": {source.shape[-1]} * {before} bytes / {after} = {shape[-1]} along the last axis"
    step = Step(call.stage, call.text, call.span, call.name, axes, axes, effect)
    made = Tensor(tuple(shape), dtype, call.result_text, labels=source.labels, strides=tuple(strides))
    return Computed(made, (item,), (step,), view=True, needs=needs)


def _rescaled(size: Size, before: int, after: int) -> Size:
    return quotient(size, after // before) if after > before else product([size, before // after])
