"""Layers that normalize by means and variances: PyTorch 2.13's.

They are in training mode, as they are when they are made: their statistics are those of what they are applied to.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_known, item_of, kept_step, python_shape, tensor_with
from segcli.shapes.layer.layers import as_tensor, make_parameter, weight_dtype
from segcli.shapes.layer.norm_layers import (
    Learned,
    Statistics,
    axis_names,
    check_float,
    check_floating,
    check_mixed,
    counted,
    flag,
    learn,
    more_than_one,
    normalized,
    one_size,
)
from segcli.shapes.layer.normalizing_groups import group_norm
from segcli.shapes.layer.normalizing_last import layer_norm
from segcli.shapes.request import Given
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import equal, product
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Shape, Symbol, Tensor, type_name

_SIGNATURE = (
    "self, num_features, eps=1e-05, momentum=0.1, affine={0}, track_running_stats={0}, device=None, dtype=None, *, "
    "bias=True"
)
_ADVICE = (
    "write (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps), axes=(0, 2, 3) for pictures"
)
_NO_MEAN = "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {}"
# Tensors of so many axes may have their channels as the fastest.
_CHANNELS_LAST = (4, 5)
_TRAINING = "as made, the layer is in training mode: it takes the statistics of this batch{}"
_UPDATES = ", and moves running_mean and running_var towards them"


def _batch_norm(call: Call, axes: int) -> Computed:
    made = call.layer or call
    bound = bind_known(made, "_BatchNorm.__init__", _SIGNATURE.format("True"))
    learned = _hold(made, bound, default=True)
    source = bind_known(call, "_BatchNorm.forward", "self, input")["input"].item
    x = tensor_with(source, "dim")
    _check_ndim(source, (2, 3) if axes == 1 else (axes + 2,))
    eps, momentum = item_of(bound, "eps", 1e-05, made.span), item_of(bound, "momentum", 0.1, made.span)
    counts = (x.shape[0], *x.shape[2:])
    words = f"Expected more than 1 value per channel when training, got input size {python_shape(x.shape)}"
    needs = more_than_one(counts, words, source.span)
    _check_positive(eps)
    if momentum.value is not None:
        check_float("batch_norm", "momentum", 7, momentum)
    features = bound["num_features"].item
    if 0 in x.shape:
        dtype = _empty_dtype(source, learned, learned.weight)
    else:
        needs += _check_channels(source, learned, features)
        _check_strided(source, learned)
        check_floating(x, "batch_norm", source.span)
        check_mixed(x, learned.dtype, source.span)
        dtype = x.dtype
    over = (0, *range(2, len(x.shape)))
    names = axis_names(len(x.shape))
    stats = Statistics(over, tuple(names[axis] for axis in over), "channel", ("{i1}",), ("{i1}",))
    steps = (
        Step(call.stage, features.text, features.span, "channels", (1,), (1,), "one mean and one variance a channel"),
        *kept_step(call, "averaged", over, f"a channel's statistics are of {counted(counts)}; the shape stays"),
    )
    note = _TRAINING.format(_UPDATES if learned.buffer else "")
    return normalized(call, source, learned, stats, steps, eps=eps, dtype=dtype, needs=needs, notes=(note,))


def _instance_norm(call: Call, axes: int) -> Computed:
    made = call.layer or call
    bound = bind_known(made, "_InstanceNorm.__init__", _SIGNATURE.format("False"))
    learned = _hold(made, bound, default=False)
    source = bind_known(call, "_InstanceNorm.forward", "self, input")["input"].item
    x = tensor_with(source, "dim")
    _check_ndim(source, (axes + 1, axes + 2))
    batched = len(x.shape) == axes + 2
    features = bound["num_features"].item
    needs, notes = _match_features(source, int(batched), features, affine=learned.weight is not None)
    shape = x.shape if batched else (1, *x.shape)
    words = f"Expected more than 1 spatial element when training, got input size {python_shape(shape)}"
    needs += more_than_one(shape[2:], words, source.span)
    eps, momentum = item_of(bound, "eps", 1e-05, made.span), item_of(bound, "momentum", 0.1, made.span)
    if momentum.value is not None:
        check_float("instance_norm", "momentum", 7, momentum)
    check_float("instance_norm", "eps", 8, eps)
    dtype = x.dtype
    if 0 in shape:
        dtype = _empty_dtype(source, learned, None if learned.weight is None else _repeated(learned.weight, shape))
        _check_update(source, learned, features, shape)
    else:
        needs += _check_buffer(source, learned, features, shape)
        check_floating(x, "batch_norm", source.span)
        # The buffers are copied into the input's dtype.
        check_mixed(x, replace(learned, buffer=None).dtype, source.span)
    first = int(batched)
    over = tuple(range(first + 1, len(x.shape)))
    names = axis_names(len(shape))[2:]
    places = tuple(f"{{i{axis}}}" for axis in range(first + 1))
    stats = Statistics(over, names, "channel of each picture" if batched else "channel", places, (f"{{i{first}}}",))
    steps = (
        *kept_step(call, "batch", range(first), "each picture has its own statistics"),
        Step(
            call.stage, features.text, features.span, "channels", (first,), (first,), "a mean and a variance a channel"
        ),
        *kept_step(call, "averaged", over, f"a channel's statistics are of {counted(shape[2:])}; the shape stays"),
    )
    if learned.buffer:
        notes += (_TRAINING.format(_UPDATES),)
    return normalized(call, source, learned, stats, steps, eps=eps, dtype=dtype, needs=needs, notes=notes)


def _hold(made: Call, bound: dict[str, Given], *, default: bool) -> Learned:
    """Make what a layer of channels holds; without any, the number of channels is not looked at."""
    features = bound["num_features"].item
    learned = Learned()
    if flag(bound, "affine", default=default):
        learned = learn(made, bound, one_size(features, "empty"), affine="affine", default=default)
    if not flag(bound, "track_running_stats", default=default):
        return learned
    sizes = one_size(features, "zeros")
    try:
        dtype = weight_dtype(bound)
    except RaisedError as error:
        raise RaisedError(error.span, error.kind, error.message.replace("empty", "zeros")) from error
    if isinstance(features.value, int) and features.value < 0:
        raise RaisedError(features.span, "RuntimeError", "zeros: Dimension size must be non-negative.")
    buffer = as_tensor(make_parameter("running_mean", sizes, "float32", made.span))
    return replace(learned, buffer=Item(replace(buffer, dtype=dtype), "running_mean", made.span))


def _check_ndim(source: Item, known: tuple[int, ...]) -> None:
    found = len(as_tensor(source).shape)
    if found not in known:
        words = f"expected {' or '.join(f'{ndim}D' for ndim in known)} input (got {found}D input)"
        raise RaisedError(source.span, "ValueError", words)


def _check_positive(eps: Item) -> None:
    value = eps.value
    if not isinstance(value, int | float):
        words = f"'<=' not supported between instances of '{type_name(value)}' and 'float'"
        raise RaisedError(eps.span, "TypeError", words)
    if value <= 0:
        words = f"batch_norm eps must be positive during training, but got {value}"
        raise RaisedError(eps.span, "ValueError", words)


def _empty_dtype(source: Item, learned: Learned, weight: Item | None) -> str:
    """Return the dtype of what has no elements: PyTorch multiplies it with the first weight and adds the first bias."""
    parts: list[Tensor] = [as_tensor(source)]
    if weight is not None:
        if 0 in as_tensor(weight).shape:
            words = "select(): index 0 out of range for tensor of size [0] at dimension 0"
            raise RaisedError(source.span, "IndexError", words)
        parts.append(Tensor((), as_tensor(weight).dtype, ""))
    if learned.weight is None:
        return parts[0].dtype
    return torch_dtype(parts)


def _repeated(weight: Item, shape: Shape) -> Item:
    """Repeat a weight for each picture."""
    tensor = as_tensor(weight)
    return Item(replace(tensor, shape=(product([shape[0], tensor.shape[0]]),)), weight.text, weight.span)


def _check_channels(source: Item, learned: Learned, features: Item) -> tuple[str, ...]:
    """Compare the channels with what the layer holds."""
    channels = as_tensor(source).shape[1]
    for name, held in (("running_mean", learned.buffer), ("weight", learned.weight)):
        if held is None:
            continue
        (size,) = as_tensor(held).shape
        if isinstance(size, int) and isinstance(channels, int) and size != channels:
            words = f"{name} should contain {channels} elements not {size}"
            raise RaisedError(features.span, "RuntimeError", words, 1)
        return () if size == channels else (equal(size, channels),)
    return ()


def _check_strided(source: Item, learned: Learned) -> None:
    """Refuse integers as PyTorch does where nothing is held and the input has gaps: by the mean that it then takes."""
    x = as_tensor(source)
    if learned.dtype is not None or x.dtype in (*FLOATING, *COMPLEX) or x.strides is None:
        return
    last = [*range(2, len(x.shape)), 1] if len(x.shape) in _CHANNELS_LAST else []
    orders = [list(range(len(x.shape))), *([[0, *last]] if last else [])]
    if any(_is_walked(x, order) for order in orders):
        return
    raise RaisedError(source.span, "RuntimeError", _NO_MEAN.format(SCALARS[x.dtype]))


def _is_walked(x: Tensor, order: Sequence[int]) -> bool:
    """Tell whether elements lie without gaps in an order of the axes, the last one the fastest."""
    walked = [axis for axis in order if x.shape[axis] != 1]
    return all(
        stride == product([x.shape[axis] for axis in walked[place + 1 :]])
        for place, stride in enumerate(strides_of(x)[axis] for axis in walked)
    )


def _check_buffer(source: Item, learned: Learned, features: Item, shape: Shape) -> tuple[str, ...]:
    if learned.buffer is None:
        return ()
    (size,) = as_tensor(learned.buffer).shape
    if isinstance(size, int) and isinstance(shape[1], int) and size != shape[1]:
        held, found = product([size, shape[0]]), product([shape[1], shape[0]])
        words = f"running_mean should contain {found} elements not {held}"
        raise RaisedError(features.span, "RuntimeError", words, len(as_tensor(source).shape) - len(shape) + 1)
    return () if size == shape[1] else (equal(size, shape[1]),)


def _check_update(source: Item, learned: Learned, features: Item, shape: Shape) -> None:
    """Check the step in which an input without elements moves the buffers."""
    if learned.buffer is None:
        return
    (size,) = as_tensor(learned.buffer).shape
    pictures, channels = shape[:2]
    differs = isinstance(size, int) and isinstance(channels, int) and size != channels
    if differs and pictures != 0:
        words = f"shape '[{pictures}, {channels}]' is invalid for input of size {product([size, pictures])}"
        raise RaisedError(features.span, "RuntimeError", words)
    dtype = as_tensor(learned.weight or source).dtype
    if dtype not in (*FLOATING, *COMPLEX):
        raise RaisedError(source.span, "RuntimeError", _NO_MEAN.format(SCALARS[dtype]))
    if differs and channels != 1:
        words = (
            f"The size of tensor a ({size}) must match the size of tensor b ({channels}) at non-singleton dimension 0"
        )
        if size == 1:
            words = f"output with shape [1] doesn't match the broadcast shape [{channels}]"
        raise RaisedError(features.span, "RuntimeError", words)


def _match_features(
    source: Item, axis: int, features: Item, *, affine: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compare the channels with ``num_features``; return what must hold, and the warning."""
    size, value = as_tensor(source).shape[axis], features.value
    if isinstance(value, Symbol):
        return ((equal(value.size, size),) if affine and value.size != size else ()), ()
    if isinstance(size, str) and isinstance(value, int):
        return ((equal(value, size),) if affine else ()), ()
    if isinstance(value, int | float) and value == size:
        return (), ()
    if affine:
        shown = value if isinstance(value, int | float) else features.text
        words = f"expected input's size at dim={axis} to match num_features ({shown}), but got: {size}."
        raise RaisedError(features.span, "ValueError", words, axis)
    note = (
        f"PyTorch warns: axis {axis} has {size} channels, num_features={features.text}; without affine=True the number "
        "is not used"
    )
    return (), (note,)


OPERATIONS = {
    f"{name}{axes}d": Operation(partial(rule, axes=axes), None, _ADVICE)
    for axes in (1, 2, 3)
    for name, rule in (("BatchNorm", _batch_norm), ("InstanceNorm", _instance_norm))
} | {
    "LayerNorm": Operation(layer_norm, None, _ADVICE),
    "GroupNorm": Operation(group_norm, None, _ADVICE),
}
