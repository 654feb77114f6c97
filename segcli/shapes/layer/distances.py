"""Losses that are a distance an element, ``F.mse_loss`` and its like: PyTorch 2.13's rules."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, no_kernel, tensor_with
from segcli.shapes.layer.losses import Loss, read_reduction, reduced_loss
from segcli.shapes.operands import promote_all
from segcli.shapes.request import Given
from segcli.shapes.values import COMPLEX, FLOATING, REAL, Item, RaisedError, Tensor

_OPTIONS = "size_average=None, reduce=None, reduction='mean'"
_FUNCTIONS = {
    "mse_loss": f"input, target, {_OPTIONS}, weight=None",
    "l1_loss": f"input, target, {_OPTIONS}, weight=None",
    "smooth_l1_loss": f"input, target, {_OPTIONS}, beta=1.0",
}
_LAYERS = {
    "MSELoss": ("mse_loss", f"self, {_OPTIONS}"),
    "L1Loss": ("l1_loss", f"self, {_OPTIONS}"),
    "SmoothL1Loss": ("smooth_l1_loss", f"self, {_OPTIONS}, beta=1.0"),
}
_BODIES = {"mse_loss": "({0} - {1}) ** 2", "l1_loss": "abs({0} - {1})"}
_INNER = "Tensor input, Tensor target, int reduction, float beta"


def distance(call: Call) -> Computed:
    """Compare each element with its target.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    name, bound, made = _bound(call)
    source, target = bound["input"].item, bound["target"].item
    y, x = tensor_with(target, "size"), tensor_with(source, "size")
    if "weight" in bound and bound["weight"].value is not None:
        message = f"weight= of {name} is not supported"
        raise SegcliError(message, hint=f"write ({name}(..., reduction='none') * weight).mean()")
    together = broadcast_operands(call, [source, target])
    beta = item_of(bound, "beta", 1.0, made.span)
    reduction, note = read_reduction(bound, made)
    if name == "smooth_l1_loss" and beta.value == 0:
        name = "l1_loss"
    dtype = _dtype(call, name, [source, target], reduction, beta)
    parts = {"input": source, "target": target}
    loss = Loss(call, parts, reduction, note)
    steps = [
        replace(step, effect=f"{words}; {step.effect}" if step.takes else words)
        for step, words in zip(together.steps, ("what was found", "what should be"), strict=True)
    ]
    body = _BODIES.get(name) or _smooth(beta)
    plain = {x.dtype, y.dtype}.isdisjoint(("bool", *COMPLEX))
    formula = Formula(body, together.reads) if body and plain and 0 not in together.shape else None
    notes: tuple[str, ...] = ()
    if x.shape != y.shape:
        notes = (f"{target.text} has another shape than {source.text}: it is broadcast, with a UserWarning",)
    done = reduced_loss(
        loss, together.shape, dtype, steps, formula=formula, why=_why(name, source, target), needs=together.needs,
        notes=notes,
    )  # fmt: skip
    return replace(done, rows=together.rows, broadcast=together.shape)


def _bound(call: Call) -> tuple[str, dict[str, Given], Call]:
    """Bind a function's arguments, or a layer's and what it is applied to; return with them what has the options."""
    if call.layer is None:
        return call.name, bind_known(call, call.name, _FUNCTIONS[call.name]), call
    name, signature = _LAYERS[call.name]
    # Two of the layers have no __init__ of their own.
    owner = call.name if name == "smooth_l1_loss" else "_Loss"
    bound = bind_known(call.layer, f"{owner}.__init__", signature)
    return name, bound | bind_known(call, f"{call.name}.forward", "self, input, target"), call.layer


def _dtype(call: Call, name: str, items: Sequence[Item], reduction: str, beta: Item) -> str:
    tensors = [item.value for item in items if isinstance(item.value, Tensor)]
    dtype = promote_all(tensors, "torch")
    if name == "l1_loss":
        _check_difference(items[0], [tensor.dtype for tensor in tensors])
        real = REAL.get(dtype, dtype)
        if reduction == "mean" and real not in FLOATING:
            words = (
                "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
                f"Got: {SCALARS[real]}"
            )
            raise RaisedError(items[0].span, "RuntimeError", words)
        return "int64" if reduction == "sum" and real not in FLOATING else real
    if name == "smooth_l1_loss":
        zero = Item(0, "0", call.span)
        bind_inner(call, "smooth_l1_loss", _INNER, [*items, zero, beta])
        if isinstance(beta.value, int | float) and beta.value < 0:
            words = "smooth_l1_loss does not support negative values for beta."
            raise RaisedError(beta.span, "RuntimeError", words)
    if dtype not in FLOATING:
        raise no_kernel("mse_cpu" if name == "mse_loss" else "smooth_l1_cpu", dtype, items[0].span)
    return dtype


def _check_difference(source: Item, dtypes: Sequence[str]) -> None:
    if "bool" not in dtypes:
        return
    words = "with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()`"
    if set(dtypes) == {"bool"}:
        words = "with two bool tensors is not supported. Use the `^` or `logical_xor()`"
    words = f"Subtraction, the `-` operator, {words} operator instead."
    raise RaisedError(source.span, "RuntimeError", words)


def _smooth(beta: Item) -> str:
    value = beta.value
    if not isinstance(value, int | float):
        return ""
    far = "abs({0} - {1})"
    return f"({{0}} - {{1}}) ** 2 / {2 * value:g} if {far} < {value:g} else {far} - {value / 2:g}"


def _why(name: str, source: Item, target: Item) -> str:
    far = f"{source.text} - {target.text}"
    words = {"mse_loss": f"({far}) ** 2", "l1_loss": f"abs({far})"}
    return f"a loss is {words.get(name, f'the square of {far} where that is small, and its size elsewhere')}"


OPERATIONS = {
    **{name: Operation(distance, None, "write ((x - y) ** 2).mean()") for name in ("mse_loss", "MSELoss")},
    **{name: Operation(distance, None, "write np.abs(x - y).mean()") for name in ("l1_loss", "L1Loss")},
    **{
        name: Operation(distance, None, "write np.where(d < 1, d * d / 2, d - 0.5).mean() with d = np.abs(x - y)")
        for name in ("smooth_l1_loss", "SmoothL1Loss")
    },
}
