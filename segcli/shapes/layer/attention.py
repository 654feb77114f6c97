"""``F.scaled_dot_product_attention``: values averaged by how well queries and keys agree. PyTorch 2.13's rules."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.promotion import DEFAULT_FLOAT
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step, broadcast_sizes
from segcli.shapes.kinds import C_NAMES, SCALARS
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.operations import operation_of
from segcli.shapes.request import Given
from segcli.shapes.select.looking import with_size
from segcli.shapes.signatures import Signatures, flag
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import equal, indivisible
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Shape, Size, Tensor, check_elements

_TENSORS = "Tensor query, Tensor key, Tensor value"
_SIGNATURE = Signatures(
    (),
    (f"{_TENSORS}, Tensor? attn_mask=, float dropout_p=, bool is_causal=, *, float? scale=, bool enable_gqa=",),
)
_NAMES = ("query", "key", "value")
_UNCHECKED = "{} and {} have different numbers of rows, which PyTorch's fast code does not look at: give them as many"
_ADVICE = "write s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]); e = np.exp(s); e / e.sum(-1, keepdims=True) @ v"


def attention(call: Call) -> Computed:
    """Average values.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_call(call, _SIGNATURE)
    query, key, value = (bound[name].item for name in _NAMES)
    mask = bound["attn_mask"].item if "attn_mask" in bound and bound["attn_mask"].value is not None else None
    _check_alike([query, key, value])
    fast = _is_fast(bound, [query, key, value], mask)
    if mask is not None:
        _check_mask(bound, mask, as_tensor(query).dtype, fast=fast)
    needs: list[str] = []
    items = [query, key, value]
    if flag(bound, "enable_gqa"):
        items = [query, *(_grouped(query, item, needs) for item in (key, value))]
    # What they are scaled by makes floats of whole numbers.
    scaled = [replace(item, value=replace(as_tensor(item), dtype=_scaled(as_tensor(item).dtype))) for item in items[:2]]
    q, k = (as_tensor(item) for item in scaled)
    turned = Item(Tensor((*k.shape[:-2], k.shape[-1], k.shape[-2]), k.dtype, k.text), key.text, key.span)
    scores = _multiplied(call, scaled[0], turned, needs)
    if mask is not None:
        _check_room(mask, scores.shape, needs)
    if q.dtype in COMPLEX:
        raise no_kernel(kernel="softmax_lastdim_kernel_impl", dtype=q.dtype, span=query.span)
    _check_dropout(bound)
    own = as_tensor(value).dtype
    if own != q.dtype:
        # The values are not scaled, and the weights are floats.
        words = f"expected scalar type Float but found {SCALARS[own]}"
        raise RaisedError(value.span, "RuntimeError", words)
    unchecked = fast and _differ(k.shape[-2], as_tensor(value).shape[-2])
    if unchecked and mask is not None:
        _check_cover(mask, (*q.shape[:3], as_tensor(value).shape[2]))
    if unchecked:
        made = Tensor((*scores.shape[:-1], as_tensor(value).shape[-1]), q.dtype, "")
    else:
        made = _multiplied(call, Item(scores, query.text, query.span), items[2], needs)
    check_elements(made.shape, call.text)
    inputs = (query, key, value, *([mask] if mask is not None else []))
    steps = _steps(call, inputs, made.shape)
    notes = (_UNCHECKED.format(key.text, value.text),) if unchecked else ()
    unique = tuple(dict.fromkeys(needs))
    return Computed(call.make(made.shape, q.dtype), inputs, steps, why=_why(bound, inputs), needs=unique, notes=notes)


def _scaled(dtype: str) -> str:
    return dtype if dtype in (*FLOATING, *COMPLEX) else DEFAULT_FLOAT


