"""``F.pixel_unshuffle``: pixels that become channels. PyTorch 2.13's rules."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.layer.kernels import made_like
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.shuffling import PICTURE, picture_steps, read_picture
from segcli.shapes.symbols import indivisible, product, quotient
from segcli.shapes.values import Item, RaisedError, Shape, Size

_NAMES = {-2: "height", -1: "width"}
_ADVICE = (
    "write x.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * r * r, h // r, w // r)"
)


def unshuffle(call: Call) -> Computed:
    """Put the pixels of each block into channels.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    source, asked, factor = read_picture(call, "downscale_factor")
    x = as_tensor(source)
    first = len(x.shape) - PICTURE
    channels, height, width = x.shape[first:]
    needs = [*_check(source, height, factor, -2), *_check(source, width, factor, -1)]
    made = (product([channels, factor, factor]), quotient(height, factor), quotient(width, factor))
    effects = (
        f"{channels} * {factor} * {factor} = {made[0]}",
        f"{height} // {factor} = {made[1]}",
        f"{width} // {factor} = {made[2]}",
    )
    steps = picture_steps(call, asked, first, effects)
    # PyTorch gives a tensor without elements back as it is.
    shape = x.shape if 0 in x.shape else (*x.shape[:first], *made)
    formula = _formula(shape, factor)
    return Computed(made_like(call, x, shape), (source,), steps, formula=formula, needs=tuple(needs))


def _check(source: Item, size: Size, factor: Size, axis: int) -> list[str]:
    if isinstance(size, int) and isinstance(factor, int):
        if size % factor:
            words = f"pixel_unshuffle expects {_NAMES[axis]} to be divisible by "
            words += f"downscale_factor, but input.size({axis})={size} is not divisible by {factor}"
            raise RaisedError(source.span, "RuntimeError", words, len(as_tensor(source).shape) + axis)
        return []
    return list(filter(None, [indivisible(size, factor)]))


def _formula(shape: Shape, factor: Size) -> Formula | None:
    """Return which pixel an element is; nothing where the factor is no number."""
    if not isinstance(factor, int) or 0 in shape:
        return None
    channel, row, column = (f"{{i{len(shape) - place}}}" for place in (3, 2, 1))
    at = [channel, row, column]
    if factor != 1:
        inside = (f"{channel} // {factor} % {factor}", f"{channel} % {factor}")
        at = [f"{channel} // {factor * factor}", f"{factor}*{row} + {inside[0]}", f"{factor}*{column} + {inside[1]}"]
    return Formula("{0}", (Read(0, (*(f"{{i{axis}}}" for axis in range(len(shape) - 3)), *at)),))


OPERATIONS = {"pixel_unshuffle": Operation(unshuffle, None, _ADVICE)}
