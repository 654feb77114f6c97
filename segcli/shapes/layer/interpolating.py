"""``F.interpolate`` and ``nn.Upsample``: what PyTorch 2.13's Python checks, and the sizes that come out."""

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.layer.interpolation_kernels import Kernel, check_kernel, find_kernel, read_output
from segcli.shapes.layer.interpolation_scales import scaled, truncated
from segcli.shapes.layer.interpolation_trace import Traced, explain_interpolation
from segcli.shapes.layer.kernels import made_like, tensor_with
from segcli.shapes.layer.layers import is_true
from segcli.shapes.records import record
from segcli.shapes.values import COMPLEX, FLOATING, Item, Listed, RaisedError, Size, Symbol, Tensor, Value, type_name

_PLAIN = ("nearest", "area", "nearest-exact")
_SMOOTH = ("bilinear", "bicubic", "lanczos")
_IMAGE = 4


@record(frozen=True, slots=True)
class Options:
    """The arguments of ``F.interpolate`` beside the tensor."""

    size: Item
    scale_factor: Item
    mode: Item
    align_corners: Item
    recompute_scale_factor: Item
    antialias: Item


def interpolate(call: Call, source: Item, options: Options) -> Computed:
    """Resample a tensor.

    Args:
        call: The call.
        source: The tensor.
        options: The other arguments.

    Raises:
        RaisedError: As PyTorch raises.
        SegcliError: For what hangs on values that are not known.
    """
    mode = options.mode
    if isinstance(mode.value, Tensor):
        message = "mode is a tensor, expected a text such as 'bilinear'"
        raise SegcliError(message)
    if mode.value in _PLAIN and options.align_corners.value is not None:
        words = (
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
        raise RaisedError(options.align_corners.span, "ValueError", words)
    x = tensor_with(source, "dim")
    sizes, scales = _read_target(call, x, options)
    recomputes = options.recompute_scale_factor.value is not None and is_true(options.recompute_scale_factor)
    if recomputes and sizes is not None:
        words = "recompute_scale_factor is not meaningful with an explicit size."
        raise RaisedError(options.recompute_scale_factor.span, "ValueError", words)
    tokens = sizes or scales or ()
    keeps_scales = scales is not None and not recomputes and mode.value != "area"
    if scales is not None and not keeps_scales:
        sizes = tuple(_truncated(size, scale) for size, scale in zip(x.shape[2:], scales, strict=True))
    kernel = _choose(x, options)
    asked = options.size if options.size.value is not None else options.scale_factor
    target = read_output(kernel, asked, sizes if not keeps_scales else None, scales, options.align_corners)
    output, needs = check_kernel(kernel, source, x, target, asked)
    shape = (*x.shape[:2], *output)
    traced = Traced(
        call=call,
        source=source,
        output=output,
        tokens=_tokens(asked, tokens),
        scales=tuple(scale.value for scale in scales) if scales is not None else None,
        exact=keeps_scales,
        mode=str(mode.value),
        align=options.align_corners.value is True,
        antialias=kernel.antialias,
    )
    steps, formula, why, notes = explain_interpolation(traced)
    result = made_like(call, x, shape)
    return Computed(result, (source,), steps, formula=formula, why=why, needs=needs, notes=notes)


def _read_target(call: Call, x: Tensor, options: Options) -> tuple[tuple[Item, ...] | None, tuple[Item, ...] | None]:
    """Return what stands for each spatial axis: sizes, or scale factors."""
    size, scale = options.size, options.scale_factor
    count = max(len(x.shape) - 2, 0)
    if size.value is not None and scale.value is not None:
        raise RaisedError(scale.span, "ValueError", "only one of size or scale_factor should be defined")
    if size.value is None and scale.value is None:
        raise RaisedError(call.span, "ValueError", "either size or scale_factor should be defined")
    given = size if size.value is not None else scale
    items = (given,) * count
    if isinstance(given.value, Listed):
        items = given.value.items
        if len(items) != len(x.shape) - 2:
            raise RaisedError(given.span, "ValueError", _count_words(x, given, given.value, is_size=given is size))
        if given is size and not all(_is_whole(item.value) for item in items):
            types = ", ".join(f"<class '{_class(item.value)}'>" for item in items)
            words = (
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
                f"with types [{types}]"
            )
            raise RaisedError(given.span, "TypeError", words)
    return (items, None) if given is size else (None, items)


def _count_words(x: Tensor, given: Item, listed: Listed, *, is_size: bool) -> str:
    spatial = f"[{', '.join(map(str, x.shape[2:]))}]"
    shown = _as_python(given.text, listed)
    if is_size:
        return (
            "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {spatial} and output size of {shown}. Please provide input tensor in (N, C, d1, d2, ...,dK) format "
            "and output size in (o1, o2, ...,oK) format."
        )
    return (
        "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions "
        f"of {spatial} and scale_factor of shape {shown}. Please provide input tensor in (N, C, d1, d2, ...,dK) format "
        "and scale_factor in (s1, s2, ...,sK) format."
    )


def _as_python(text: str, listed: Listed) -> str:
    """Write a list of numbers as Python prints it; anything else as it is written."""
    values = [item.value.size if isinstance(item.value, Symbol) else item.value for item in listed.items]
    if not all(isinstance(value, int | float | str) or value is None for value in values):
        return text
    raw = [item.value for item in listed.items]
    shown = ", ".join(value.size if isinstance(value, Symbol) else repr(value) for value in raw)
    if listed.is_size:
        return f"torch.Size([{shown}])"
    if not listed.is_tuple:
        return f"[{shown}]"
    return f"({shown}{',' * (len(values) == 1)})"


def _is_whole(value: Value) -> bool:
    if isinstance(value, Tensor):
        return value.dtype not in (*FLOATING, *COMPLEX)
    return isinstance(value, int | Symbol)


def _class(value: Value) -> str:
    return "torch.Tensor" if isinstance(value, Tensor) else type_name(value)


def _truncated(size: Size, scale: Item) -> Item:
    """Multiply in Python and cut off what is behind the point, as PyTorch does before some functions of C++."""
    value = scale.value
    if isinstance(value, Tensor | str):
        message = f"scale_factor={scale.text} is not supported here, only a number"
        raise SegcliError(message)
    if value is None:
        words = "unsupported operand type(s) for *: 'int' and 'NoneType'"
        raise RaisedError(scale.span, "TypeError", words)
    if not isinstance(value, int | float | Symbol):
        words = f"int() argument must be a string, a bytes-like object or a real number, not '{type_name(value)}'"
        raise RaisedError(scale.span, "TypeError", words)
    made = scaled(size, value)
    if isinstance(made, float):
        made = truncated(made, scale)
    return Item(Symbol(made) if isinstance(made, str) else made, scale.text, scale.span)


def _choose(x: Tensor, options: Options) -> Kernel:
    """Return the function that does it, or raise for a mode that does not fit."""
    mode, ndim = options.mode, len(x.shape)
    antialias = is_true(options.antialias)
    if antialias and not (mode.value in _SMOOTH and ndim == _IMAGE):
        words = (
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
        raise RaisedError(options.antialias.span, "ValueError", words)
    if mode.value == "lanczos" and ndim == _IMAGE:
        if options.align_corners.value is not None and is_true(options.align_corners):
            words = "Lanczos mode does not support align_corners=True"
            raise RaisedError(options.align_corners.span, "ValueError", words)
        if not antialias:
            raise RaisedError(mode.span, "ValueError", "Lanczos mode requires antialias=True")
    return find_kernel(mode, ndim, antialias=antialias)


def _tokens(asked: Item, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return what the trace shows for each axis: its own number where it is written."""
    if isinstance(asked.value, Listed) and asked.value.is_size:
        return (asked,) * len(items)
    return tuple(item if asked.span[0] <= item.span[0] <= item.span[1] <= asked.span[1] else asked for item in items)
