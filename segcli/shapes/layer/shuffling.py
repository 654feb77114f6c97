"""``F.pixel_shuffle``: channels that become pixels. PyTorch 2.13's rules."""

from collections.abc import Sequence

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.kernels import kept_step, made_like
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import indivisible, product, quotient
from segcli.shapes.values import Item, RaisedError, Shape, Size

# Channels, height, width.
PICTURE = 3
_FUNCTIONS = {"upscale_factor": "pixel_shuffle", "downscale_factor": "pixel_unshuffle"}
_ADVICE = "write x.reshape(n, c, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c, h * r, w * r)"


def read_picture(call: Call, factor_name: str) -> tuple[Item, Item, Size]:
    """Return what is shuffled, the factor as it is given, and as a size.

    Args:
        call: The call.
        factor_name: The factor's name: ``upscale_factor`` or ``downscale_factor``.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_call(call, Signatures((), (f"Tensor input, int {factor_name}",)))
    source, asked = bound["input"].item, bound[factor_name].item
    ndim, factor, name = len(as_tensor(source).shape), read_size(asked), _FUNCTIONS[factor_name]
    if ndim < PICTURE:
        words = f"{name} expects input to have at least 3 dimensions, but got input with {ndim} dimension(s)"
        raise RaisedError(source.span, "RuntimeError", words)
    if isinstance(factor, int) and factor <= 0:
        raise RaisedError(asked.span, "RuntimeError", f"{name} expects a positive {factor_name}, but got {factor}")
    return source, asked, factor


def picture_steps(call: Call, asked: Item, first: int, effects: Sequence[str]) -> tuple[Step, ...]:
    """Return the trace: the batch stays, and of channels, height and width it is told what becomes of them.

    Args:
        call: The call.
        asked: The factor.
        first: The axis of the channels.
        effects: What becomes of channels, height and width.
    """
    kinds = zip(("channels", "height", "width"), effects, strict=True)
    steps = [
        Step(call.stage, asked.text, asked.span, kind, (first + place,), (first + place,), effect)
        for place, (kind, effect) in enumerate(kinds)
    ]
    return *kept_step(call, "batch", range(first), "kept"), *steps


def shuffle(call: Call) -> Computed:
    """Spread channels over pixels.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    source, asked, factor = read_picture(call, "upscale_factor")
    x = as_tensor(source)
    *batch, channels, height, width = x.shape
    area = product([factor, factor])
    if isinstance(channels, int) and isinstance(area, int) and channels % area:
        words = (
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {area}"
        )
        raise RaisedError(source.span, "RuntimeError", words, len(batch))
    left = quotient(channels, area)
    shape = (*batch, left, product([height, factor]), product([width, factor]))
    result = made_like(call, x, shape)
    needs = tuple(filter(None, [indivisible(channels, area)]))
    effects = (
        f"{channels} // {area} = {left}",
        f"{height} * {factor} = {shape[-2]}",
        f"{width} * {factor} = {shape[-1]}",
    )
    steps = picture_steps(call, asked, len(batch), effects)
    return Computed(result, (source,), steps, formula=_formula(shape, factor, area), needs=needs)


def _formula(shape: Shape, factor: Size, area: Size) -> Formula | None:
    """Return which channel an element is from; nothing where the factor is no number."""
    if not isinstance(factor, int):
        return None
    channel, row, column = (f"{{i{len(shape) - place}}}" for place in (3, 2, 1))
    if factor == 1:
        at = [channel, row, column]
    else:
        inside = f"{row} % {factor} * {factor} + {column} % {factor}"
        at = [f"{channel}*{area} + {inside}", f"{row} // {factor}", f"{column} // {factor}"]
    return Formula("{0}", (Read(0, (*(f"{{i{axis}}}" for axis in range(len(shape) - 3)), *at)),))


OPERATIONS = {"pixel_shuffle": Operation(shuffle, None, _ADVICE)}
