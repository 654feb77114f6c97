"""Pooling by a window, as functions and as layers: PyTorch 2.13's (``aten/src/ATen/native/Pool.h``)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.adaptive_pooling import adaptive
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.layers import is_true
from segcli.shapes.layer.pooled import pooled
from segcli.shapes.layer.pooling_checks import Pool, check_shape, check_window
from segcli.shapes.layer.windows import Window, arithmetic, read_sizes
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, FLOATING, Item, Listed, RaisedError, Shape, Size, Span, Value

_MAX = Signatures((), ("Tensor input, ints kernel_size, ints stride=, ints padding=, ints dilation=, bool ceil_mode=",))
_AVERAGE_SIZES = "Tensor input, ints kernel_size, ints? stride=, ints padding="
_AVERAGE = Signatures(
    (),
    (f"{_AVERAGE_SIZES}, bool ceil_mode=, bool count_include_pad=, int? divisor_override=, *, out? out=",),
)
_MAX_FUNCTION = "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False"
_MAX_LAYER = "self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
_AVERAGE_LAYER = (
    "self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None"
)
_INT32 = 2**31


def _max_function(call: Call) -> Computed:
    keywords = dict(call.arguments)
    flag = keywords.get("return_indices") or _positional(call, 6)
    indices = flag is not None and is_true(flag)
    function = "max_pool2d_with_indices" if indices else "_max_pool2d"
    return _max(call, bind_python(call, function, _MAX_FUNCTION), indices=indices)


def _positional(call: Call, place: int) -> Item | None:
    found = [item for keyword, item in call.arguments if not keyword]
    return found[place] if place < len(found) else None


def _max_layer(call: Call) -> Computed:
    bound = bind_python(call.layer or call, "_MaxPoolNd.__init__", _MAX_LAYER)
    given = bind_python(call, "MaxPool2d.forward", "self, input")
    indices = "return_indices" in bound and is_true(bound["return_indices"].item)
    return _max(call, bound | given, indices=indices)


def _max(call: Call, bound: dict[str, Given], *, indices: bool) -> Computed:
    """Pool by maximum, as both functions of Python do: every argument goes on by position."""
    name = "max_pool2d_with_indices" if indices else "max_pool2d"
    stride = bound["stride"].item if "stride" in bound and bound["stride"].value is not None else None
    defaults: dict[str, Value] = {"padding": 0, "dilation": 1, "ceil_mode": False}
    parts = [bound["input"].item, bound["kernel_size"].item, stride or _made(Listed(()), call.span)]
    parts += [bound[each].item if each in bound else _made(value, call.span) for each, value in defaults.items()]
    inner = replace(call, name=name, space="functional", arguments=tuple(("", item) for item in parts))
    pool = _read(inner, bind_call(inner, _MAX), name)
    return _pooled(replace(pool, call=call, given=bound), "max", indices=indices)


def _average_function(call: Call) -> Computed:
    return _pooled(_read(call, bind_call(call, _AVERAGE), "avg_pool2d"), "mean")


def _average_layer(call: Call) -> Computed:
    bound = bind_python(call.layer or call, "AvgPool2d.__init__", _AVERAGE_LAYER)
    given = bind_python(call, "AvgPool2d.forward", "self, input")
    defaults: dict[str, Value] = {
        "stride": None,
        "padding": 0,
        "ceil_mode": False,
        "count_include_pad": True,
        "divisor_override": None,
    }
    parts = [given["input"].item, bound["kernel_size"].item]
    parts += [bound[each].item if each in bound else _made(value, call.span) for each, value in defaults.items()]
    inner = replace(call, name="avg_pool2d", space="functional", arguments=tuple(("", item) for item in parts))
    pool = _read(inner, bind_call(inner, _AVERAGE), "avg_pool2d")
    return _pooled(replace(pool, call=call, given=bound | given), "mean")


def _made(value: Value, span: Span) -> Item:
    return Item(value, "", span)


def _read(call: Call, bound: dict[str, Given], name: str) -> Pool:
    """Read the sizes, in PyTorch's order."""
    # The parser reads every number before PyTorch counts them.
    for argument in ("kernel_size", "stride", "padding", "dilation"):
        if argument in bound and bound[argument].value is not None:
            read_sizes(name.removesuffix("_with_indices"), argument, bound[argument], 2)
    kernel = _two(name, "kernel_size", bound, "must either be a single int, or a tuple of two ints")
    stride = kernel
    if "stride" in bound and bound["stride"].value is not None:
        stride = _two(name, "stride", bound, "must either be omitted, a single int, or a tuple of two ints") or kernel
    padding = _two(name, "padding", bound, "must either be a single int, or a tuple of two ints") or (0, 0)
    dilation = _two(name, "dilation", bound, "must be either a single int, or a tuple of two ints") or (1, 1)
    first, second = (Window(*each) for each in zip(kernel, stride, padding, dilation, strict=True))
    divisor = bound.get("divisor_override")
    given_divisor = None if divisor is None or divisor.value is None else read_size(divisor.item)
    if given_divisor == 0 and divisor is not None:
        raise RaisedError(divisor.item.span, "RuntimeError", "divisor must be not zero")
    item = bound["kernel_size"].item
    items = item.value.items if isinstance(item.value, Listed) else (item,)
    return Pool(
        call=call,
        name=name,
        input=bound["input"].item,
        windows=(first, second),
        ceil="ceil_mode" in bound and is_true(bound["ceil_mode"].item),
        given=bound,
        kernel=(items * 2)[:2],
        include="count_include_pad" not in bound or is_true(bound["count_include_pad"].item),
        divisor=given_divisor or 0,
    )


