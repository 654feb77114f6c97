"""``F.binary_cross_entropy_with_logits``: PyTorch 2.13's rules."""

from collections.abc import Sequence

from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step, broadcast_sizes
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_inner, no_kernel, python_shape, tensor_with
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.losses import Loss, reduced_loss
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.symbols import equal
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Shape, Tensor

_INNER = "Tensor input, Tensor target, Tensor? weight, Tensor? pos_weight, int reduction"


def binary_entropy(loss: Loss) -> Computed:
    """Compare scores with targets between 0 and 1.

    Args:
        loss: The loss.

    Raises:
        RaisedError: As PyTorch raises.
    """
    call, parts = loss.call, loss.parts
    needs = _check_sizes(parts["input"], parts["target"])
    zero = Item(0, "0", call.span)
    order = [parts["input"], parts["target"], parts["weight"], parts["pos_weight"], zero]
    bound = bind_inner(call, "binary_cross_entropy_with_logits", _INNER, order)
    source, target = bound["input"].item, bound["target"].item
    x, y = as_tensor(source), as_tensor(target)
    if x.dtype not in FLOATING:
        raise no_kernel(kernel="log_sigmoid_cpu", dtype=x.dtype, span=source.span)
    positive = bound["pos_weight"].item if bound["pos_weight"].value is not None else None
    if positive is not None:
        _check_positive(positive, target, x, needs)
    _check_target(x, target)
    weight = bound["weight"].item if bound["weight"].value is not None else None
    if weight is not None:
        held = Tensor(x.shape, y.dtype, "")
        _multiply(held, as_tensor(weight), weight, needs)
    steps = _steps(loss, source, target, [item for item in (weight, positive) if item is not None])
    why = "" if weight is None and positive is None else _why(source, target, weight, positive)
    formula = None if why or y.dtype in COMPLEX or 0 in x.shape else _formula(x.shape)
    return reduced_loss(loss, x.shape, y.dtype, steps, formula=formula, why=why, needs=tuple(needs))


def _check_sizes(source: Item, target: Item) -> list[str]:
    """Compare the sizes in Python."""
    y, x = tensor_with(target, "size").shape, tensor_with(source, "size").shape
    known = [one == other for one, other in zip(x, y, strict=False) if isinstance(one, int) and isinstance(other, int)]
    if len(x) != len(y) or not all(known):
        words = f"Target size ({python_shape(y)}) must be the same as input size ({python_shape(x)})"
        differs = next((axis for axis, pair in enumerate(zip(x, y, strict=False)) if pair[0] != pair[1]), None)
        raise RaisedError(target.span, "ValueError", words, differs if len(x) == len(y) else None)
    return [equal(one, other) for one, other in zip(x, y, strict=True) if one != other]


def _check_positive(positive: Item, target: Item, x: Tensor, needs: list[str]) -> None:
    """Do ``(pos_weight - 1) * target + 1``, by which the logarithms are multiplied in place."""
    weight, y = as_tensor(positive), as_tensor(target)
    if weight.dtype == "bool":
        words = (
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
        raise RaisedError(positive.span, "RuntimeError", words)
    shape = _broadcast(weight.shape, y.shape, positive, needs)
    factor = Tensor(shape, torch_dtype([weight, y]), "")
    _multiply(x, factor, positive, needs)


def _broadcast(shape: Shape, other: Shape, at: Item, needs: list[str]) -> Shape:
    common = broadcast_sizes([shape, other], needs)
    if common is not None:
        return common
    # The last axis that does not fit is named; one that is not known fits.
    pairs = list(enumerate(zip(reversed(shape), reversed(other), strict=False), 1))
    back, one, two = next((back, *pair) for back, pair in pairs if broadcast_sizes([pair[:1], pair[1:]], []) is None)
    axis = max(len(shape), len(other)) - back
    words = f"The size of tensor a ({one}) must match the size of tensor b ({two}) at non-singleton dimension {axis}"
    raise RaisedError(at.span, "RuntimeError", words, axis)


def _multiply(held: Tensor, factor: Tensor, at: Item, needs: list[str]) -> None:
    """Multiply in place: neither shape nor kind of number may grow."""
    shape = _broadcast(held.shape, factor.shape, at, needs)
    if len(shape) != len(held.shape) or any(
        isinstance(size, int) and isinstance(made, int) and size != made
        for size, made in zip(held.shape, shape, strict=True)
    ):
        words = f"output with shape {bracketed(held.shape)} doesn't match the broadcast shape {bracketed(shape)}"
        raise RaisedError(at.span, "RuntimeError", words)
    dtype = torch_dtype([held, factor])
    if dtype in COMPLEX and held.dtype not in COMPLEX:
        raise RaisedError(at.span, "RuntimeError", _cast_words(dtype, held.dtype))


def _cast_words(dtype: str, held: str) -> str:
    return f"result type {SCALARS[dtype]} can't be cast to the desired output type {SCALARS[held]}"


def _check_target(x: Tensor, target: Item) -> None:
    """Do ``(1 - target) * input``, in place."""
    dtype = as_tensor(target).dtype
    if dtype == "bool":
        words = (
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
        raise RaisedError(target.span, "RuntimeError", words)
    if dtype not in (*FLOATING, *COMPLEX):
        raise RaisedError(target.span, "RuntimeError", _cast_words(x.dtype, dtype))


def _steps(loss: Loss, source: Item, target: Item, weights: Sequence[Item]) -> list[Step]:
    axes = tuple(range(len(as_tensor(source).shape)))
    stage = loss.call.stage
    steps = [
        Step(stage, source.text, source.span, "scores", axes, axes, "a loss an element"),
        Step(stage, target.text, target.span, "target", axes, axes, "between 0 and 1, as many as scores", 1),
    ]
    for operand, weight in enumerate(weights, 2):
        own = tuple(range(len(as_tensor(weight).shape)))
        landed = tuple(axis + len(axes) - len(own) for axis in own)
        steps.append(Step(stage, weight.text, weight.span, "weight", own, landed, "a factor, broadcast", operand))
    return steps


def _formula(shape: Shape) -> Formula:
    at = tuple(f"{{i{axis}}}" for axis in range(len(shape)))
    return Formula("log(1 + exp({0})) - {0} * {1}", (Read(0, at), Read(1, at)))


def _why(source: Item, target: Item, weight: Item | None, positive: Item | None) -> str:
    scale = f" * {positive.text}" if positive is not None else ""
    body = (
        f"-({target.text}{scale} * log(sigmoid({source.text})) + (1 - {target.text}) * log(1 - sigmoid({source.text})))"
    )
    return f"a loss is {body}" + (f" * {weight.text}" if weight is not None else "")
