"""``nn.LayerNorm``, and ``F.layer_norm``: PyTorch 2.13's rules."""

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.norm_layers import (
    Learned,
    Statistics,
    are_known,
    both_of,
    check_alike,
    check_floating,
    check_parameters,
    counted,
    learn,
    normalized,
)
from segcli.shapes.layer.windows import bracketed, read_sizes
from segcli.shapes.symbols import equal
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Symbol, Tensor, type_name

_LAYER = "self, normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None"
_LAYER_INNER = "Tensor input, sizes normalized_shape, Tensor? weight, Tensor? bias, float eps"


def layer_norm(call: Call) -> Computed:
    """Normalize over the last axes.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    made = call.layer or call
    bound = bind_known(made, "LayerNorm.__init__", _LAYER)
    shape = _normalized_shape(bound["normalized_shape"].item)
    listed = shape.value.items if isinstance(shape.value, Listed) else ()
    learned = learn(made, bound, listed, affine="elementwise_affine", default=True)
    given = bind_known(call, "LayerNorm.forward", "self, input")["input"].item
    eps = item_of(bound, "eps", 1e-05, made.span)
    return normalize_last(call, given, shape, learned, eps)


def normalize_last(call: Call, given: Item, shape: Item, learned: Learned, eps: Item) -> Computed:
    """Normalize over as many last axes as a shape has.

    Args:
        call: The call.
        given: What is normalized.
        shape: The shape.
        learned: Weight and bias.
        eps: What is added to a variance.

    Raises:
        RaisedError: As ``torch.layer_norm`` raises.
    """
    inner = bind_inner(call, "layer_norm", _LAYER_INNER, [given, shape, *both_of(learned, call), eps])
    source = inner["input"].item
    x = as_tensor(source)
    sizes = read_sizes("layer_norm", "normalized_shape", inner["normalized_shape"], 1)
    check_parameters(x, learned, source.span)
    _check_some(sizes, shape)
    needs = (*_check_shapes(learned, sizes), *_check_last(x, sizes, shape))
    check_floating(x, "LayerNormKernelImpl", source.span)
    check_alike(x, learned)
    first = len(x.shape) - len(sizes)
    over = tuple(range(first, len(x.shape)))
    names = ("the last axis",) if len(over) == 1 else (f"the last {len(over)} axes",)
    outer = tuple(f"{{i{axis}}}" for axis in range(first))
    stats = Statistics(over, names, "place before them" if outer else "tensor", outer, tuple(f"{{i{a}}}" for a in over))
    steps = (
        *kept_step(call, "not averaged", range(first), "each place has its own mean and variance"),
        Step(
            call.stage,
            shape.text,
            shape.span,
            "averaged",
            over,
            over,
            f"statistics of {counted(sizes)}; the shape stays",
        ),
    )
    return normalized(call, source, learned, stats, steps, eps=eps, needs=needs)


def _normalized_shape(item: Item) -> Item:
    """Return what the layer makes of its argument: a tuple."""
    value = item.value
    if isinstance(value, Listed):
        return item
    if isinstance(value, Tensor) and value.shape:
        message = f"{item.text} is a tensor, expected an int or a tuple of ints"
        raise SegcliError(message, hint="write the numbers themselves")
    if isinstance(value, int | Symbol):
        return Item(Listed((item,), is_tuple=True), item.text, item.span)
    if isinstance(value, str):
        letters = tuple(Item(letter, item.text, item.span) for letter in value)
        return Item(Listed(letters, is_tuple=True), item.text, item.span)
    words = (
        "iteration over a 0-d tensor" if isinstance(value, Tensor) else f"'{type_name(value)}' object is not iterable"
    )
    raise RaisedError(item.span, "TypeError", words)


def _check_some(sizes: Shape, at: Item) -> None:
    if not sizes:
        words = (
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
        raise RaisedError(at.span, "RuntimeError", words)


def _check_shapes(learned: Learned, sizes: Shape) -> tuple[str, ...]:
    """Compare weight and bias with the shape that is normalized."""
    needs: list[str] = []
    for name, item in (("weight", learned.weight), ("bias", learned.bias)):
        own = sizes if item is None else as_tensor(item).shape
        pairs = list(zip(own, sizes, strict=False))
        differs = len(own) != len(sizes) or any(are_known(pair) and pair[0] != pair[1] for pair in pairs)
        if item is not None and differs:
            words = f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {bracketed(own)}"
            words += f" and normalized_shape = {bracketed(sizes)}"
            raise RaisedError(item.span, "RuntimeError", words)
        needs += [equal(size, other) for size, other in pairs if size != other]
    return tuple(needs)


def _check_last(x: Tensor, sizes: Shape, at: Item) -> tuple[str, ...]:
    """Compare the last axes with what the layer was made for."""
    last = x.shape[len(x.shape) - len(sizes) :] if len(sizes) <= len(x.shape) else ()
    pairs = list(zip(last, sizes, strict=True)) if len(last) == len(sizes) else []
    differs = next((place for place, pair in enumerate(pairs) if are_known(pair) and pair[0] != pair[1]), None)
    if not pairs or differs is not None:
        listed = ", ".join(map(str, sizes))
        words = (
            f"Given normalized_shape=[{listed}], expected input with shape [*, {listed}], but got input of "
            f"size{bracketed(x.shape)}"
        )
        axis = None if differs is None else len(x.shape) - len(sizes) + differs
        raise RaisedError(at.span, "RuntimeError", words, axis)
    return tuple(equal(size, other) for size, other in pairs if size != other)
