"""Explains a convolution: its steps, an axis or a group of them each, and its formula."""

from segcli.shapes.computed import Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.layer.convolving import Convolution
from segcli.shapes.layer.windows import Window, arithmetic, spread_arithmetic
from segcli.shapes.values import Shape, Size

_AXES = ("depth", "height", "width")


def convolution_steps(conv: Convolution, spatial: Shape, channels: Size, mode: str) -> tuple[Step, ...]:
    """Return the trace.

    Args:
        conv: The convolution.
        spatial: The result's sizes behind the channels.
        channels: How many channels the result has.
        mode: What is put around an axis: ``zeros``, ``reflect`` ...
    """
    stage, first = conv.call.stage, int(conv.batched)
    steps = []
    if conv.batched:
        steps.append(Step(stage, "", (0, 0), "batch", (0,), (0,), "kept: each goes through by itself"))
    token = conv.tokens[0]
    steps.append(Step(stage, token.text, token.span, "channels", (first,), (first,), _channels_effect(conv, channels)))
    names = ("length",) if conv.axes == 1 else _AXES[-conv.axes :]
    for axis, (window, size) in enumerate(zip(conv.windows, spatial, strict=True)):
        place = first + 1 + axis
        token = conv.tokens[1 + axis]
        effect = _axis_effect(conv, axis, window, size, mode)
        steps.append(Step(stage, token.text, token.span, names[axis], (place,), (place,), effect))
    return (*steps, *([] if conv.is_layer else _filter_steps(conv, first)))


def _channels_effect(conv: Convolution, channels: Size) -> str:
    takes, groups = conv.takes, conv.groups
    if takes == 0:
        return "no channels in: PyTorch gives no channels out, however many filters there are"
    reads, gives = conv.per_group
    if groups == 1 and conv.transposed:
        return f"{takes} -> {channels}: each of them adds up all {takes}"
    if groups == 1:
        return f"{takes} -> {channels}: {channels} filters, each reads all {takes} channels"
    if reads == 1 and not conv.transposed:
        own = "a filter" if gives == 1 else f"{gives} filters"
        return f"{takes} -> {channels}: depthwise, {own} for each channel alone"
    return f"{takes} -> {channels}: in {groups} groups, {gives} from each {reads}"


def _axis_effect(conv: Convolution, axis: int, window: Window, size: Size, mode: str) -> str:
    source = conv.sizes[2 + axis]
    if conv.transposed:
        return spread_arithmetic(source, window, conv.more[axis], size)
    note = "" if mode == "zeros" or window.padding == 0 else f", {mode} padding"
    if window.surplus != 0:
        note += f" (same: {window.padding} before, one more behind)"
    return arithmetic(source, window, size) + note


def _filter_steps(conv: Convolution, channels: int) -> list[Step]:
    """Return the steps of weight and bias, where they are tensors of the expression."""
    stage, weight = conv.call.stage, conv.weight
    axes = tuple(range(len(conv.filters.shape)))
    out: tuple[int, ...] = (1,) if conv.transposed else (0,)
    if conv.transposed and conv.groups != 1:
        out = (0, 1)
    rest = tuple(axis for axis in axes if axis not in out)
    crossed = " x ".join(map(str, conv.filters.shape[2:]))
    across = "" if 0 in rest or 1 in rest else "; its groups lie along axis 0"
    steps = [
        Step(
            stage, weight.text, weight.span, "filters", out, (channels,), "a filter for each channel that comes out", 1
        ),
        Step(stage, weight.text, weight.span, "filter", rest, (), f"what each filter reads: {crossed}{across}", 1),
    ]
    if not conv.transposed:
        read = conv.filters.shape[1]
        plural = "s" if read != 1 else ""
        effect = f"what each filter reads: {read} channel{plural}, {crossed} position{'s' if crossed != '1' else ''}"
        steps[1] = Step(stage, weight.text, weight.span, "filter", rest, (), effect, 1)
    if conv.bias is not None:
        bias = conv.bias
        steps.append(Step(stage, bias.text, bias.span, "bias", (0,), (channels,), "added, a number a channel", 2))
    return steps


