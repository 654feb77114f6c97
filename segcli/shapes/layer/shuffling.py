"""``F.pixel_shuffle``: channels that become pixels. PyTorch 2.13's rules."""

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.kernels import kept_step, made_like
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import product, quotient
from segcli.shapes.values import RaisedError, Shape, Size

_SIGNATURE = Signatures((), ("Tensor input, int upscale_factor",))
_CHANNELS = 3
_ADVICE = "write x.reshape(n, c, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c, h * r, w * r)"


def shuffle(call: Call) -> Computed:
    """Spread channels over pixels.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_call(call, _SIGNATURE)
    source, asked = bound["input"].item, bound["upscale_factor"].item
    x, factor = as_tensor(source), read_size(asked)
    if len(x.shape) < _CHANNELS:
        words = (
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {len(x.shape)} dimension(s)"
        )
        raise RaisedError(source.span, "RuntimeError", words)
    if isinstance(factor, int) and factor <= 0:
        words = f"pixel_shuffle expects a positive upscale_factor, but got {factor}"
        raise RaisedError(asked.span, "RuntimeError", words)
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
    needs = (f"{channels} % {area} == 0",) if "//" in str(left) else ()
    first = len(batch)
    effects = (
        f"{channels} // {area} = {left}",
        f"{height} * {factor} = {shape[-2]}",
        f"{width} * {factor} = {shape[-1]}",
    )
    steps = [
        Step(call.stage, asked.text, asked.span, kind, (first + place,), (first + place,), effect)
        for place, (kind, effect) in enumerate(zip(("channels", "height", "width"), effects, strict=True))
    ]
    kept = kept_step(call, "batch", range(first), "kept")
    return Computed(result, (source,), (*kept, *steps), formula=_formula(shape, factor, area), needs=needs)


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