def _check_alike(items: list[Item]) -> None:
    tensors = [as_tensor(item) for item in items]
    if len({tensor.dtype for tensor in tensors}) > 1:
        kinds = [C_NAMES[tensor.dtype] for tensor in tensors]
        words = "Expected query, key, and value to have the same dtype, but got query.dtype: "
        words += f"{kinds[0]} key.dtype: {kinds[1]} and value.dtype: {kinds[2]} instead."
        odd = next(item for item in items if as_tensor(item).dtype != tensors[0].dtype)
        raise RaisedError(odd.span, "RuntimeError", words)
    ndims = [len(tensor.shape) for tensor in tensors]
    if min(ndims) < len("LE"):
        words = "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
        words += f"{ndims[0]} key.dim: {ndims[1]} and value.dim: {ndims[2]} instead."
        raise RaisedError(items[ndims.index(min(ndims))].span, "RuntimeError", words)


def _check_mask(bound: dict[str, Given], mask: Item, dtype: str, *, fast: bool) -> None:
    held = as_tensor(mask).dtype
    if held not in ("bool", "float32", dtype):
        words = (
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{C_NAMES[held]} and  query.dtype: {C_NAMES[dtype]} instead."
        )
        raise RaisedError(mask.span, "RuntimeError", words)
    if flag(bound, "is_causal") and not fast:
        words = "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        raise RaisedError(bound["is_causal"].item.span, "RuntimeError", words)


def _grouped(query: Item, item: Item, needs: list[str]) -> Item:
    """Return keys or values with their heads repeated, so that there are as many as queries have."""
    tensor, heads = as_tensor(item), as_tensor(query).shape
    short = next((each for each in (query, item) if len(as_tensor(each).shape) < len("HLE")), None)
    if short is not None:
        words = "Dimension out of range (expected to be in range of [-2, 1], but got -3)"
        raise RaisedError(short.span, "IndexError", words)
    own, wanted = tensor.shape[-3], heads[-3]
    if isinstance(own, int) and isinstance(wanted, int) and (not own or wanted % own):
        words = "Number of heads in key and value must divide the number of heads in "
        raise RaisedError(item.span, "RuntimeError", words, len(tensor.shape) - 3)
    if isinstance(own, str) or isinstance(wanted, str):
        needs += filter(None, [indivisible(wanted, own)])
    shape = with_size(tensor.shape, len(tensor.shape) - 3, wanted)
    return Item(Tensor(shape, tensor.dtype, tensor.text), item.text, item.span)


def _multiplied(call: Call, one: Item, other: Item, needs: list[str]) -> Tensor:
    """Multiply matrices as ``@`` does."""
    inner = Call("matmul", "method", (("", one), ("", other)), call.span, call.text, call.result_text, call.stage)
    done = operation_of("method", "matmul").torch(inner)
    needs += getattr(done, "needs", ())
    made: Tensor = getattr(done, "result")  # noqa: B009 - a ``Computed``, as both are tensors
    return made


def _check_room(mask: Item, scores: Shape, needs: list[str]) -> None:
    """Add a mask in place: scores must not grow."""
    shape = as_tensor(mask).shape
    common = broadcast_sizes([scores, shape], needs)
    if common is None:
        pairs = list(zip(reversed(scores), reversed(shape), strict=False))
        back = next(back for back, pair in enumerate(pairs, 1) if broadcast_sizes([pair[:1], pair[1:]], []) is None)
        axis = max(len(scores), len(shape)) - back
        sizes = f"({scores[-back]}) must match the size of tensor b ({shape[-back]})"
        words = f"The size of tensor a {sizes} at non-singleton dimension {axis}"
        raise RaisedError(mask.span, "RuntimeError", words, len(shape) - back)
    grown = len(common) > len(scores) or any(
        isinstance(size, int) and isinstance(made, int) and size != made
        for size, made in zip(scores, common, strict=False)
    )
    if grown:
        words = f"output with shape {bracketed(scores)} doesn't match the broadcast shape {bracketed(common)}"
        raise RaisedError(mask.span, "RuntimeError", words)
    needs += [equal(own, made) for own, made in zip(scores, common, strict=True) if own != made]