def convolution_formula(conv: Convolution, mode: str) -> Formula | None:
    """Return how an element is computed, None where that is not short."""
    if conv.takes == 0 or conv.sizes[0] == 0:
        return None
    written = _spread_reads(conv) if conv.transposed else _window_reads(conv, mode)
    if written is None:
        return None
    source, weight, bound, outside = written
    first = int(conv.batched)
    reads = [Read(0, (*["{i0}"] * first, *source))]
    terms = ["{0}"]
    for name, item, at in (("weight", conv.weight, weight), ("bias", conv.bias, (f"{{i{first}}}",))):
        if item is None:
            continue
        if conv.is_layer:
            terms.append(f"{name}[{', '.join(at)}]")
        else:
            terms.append(f"{{{len(reads)}}}")
            reads.append(Read(len(reads), tuple(at)))
    letters = ", ".join(f"{{k{number}}}" for number in range(len(bound)))
    body = f"{terms[0]} * {terms[1]}"
    if bound:
        body = f"sum over {letters} of {body}"
    if conv.bias is not None:
        body = f"{terms[2]} + {body}"
    if outside:
        body = f"{body}, with zeros outside {conv.input.text}"
    return Formula(body, tuple(reads), bound)


_Written = tuple[tuple[str, ...], tuple[str, ...], Shape, bool]


def _window_reads(conv: Convolution, mode: str) -> _Written | None:
    """Return what is read of the input and of the weight, what the letters walk, and whether zeros stand around."""
    windows = conv.windows
    outside = any(window.padding != 0 or window.surplus != 0 for window in windows)
    # The coordinates of what an index looks at do not end where it does.
    if outside and (mode != "zeros" or not conv.input.text.isidentifier()):
        return None
    if mode != "zeros" and conv.takes != conv.sizes[1]:
        # The layer has put something around the channels too.
        return None
    channel = int(conv.batched)
    bound: list[Size] = []
    place = _channel(conv, f"{{i{channel}}}")
    if place is None:
        return None
    source, weight = [place], [f"{{i{channel}}}", "0"]
    if conv.per_group[0] != 1:
        bound.append(conv.per_group[0])
        weight[1] = "{k0}"
    for axis, window in enumerate(windows):
        letter = f"{{i{channel + 1 + axis}}}"
        tap = f"{{k{len(bound)}}}" if window.kernel != 1 else "0"
        if window.kernel != 1:
            bound.append(window.kernel)
        source.append(_position(window, letter, tap))
        weight.append(tap)
    return tuple(source), tuple(weight), tuple(bound), outside


def _channel(conv: Convolution, letter: str) -> str | None:
    """Return which channel of the input is read."""
    reads, gives = conv.per_group
    if conv.groups == 1:
        return "0" if reads == 1 else "{k0}"
    if not isinstance(reads, int) or not isinstance(gives, int):
        return None
    group = letter if gives == 1 else f"{letter} // {gives}"
    if reads == 1:
        return group
    return f"{group} * {reads} + {{k0}}"


def _position(window: Window, letter: str, tap: str) -> str:
    scaled = letter if window.stride == 1 else f"{window.stride}*{letter}"
    if tap != "0":
        scaled += f" + {tap}" if window.dilation == 1 else f" + {window.dilation}*{tap}"
    return scaled if window.padding == 0 else f"{scaled} - {window.padding}"


def _spread_reads(conv: Convolution) -> _Written | None:
    """Of a transposed one, windows that lie side by side have a short form."""
    beside = all(window == Window(window.kernel, window.kernel) for window in conv.windows)
    if conv.groups != 1 or not beside or any(conv.more):
        return None
    channel = int(conv.batched)
    source, weight = ["{k0}"], ["{k0}", f"{{i{channel}}}"]
    for axis, window in enumerate(conv.windows):
        letter = f"{{i{channel + 1 + axis}}}"
        source.append(letter if window.kernel == 1 else f"{letter} // {window.kernel}")
        weight.append("0" if window.kernel == 1 else f"{letter} % {window.kernel}")
    return tuple(source), tuple(weight), (conv.takes,), False
