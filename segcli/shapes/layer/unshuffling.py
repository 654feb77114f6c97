"""``F.pixel_unshuffle``: pixels that become channels. PyTorch 2.13's rules."""

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.kernels import kept_step, made_like
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import product, quotient
from segcli.shapes.values import Item, RaisedError, Shape, Size

_SIGNATURE = Signatures((), ("Tensor input, int downscale_factor",))
_PICTURE = 3
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
    bound = bind_call(call, _SIGNATURE)
    source, asked = bound["input"].item, bound["downscale_factor"].item
    x, factor = as_tensor(source), read_size(asked)
    if len(x.shape) < _PICTURE:
        words = f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {len(x.shape)} "
        raise RaisedError(source.span, "RuntimeError", f"{words}dimension(s)")
    if isinstance(factor, int) and factor <= 0:
        words = f"pixel_unshuffle expects a positive downscale_factor, but got {factor}"
        raise RaisedError(asked.span, "RuntimeError", words)
    first = len(x.shape) - _PICTURE
    channels, height, width = x.shape[first:]
    needs = [*_check(source, height, factor, -2), *_check(source, width, factor, -1)]
    made = (product([channels, factor, factor]), quotient(height, factor), quotient(width, factor))
    effects = (
        f"{channels} * {factor} * {factor} = {made[0]}",
        f"{height} // {factor} = {made[1]}",
        f"{width} // {factor} = {made[2]}",
    )
    steps = [
        Step(call.stage, asked.text, asked.span, kind, (first + place,), (first + place,), effect)
        for place, (kind, effect) in enumerate(zip(("channels", "height", "width"), effects, strict=True))
    ]
    # PyTorch gives a tensor without elements back as it is.
    shape = x.shape if 0 in x.shape else (*x.shape[:first], *made)
    kept = kept_step(call, "batch", range(first), "kept")
    formula = _formula(shape, factor)
    return Computed(made_like(call, x, shape), (source,), (*kept, *steps), formula=formula, needs=tuple(needs))


def _check(source: Item, size: Size, factor: Size, axis: int) -> list[str]:
    if isinstance(size, int) and isinstance(factor, int):
        if size % factor:
            words = f"pixel_unshuffle expects {_NAMES[axis]} to be divisible by "
            words += f"downscale_factor, but input.size({axis})={size} is not divisible by {factor}"
            raise RaisedError(source.span, "RuntimeError", words, len(as_tensor(source).shape) + axis)
        return []
    return [f"{size} % {factor} == 0"] if "//" in str(quotient(size, factor)) else []


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