def _is_fast(bound: dict[str, Given], items: list[Item], mask: Item | None) -> bool:
    """Tell whether code for heads of pictures takes over, which does not compare the numbers of keys and values."""
    tensors = [as_tensor(item) for item in items]
    shapes = [tensor.shape for tensor in tensors]
    if any(len(shape) != len("NHLE") or 0 in shape for shape in shapes) or tensors[0].dtype not in FLOATING:
        return False
    q, k, v = shapes
    alike = q[:2] == k[:2] == v[:2] and q[3] == k[3] == v[3]
    dropped = "dropout_p" in bound and bound["dropout_p"].value not in (0, None)
    near = all(strides_of(tensor)[-1] == 1 for tensor in tensors)
    return alike and near and not dropped and (mask is None or _covers(as_tensor(mask).shape, q, k))


def _covers(mask: Shape, q: Shape, k: Shape) -> bool:
    whole = (*q[:3], k[2])
    own = whole[4 - len(mask) :]
    return len(mask) in (2, 4) and all(size in (1, wanted) for size, wanted in zip(mask, own, strict=True))


def _check_cover(mask: Item, whole: Shape) -> None:
    """Refuse a mask over keys where there are more or fewer values."""
    own = as_tensor(mask).shape
    shape = (1,) * (len(whole) - len(own)) + own
    whole = (*shape[:2], *whole[2:])
    if shape[-1] not in (1, whole[-1]):
        words = (
            f"The expanded size of the tensor ({whole[-1]}) must match the existing size ({shape[-1]}) at "
            f"non-singleton dimension 3.  Target sizes: {bracketed(whole)}.  Tensor sizes: {bracketed(shape)}"
        )
        raise RaisedError(mask.span, "RuntimeError", words, len(own) - 1)


def _differ(one: Size, other: Size) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one != other


def _check_dropout(bound: dict[str, Given]) -> None:
    value = bound["dropout_p"].value if "dropout_p" in bound else 0
    if isinstance(value, int | float) and value > 1:
        words = f"dropout probability has to be between 0 and 1, but got {value:g}"
        raise RaisedError(bound["dropout_p"].item.span, "RuntimeError", words)


def _steps(call: Call, inputs: tuple[Item, ...], made: Shape) -> tuple[Step, ...]:
    ndim = len(made)
    steps: list[Step] = []
    words = (
        ("queries", "a result a query", ndim - 2, "compared with those of every key"),
        ("keys", "weighed for each query, and added up over", None, "compared with those of every query"),
        ("values", "one a key, averaged by the weights", None, "the features of the average"),
    )
    for operand, (item, (kind, effect, landed, features)) in enumerate(zip(inputs, words, strict=False)):
        shape = as_tensor(item).shape
        outer = tuple(range(len(shape) - 2))
        rows, last = len(shape) - 2, len(shape) - 1
        if outer:
            gives = tuple(axis + ndim - len(shape) for axis in outer)
            steps.append(Step(call.stage, item.text, item.span, "batch", outer, gives, "broadcast together", operand))
        gone = () if landed is None else (landed,)
        steps.append(Step(call.stage, item.text, item.span, kind, (rows,), gone, effect, operand))
        kept = (ndim - 1,) if kind == "values" else ()
        steps.append(Step(call.stage, item.text, item.span, "features", (last,), kept, features, operand))
    for item in inputs[3:]:
        own = tuple(range(len(as_tensor(item).shape)))
        steps.append(Step(call.stage, item.text, item.span, "mask", own, (), "which keys a query sees", 3))
    return tuple(steps)


def _why(bound: dict[str, Given], inputs: tuple[Item, ...]) -> str:
    query, key, value = (item.text for item in inputs[:3])
    scale = bound["scale"].item.text if "scale" in bound and bound["scale"].value is not None else ""
    scaled = f" * {scale}" if scale else f" / sqrt({as_tensor(inputs[0]).shape[-1]})"
    mask = f" + {inputs[3].text}" if len(inputs) > len(_NAMES) else ""
    causal = ", a query sees no key after its own place" if flag(bound, "is_causal") else ""
    return f"softmax({query} @ {key}.mT{scaled}{mask}, -1) @ {value}{causal}"


OPERATIONS = {"scaled_dot_product_attention": Operation(attention, None, _ADVICE)}
