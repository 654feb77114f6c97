"""Explains an interpolation: a step an axis, the formula where it is exact, or how values come about."""

from segcli.shapes.calls import Call
from segcli.shapes.computed import Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.layer.affine import add
from segcli.shapes.layer.interpolation_scales import halved
from segcli.shapes.layer.kernels import kept_step
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.records import record
from segcli.shapes.values import Item, Shape, Size, Value

_NAMES = ("depth", "height", "width")
# A float32 counts no further in whole numbers, and PyTorch computes positions in it.
_MAX_EXACT = 2**24
_REACH = {"linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4, "lanczos": 6}


@record(frozen=True, slots=True)
class Traced:
    """What an interpolation did.

    Attributes:
        call: The call.
        source: What it reads.
        output: The result's spatial sizes.
        tokens: What was given for each axis.
        scales: The scale factors that were given, None where sizes were.
        exact: Whether places are computed with the scale factors themselves, and not with the sizes.
        mode: The mode.
        align: ``align_corners``.
        antialias: Whether windows widen where the picture shrinks.
    """

    call: Call
    source: Item
    output: Shape
    tokens: tuple[Item, ...]
    scales: tuple[Value, ...] | None
    exact: bool
    mode: str
    align: bool
    antialias: bool


def explain_interpolation(done: Traced) -> tuple[tuple[Step, ...], Formula | None, str, tuple[str, ...]]:
    """Return the steps, the formula, why values are what they are, and notes."""
    formula = _formula(done)
    return _steps(done), formula, _why(done) if formula is None else "", _notes(done)


def _steps(done: Traced) -> tuple[Step, ...]:
    call, sizes = done.call, as_tensor(done.source).shape[2:]
    names = ("length",) if len(sizes) == 1 else _NAMES[-len(sizes) :]
    steps = list(kept_step(call, "batch and channels", (0, 1), "kept: each channel is resampled by itself"))
    for place, (name, size, made, token) in enumerate(zip(names, sizes, done.output, done.tokens, strict=True)):
        scale = None if done.scales is None else done.scales[place]
        effect = _arithmetic(size, made, scale)
        steps.append(Step(call.stage, token.text, token.span, name, (2 + place,), (2 + place,), effect))
    return tuple(steps)


def _arithmetic(size: Size, made: Size, scale: Value) -> str:
    if scale is None:
        return f"{size} -> {made}, as asked for"
    shown = scale if isinstance(scale, int | float) else getattr(scale, "size", "the factor")
    if isinstance(scale, float) and scale.is_integer():
        shown = int(scale)
    return f"{size} * {shown} = {made}" if isinstance(shown, int) else f"floor({size} * {shown}) = {made}"


def _formula(done: Traced) -> Formula | None:
    shape = as_tensor(done.source).shape
    ratios = [
        _ratio(size, made, None if done.scales is None or not done.exact else done.scales[place])
        for place, (size, made) in enumerate(zip(shape[2:], done.output, strict=True))
    ]
    if done.mode == "area":
        return _means(ratios, shape)
    if done.mode not in ("nearest", "nearest-exact") or any(
        isinstance(size, int) and size > _MAX_EXACT for size in shape
    ):
        return None
    at = ["{i0}", "{i1}"]
    for place, ratio in enumerate(ratios, 2):
        if ratio is None:
            return None
        times, over = ratio
        shift = f" + {over // 2}" if done.mode == "nearest-exact" and over > 1 else ""
        at.append(
            f"{{i{place}}} // {times}" if times > 1 else f"{over}*{{i{place}}}{shift}" if over > 1 else f"{{i{place}}}"
        )
    return Formula("{0}", (Read(0, tuple(at)),))


def _ratio(size: Size, made: Size, scale: Value) -> tuple[int, int] | None:
    """Return how often each position is repeated, and how many are skipped to the next; None where that is not even.

    A position repeated a number of times that is no power of 2 is left out: PyTorch's float32 may miss it.
    """
    if isinstance(scale, int | float):
        if float(scale).is_integer() and scale > 0 and _is_power(int(scale)):
            return int(scale), 1
        skipped = halved(scale)
        return None if skipped is None else (1, skipped)
    if size == made:
        return 1, 1
    if isinstance(size, int) and isinstance(made, int) and size > 0 and made > 0:
        if made % size == 0 and _is_power(made // size):
            return made // size, 1
        return (1, size // made) if size % made == 0 else None
    doubled = next((times for times in (2, 4, 8) if add((times, size)).size == made), None)
    return None if doubled is None else (doubled, 1)


def _is_power(number: int) -> bool:
    return not number & (number - 1)


def _means(ratios: list[tuple[int, int] | None], shape: Shape) -> Formula | None:
    """Return the mean of whole blocks, where the result has a block each."""
    if any(ratio is None or ratio[0] > 1 for ratio in ratios) or 0 in shape:
        return None
    at = ["{i0}", "{i1}"]
    bound: list[int] = []
    for place, ratio in enumerate(ratios, 2):
        over = ratio[1] if ratio else 1
        if over > 1:
            at.append(f"{over}*{{i{place}}} + {{k{len(bound)}}}")
            bound.append(over)
        else:
            at.append(f"{{i{place}}}")
    letters = ", ".join(f"{{k{number}}}" for number in range(len(bound)))
    return Formula(f"mean over {letters} of {{0}}" if bound else "{0}", (Read(0, tuple(at)),), tuple(bound))


def _why(done: Traced) -> str:
    factors = set(done.scales or ()) if done.exact else set()
    step = f"p / {next(iter(factors))}" if len(factors) == 1 else "p * in / out"
    if done.mode == "area":
        return "area: position p is the mean of positions floor(p * in / out) to ceil((p + 1) * in / out) - 1"
    if done.mode == "nearest":
        return f"nearest: position p of the result reads position floor({step})"
    middle = step.replace("p", "(p + 0.5)", 1)
    if done.mode == "nearest-exact":
        return (
            f"nearest-exact: position p of the result reads position floor({middle}), the pixel that holds its middle"
        )
    reach = " x ".join([str(_REACH[done.mode])] * len(done.output))
    wide = ", more where the picture shrinks (antialias)" if done.antialias else ""
    if done.align:
        place = "p * (in - 1) / (out - 1): align_corners=True lays the middles of the corner pixels over one another"
    else:
        place = f"{middle} - 0.5: align_corners=False lays the outer edges over one another"
    return f"{done.mode}: position p mixes the {reach} positions around {place}{wide}"


def _notes(done: Traced) -> tuple[str, ...]:
    """Say where a scale factor does not give a whole number."""
    if not done.exact:
        return ()
    for size, made, scale in zip(as_tensor(done.source).shape[2:], done.output, done.scales or (), strict=True):
        if isinstance(size, int) and isinstance(scale, float) and size * scale != made:
            note = (
                f"{size} * {scale} is no whole number: values are read with the factor {scale} itself; "
                f"recompute_scale_factor=True reads with {made} / {size}"
            )
            return (note,)
    return ()
