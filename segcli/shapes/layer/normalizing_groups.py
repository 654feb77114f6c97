"""``nn.LayerNorm`` and ``nn.GroupNorm``: PyTorch 2.13's rules."""

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step, tensor_with
from segcli.shapes.layer.layers import as_tensor, is_true
from segcli.shapes.layer.norm_layers import (
    Learned,
    Statistics,
    axis_names,
    check_floating,
    check_mixed,
    counted,
    learn,
    more_than_one,
    normalized,
    one_size,
)
from segcli.shapes.layer.windows import bracketed, read_sizes
from segcli.shapes.symbols import equal, indivisible, product, quotient
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Size, Symbol, Tensor, type_name

_LAYER = "self, normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None"
_LAYER_INNER = "Tensor input, ints normalized_shape, Tensor? weight, Tensor? bias, float eps"
_GROUP = "self, num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True"
_GROUP_INNER = "Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps"


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
    inner = bind_inner(call, "layer_norm", _LAYER_INNER, [given, shape, *_both(learned, call), eps])
    source = inner["input"].item
    x = as_tensor(source)
    sizes = read_sizes("layer_norm", "normalized_shape", inner["normalized_shape"], 1)
    check_mixed(x, learned.dtype, source.span)
    needs = _check_last(x, sizes, shape)
    check_floating(x, "LayerNormKernelImpl", source.span)
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


def _both(learned: Learned, call: Call) -> list[Item]:
    nothing = Item(None, "None", call.span)
    return [learned.weight or nothing, learned.bias or nothing]


