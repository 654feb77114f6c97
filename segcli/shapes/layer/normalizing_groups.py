"""``nn.GroupNorm``, and ``F.group_norm``: PyTorch 2.13's rules."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step, tensor_with
from segcli.shapes.layer.layers import as_tensor, is_true
from segcli.shapes.layer.norm_layers import (
    Learned,
    Statistics,
    are_known,
    axis_names,
    both_of,
    check_alike,
    check_floating,
    check_parameters,
    counted,
    learn,
    more_than_one,
    normalized,
    one_size,
)
from segcli.shapes.layer.windows import bracketed, read_sizes
from segcli.shapes.symbols import equal, indivisible, product, quotient
from segcli.shapes.values import Item, RaisedError, Size, Symbol, type_name

_GROUP = "self, num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True"
_GROUP_INNER = "Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps"


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
    needs += check_count(given, groups)
    eps = item_of(bound, "eps", 1e-05, made.span)
    done = normalize_groups(call, given, groups, learned, eps)
    return replace(done, needs=(*needs, *done.needs))


def normalize_groups(call: Call, given: Item, groups: Item, learned: Learned, eps: Item) -> Computed:
    """Normalize over groups of channels.

    Args:
        call: The call.
        given: What is normalized, of two axes or more.
        groups: How many groups.
        learned: Weight and bias.
        eps: What is added to a variance.

    Raises:
        RaisedError: As ``torch.group_norm`` raises.
    """
    x = as_tensor(given)
    inner = bind_inner(call, "group_norm", _GROUP_INNER, [given, groups, *both_of(learned, call), eps])
    number = read_sizes("group_norm", "num_groups", inner["num_groups"], 1)[0]
    needs = _check_groups(given, groups, number, learned, made=call.layer is not None)
    check_parameters(x, learned, given.span)
    check_floating(x, "GroupNormKernelImpl", given.span)
    check_alike(x, learned)
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


def check_count(source: Item, groups: Item) -> tuple[str, ...]:
    """Refuse groups of a single value, as Python counts them.

    Raises:
        RaisedError: PyTorch's ValueError.
    """
    x, value = as_tensor(source).shape, groups.value
    if isinstance(value, Symbol) or not all(isinstance(size, int) for size in x[:2]):
        return ()
    divisor = value if isinstance(value, int | float) else 1
    each = int(x[0]) * int(x[1]) // divisor
    shown = ", ".join(map(str, (each, divisor, *x[2:])))
    words = f"Expected more than 1 value per channel when training, got input size [{shown}]"
    return more_than_one((int(each), *x[2:]), words, source.span)


def _check_groups(source: Item, groups: Item, number: Size, learned: Learned, *, made: bool) -> tuple[str, ...]:
    """Compare the channels with the groups, which divide what a layer was made for, and with what is learned."""
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
    elif learned.weight is None or not made:
        needs = tuple(filter(None, [indivisible(channels, number)]))
    # Of a bias too, PyTorch tells the shape of the weight.
    told = bracketed((0,) if learned.weight is None else as_tensor(learned.weight).shape)
    for name, item in (("weight", learned.weight), ("bias", learned.bias)):
        own = (channels,) if item is None else as_tensor(item).shape
        if item is not None and (len(own) != 1 or (are_known((own[0], channels)) and own[0] != channels)):
            words = (
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {told} and input of shape {bracketed(shape)}"
            )
            raise RaisedError(source.span, "RuntimeError", words, 1)
        needs += () if own[0] == channels else (equal(own[0], channels),)
    return tuple(dict.fromkeys(needs))