def _two(name: str, argument: str, bound: dict[str, Given], words: str) -> Shape:
    """Return two sizes; nothing where there are none and none are needed."""
    if argument not in bound:
        return ()
    given = bound[argument]
    sizes = read_sizes(name, argument, given, 2)
    if len(sizes) == 1:
        sizes *= 2
    if len(sizes) != 2 and (sizes or argument != "stride"):  # noqa: PLR2004 - height and width
        function = "max_pool2d" if "max" in name else name
        raise RaisedError(given.item.span, "RuntimeError", f"{function}: {argument} {words}")
    if any(isinstance(size, int) and not -_INT32 <= size < _INT32 for size in sizes):
        raise RaisedError(given.item.span, "RuntimeError", "value cannot be converted to type int without overflow")
    return sizes


def _pooled(pool: Pool, what: str, *, indices: bool = False) -> Computed:
    shape = pool.source.shape
    ndim = len(shape)
    if what == "mean" and ndim < 3:  # noqa: PLR2004 - channels, height, width
        ends = f"[{-max(ndim, 1)}, {max(ndim, 1) - 1}]"
        words = f"Dimension out of range (expected to be in range of {ends}, but got -3)"
        if not ndim:
            words = "Dimension specified as -3 but tensor has no dimensions"
        raise RaisedError(pool.input.span, "IndexError", words)
    if what == "max" and ndim not in (3, 4):
        raise pool.fail(at="input", words="non-empty 3D or 4D (batch mode) tensor expected for input")
    for window in pool.windows:
        check_window(pool, window)
    spatial = tuple(window.places(size, ceil=pool.ceil) for size, window in zip(shape[-2:], pool.windows, strict=True))
    check_shape(pool, spatial)
    dtype = pool.source.dtype
    if dtype in ("bool", *COMPLEX) or (what == "mean" and dtype not in (*FLOATING, "int64")):
        raise no_kernel(kernel_for(f"{what.replace('mean', 'avg')}_pool2d", pool.source), dtype, pool.input.span)
    pairs = zip(shape[-2:], pool.windows, strict=True)
    needs = [need for size, window in pairs for need in window.needs(size, ceil=pool.ceil)]
    return pooled(
        pool.call,
        pool.input,
        spatial,
        _steps(pool, what, spatial),
        formula=_formula(pool, what),
        needs=needs,
        indices=indices,
    )


def _steps(pool: Pool, what: str, spatial: Shape) -> list[Step]:
    steps = []
    first = len(pool.source.shape) - 2
    for axis, (window, size) in enumerate(zip(pool.windows, spatial, strict=True)):
        token = pool.kernel[axis]
        effect = arithmetic(pool.source.shape[first + axis], window, size, ceil=pool.ceil)
        place = (first + axis,)
        kind = ("height", "width")[axis]
        steps.append(
            Step(pool.call.stage, token.text, token.span, kind, place, place, f"{what} of {window.kernel}: {effect}")
        )
    return steps


def _formula(pool: Pool, what: str) -> Formula | None:
    """Return which positions an element looks at; where some lie outside, in words."""
    outside = any(window.padding != 0 for window in pool.windows) or pool.ceil
    if outside and not pool.input.text.isidentifier():
        return None
    if pool.divisor or (what == "mean" and outside and pool.include and pool.ceil):
        return None
    first = len(pool.source.shape) - 2
    at = [f"{{i{axis}}}" for axis in range(first)]
    bound: list[Size] = []
    for axis, window in enumerate(pool.windows):
        letter = f"{{i{first + axis}}}"
        place = letter if window.stride == 1 else f"{window.stride}*{letter}"
        if window.kernel != 1:
            tap = f"{{k{len(bound)}}}"
            place += f" + {tap}" if window.dilation == 1 else f" + {window.dilation}*{tap}"
            bound.append(window.kernel)
        at.append(place if window.padding == 0 else f"{place} - {window.padding}")
    if not bound:
        return Formula("{0}", (Read(0, tuple(at)),)) if not outside else None
    letters = ", ".join(f"{{k{number}}}" for number in range(len(bound)))
    around = ""
    if outside:
        counted = what == "mean" and pool.include
        around = f", with zeros outside {pool.input.text}" if counted else f", inside {pool.input.text}"
    return Formula(f"{what} over {letters} of {{0}}{around}", (Read(0, tuple(at)),), tuple(bound))


_Rule = Callable[[Call], Computed]
_ADVICE = "write x.reshape(n, c, h // 2, 2, w // 2, 2).{what}(axis=(3, 5)) for windows side by side"
_RULES: Sequence[tuple[str, _Rule, str]] = (
    ("max_pool2d", _max_function, "max"),
    ("MaxPool2d", _max_layer, "max"),
    ("avg_pool2d", _average_function, "mean"),
    ("AvgPool2d", _average_layer, "mean"),
    ("adaptive_avg_pool2d", partial(adaptive, what="mean"), "mean"),
    ("AdaptiveAvgPool2d", partial(adaptive, what="mean"), "mean"),
    ("adaptive_max_pool2d", partial(adaptive, what="max"), "max"),
    ("AdaptiveMaxPool2d", partial(adaptive, what="max"), "max"),
)
OPERATIONS = {name: Operation(rule, None, _ADVICE.format(what=what)) for name, rule, what in _RULES}