def _check_last(x: Tensor, sizes: Shape, at: Item) -> tuple[str, ...]:
    """Compare the last axes with what the layer was made for."""
    if not sizes:
        words = (
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
        raise RaisedError(at.span, "RuntimeError", words)
    last = x.shape[len(x.shape) - len(sizes) :] if len(sizes) <= len(x.shape) else ()
    pairs = list(zip(last, sizes, strict=True)) if len(last) == len(sizes) else []
    differs = next((place for place, pair in enumerate(pairs) if _is_known(pair) and pair[0] != pair[1]), None)
    if not pairs or differs is not None:
        listed = ", ".join(map(str, sizes))
        words = (
            f"Given normalized_shape=[{listed}], expected input with shape [*, {listed}], but got input of "
            f"size{bracketed(x.shape)}"
        )
        axis = None if differs is None else len(x.shape) - len(sizes) + differs
        raise RaisedError(at.span, "RuntimeError", words, axis)
    return tuple(equal(size, other) for size, other in pairs if size != other)


def _is_known(pair: tuple[Size, Size]) -> bool:
    return isinstance(pair[0], int) and isinstance(pair[1], int)


def group_norm(call: Call) -> Computed:
    """Normalize over groups of channels.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    made = call.layer or call
    bound = bind_known(made, "GroupNorm.__init__", _GROUP)
    groups, channels = bound["num_groups"].item, bound["num_channels"].item
    needs = _check_divisible(groups, channels)
    sizes = one_size(channels, "empty") if "affine" not in bound or is_true(bound["affine"].item) else ()
    learned = learn(made, bound, sizes, affine="affine", default=True)
    given = bind_known(call, "GroupNorm.forward", "self, input")["input"].item
    x = tensor_with(given, "dim")
    if len(x.shape) < 2:  # noqa: PLR2004 - batch and channels
        words = f"Expected at least 2 dimensions for input tensor but received {len(x.shape)}"
        raise RaisedError(given.span, "RuntimeError", words)
    needs += _check_count(given, groups)
    eps = item_of(bound, "eps", 1e-05, made.span)
    inner = bind_inner(call, "group_norm", _GROUP_INNER, [given, groups, *_both(learned, call), eps])
    number = read_sizes("group_norm", "num_groups", inner["num_groups"], 1)[0]
    needs += _check_groups(given, groups, number, learned)
    check_mixed(x, learned.dtype, given.span)
    check_floating(x, "GroupNormKernelImpl", given.span)
    return _grouped(call, given, learned, groups, number, eps, needs)


def _grouped(
    call: Call, source: Item, learned: Learned, groups: Item, number: Size, eps: Item, needs: tuple[str, ...]
) -> Computed:
    x = as_tensor(source)
    each = quotient(x.shape[1], number)
    spatial = tuple(range(2, len(x.shape)))
    group = (
        "{i1}" if each == 1 else f"{{i1}} // {each if isinstance(each, int) or each.isidentifier() else f'({each})'}"
    )
    names = (f"{each} channels" if each != 1 else "1 channel", *axis_names(len(x.shape))[2:])
    stats = Statistics((1, *spatial), names, "group of each picture", ("{i0}", group), ("{i1}",))
    counts = (each, *(x.shape[axis] for axis in spatial))
    steps = (
        *kept_step(call, "batch", (0,), "each picture has its own statistics"),
        Step(
            call.stage,
            groups.text,
            groups.span,
            "groups",
            (1,),
            (1,),
            f"{x.shape[1]} channels in {number} groups of {each}",
        ),
        *kept_step(call, "averaged", spatial, f"a group's statistics are of {counted(counts)}; the shape stays"),
    )
    return normalized(call, source, learned, stats, steps, eps=eps, count=product(counts), needs=needs)


def _check_divisible(groups: Item, channels: Item) -> tuple[str, ...]:
    """Do in Python what the constructor does."""
    number, divisor = channels.value, groups.value
    # What divides by 0 does so whatever it divides.
    number = 1 if isinstance(number, Symbol) and divisor == 0 else number
    if (
        isinstance(number, Symbol | int)
        and isinstance(divisor, Symbol | int)
        and not (isinstance(number, int) and isinstance(divisor, int))
    ):
        return tuple(filter(None, [indivisible(_plain(number), _plain(divisor))]))
    if isinstance(number, str):
        words = "not all arguments converted during string formatting"
        raise RaisedError(channels.span, "TypeError", words)
    if not isinstance(number, int | float) or not isinstance(divisor, int | float):
        words = f"unsupported operand type(s) for %: '{type_name(number)}' and '{type_name(divisor)}'"
        raise RaisedError(channels.span, "TypeError", words)
    try:
        rest = number % divisor
    except ZeroDivisionError as error:
        raise RaisedError(groups.span, "ZeroDivisionError", str(error)) from error
    if rest != 0:
        words = f"num_channels ({number}) must be divisible by num_groups ({divisor})"
        raise RaisedError(groups.span, "ValueError", words)
    return ()


def _plain(value: Symbol | int) -> Size:
    return value.size if isinstance(value, Symbol) else value


def _check_count(source: Item, groups: Item) -> tuple[str, ...]:
    """Refuse groups of a single value, as Python counts them."""
    x, value = as_tensor(source).shape, groups.value
    if isinstance(value, Symbol) or not all(isinstance(size, int) for size in x[:2]):
        return ()
    divisor = value if isinstance(value, int | float) else 1
    each = int(x[0]) * int(x[1]) // divisor
    shown = ", ".join(map(str, (each, divisor, *x[2:])))
    words = f"Expected more than 1 value per channel when training, got input size [{shown}]"
    return more_than_one((int(each), *x[2:]), words, source.span)


def _check_groups(source: Item, groups: Item, number: Size, learned: Learned) -> tuple[str, ...]:
    shape = as_tensor(source).shape
    channels = shape[1]
    if isinstance(number, int) and number <= 0:
        raise RaisedError(groups.span, "RuntimeError", f"Expected num groups to be greater than 0, got {number}")
    needs: tuple[str, ...] = ()
    if isinstance(channels, int) and isinstance(number, int):
        if channels % number:
            words = (
                "Expected number of channels in input to be divisible by num_groups, but got input of shape "
                f"{bracketed(shape)} and num_groups={number}"
            )
            raise RaisedError(groups.span, "RuntimeError", words, 1)
    elif learned.weight is None:
        needs = tuple(filter(None, [indivisible(channels, number)]))
    if learned.weight is None:
        return needs
    (size,) = as_tensor(learned.weight).shape
    if _is_known((size, channels)) and size != channels:
        words = (
            "Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape "
            f"[{size}] and input of shape {bracketed(shape)}"
        )
        raise RaisedError(source.span, "RuntimeError", words, 1)
    return needs if size == channels else (*needs, equal(size, channels))
