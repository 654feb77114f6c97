"""Ways to write layers and their functions with what both libraries have, where there are any."""

from collections.abc import Iterator, Sequence

from segcli.shapes.rewriting import losses
from segcli.shapes.rewriting.applied import Applied, Way
from segcli.shapes.rewriting.place import Place, Sure, as_primary, is_plain, sure_if
from segcli.shapes.text.nodes import Argument, Attribute, Call, Node
from segcli.shapes.text.nodes import Sequence as Listed
from segcli.shapes.values import Shape, Size, Tensor


def propose(place: Place, node: Call) -> Iterator[str]:
    """Go through the ways to write a layer that is applied, or its function.

    Args:
        place: The step.
        node: It.
    """
    maker = node.function if isinstance(node.function, Call) else None
    function = maker.function if maker else node.function
    known = _LAYERS.get(function.name) if isinstance(function, Attribute) else None
    if known is None:
        return
    names, way = known
    arguments = [*node.arguments, *(maker.arguments if maker else ())]
    first, *others = arguments
    source = place.tensor(first.node)
    if source is not None:
        yield from way(Applied(place, first.node, source, _named(others, names.split())))


def _named(arguments: Sequence[Argument], names: Sequence[str]) -> dict[str, Node]:
    positional = [argument.node for argument in arguments if not argument.keyword]
    given = dict(zip(names, positional, strict=False))
    return given | {argument.keyword: argument.node for argument in arguments if argument.keyword}


def _one_hot(call: Applied) -> Iterator[str]:
    count = call.given.get("num_classes")
    # Without a number, or with -1, the largest class says how many there are.
    if count is not None and call.place.value(count) != -1:
        number = call.place.value(count)
        known = bool(call.source.shape) and isinstance(number, int) and number > 0
        yield sure_if(known, f"torch.where({call.text}[..., None] == torch.arange({call.place.text(count)}), 1, 0)")


def _linear(call: Applied) -> Iterator[str]:
    weight, bias = call.given.get("weight"), call.given.get("bias")
    if weight is None:
        return
    product = f"{call.text} @ {as_primary(call.place.text(weight))}.T"
    yield product if bias is None else f"{product} + {as_primary(call.place.text(bias))}"


def _pooled(call: Applied, kind: str, kernel: tuple[int, int]) -> Iterator[str]:
    """Fold windows that stand side by side into axes of their own."""
    *before, height, width = call.source.shape
    if not isinstance(height, int) or not isinstance(width, int) or 0 in (*kernel, height, width):
        return
    rows, columns = height // kernel[0], width // kernel[1]
    crops = [f":{rows * kernel[0]}" if height % kernel[0] else ":", f":{columns * kernel[1]}"]
    text = call.text
    if height % kernel[0] or width % kernel[1]:
        text += f"[..., {', '.join(crops) if width % kernel[1] else crops[0] + ', :'}]"
    sizes = [*_sizes(call, before), str(rows), str(kernel[0]), str(columns), str(kernel[1])]
    axes = f"({len(before) + 1}, {len(before) + 3})"
    folded = f"{text}.reshape({', '.join(sizes)})"
    known = is_plain(call.source) and isinstance(call.place.result, Tensor)
    yield sure_if(known, f"torch.amax({folded}, {axes})" if kind == "max" else f"{folded}.mean({axes})")


def _sizes(call: Applied, sizes: Sequence[Size]) -> list[str]:
    return [str(size) if isinstance(size, int) else f"{call.text}.shape[{axis}]" for axis, size in enumerate(sizes)]


def _pool(kind: str) -> Way:
    def write(call: Applied) -> Iterator[str]:
        kernel, padding = call.pair("kernel_size", 0), call.pair("padding", 0)
        if kernel is None or padding != (0, 0) or call.pair("dilation", 1) != (1, 1):
            return
        if call.says("divisor_override", None) is not None or call.says("return_indices", default=False):
            return
        stride = call.pair("stride", 0) or kernel
        stride = kernel if stride == (0, 0) else stride
        if stride == kernel and not call.says("ceil_mode", default=False):
            yield from _pooled(call, kind, kernel)

    return write


def _adaptive(kind: str) -> Way:
    def write(call: Applied) -> Iterator[str]:
        sizes = call.pair("output_size", 0)
        shape = call.source.shape
        if sizes == (1, 1) and kind == "avg":
            yield f"{call.text}.mean(({len(shape) - 2}, {len(shape) - 1}), keepdim=True)"
        elif sizes == (1, 1):
            yield f"torch.amax({call.text}, ({len(shape) - 2}, {len(shape) - 1}), keepdim=True)"
        elif sizes is not None:
            for size, most in zip(sizes, shape[-2:], strict=True):
                if not isinstance(most, int) or not size or most % size:
                    return
            kernel = tuple(int(most) // size for size, most in zip(sizes, shape[-2:], strict=True))
            yield from _pooled(call, kind, (kernel[0], kernel[1]))

    return write


def _normal(call: Applied, text: str, axes: Sequence[int]) -> str:
    """Write what has a mean of 0 and a variance of 1 over some axes."""
    over = f"({', '.join(map(str, axes))}{',' * (len(axes) == 1)})"
    spread = f"torch.var({text}, {over}, correction=0, keepdim=True)"
    node = call.given.get("eps")
    eps = "1e-05" if node is None else as_primary(call.place.text(node))
    normal = f"({text} - {text}.mean({over}, keepdim=True)) / torch.sqrt({spread} + {eps})"
    return sure_if(is_plain(call.source) and node is None, normal)


def _batch_norm(call: Applied) -> Iterator[str]:
    yield _normal(call, call.text, [axis for axis in range(len(call.source.shape)) if axis != 1])


def _instance_norm(*, spatial: int) -> Way:
    def write(call: Applied) -> Iterator[str]:
        ndim = len(call.source.shape)
        yield _normal(call, call.text, range(ndim - spatial, ndim))

    return write


def _layer_norm(call: Applied) -> Iterator[str]:
    node = call.given.get("normalized_shape")
    count = len(node.items) if isinstance(node, Listed) else 1
    ndim = len(call.source.shape)
    yield _normal(call, call.text, range(ndim - count, ndim))


def _group_norm(call: Applied) -> Iterator[str]:
    groups = call.says("num_groups", None)
    batch, channels, *rest = call.source.shape if len(call.source.shape) > 1 else (1, 1)
    if not isinstance(groups, int) or not isinstance(channels, int):
        return
    sizes = _sizes(call, [batch, channels, *rest])
    grouped = f"{call.text}.reshape({sizes[0]}, {groups}, -1)"
    normal = _normal(call, grouped, [2])
    yield sure_if(isinstance(normal, Sure), f"({normal}).reshape({', '.join(sizes)})")


def _nearest(call: Applied) -> Iterator[str]:
    """Repeat whole pixels, or step over them."""
    result = call.place.result
    if call.says("mode", "nearest") not in ("nearest", "nearest-exact") or not isinstance(result, Tensor):
        return
    if call.says("recompute_scale_factor", default=None):
        return
    text, slices = call.text, [":", ":"]
    for axis, (size, most) in enumerate(zip(result.shape[2:], call.source.shape[2:], strict=True), 2):
        times = _times(size, most)
        if times is None:
            return
        slices.append(":")
        if times > 1:
            text = f"torch.repeat_interleave({text}, {times}, {axis})"
        elif times < 0 and call.says("mode", "nearest") == "nearest":
            slices[-1] = f"::{-times}"
        elif times < 0:
            return
    while slices and slices[-1] == ":":
        slices.pop()
    known = is_plain(call.source) and not slices and text != call.text
    yield sure_if(known, text + (f"[{', '.join(slices)}]" if slices else ""), "repeat_interleave")


def _times(size: Size, most: Size) -> int | None:
    """Return how often a position is repeated; negative where positions are left out."""
    if not isinstance(size, int) or not isinstance(most, int):
        return 1 if size == most else None
    if size % most == 0:
        return size // most
    return -(most // size) if most % size == 0 else None


def _cropped(call: Applied) -> Iterator[str]:
    """Write negative paddings as slices."""
    node = call.given.get("pad")
    values = [call.place.value(each) for each in (node.items if isinstance(node, Listed) else ())]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(values) or not numbers or max(numbers) > 0:
        return
    ndim: Shape = call.source.shape
    slices = [":"] * len(ndim)
    for place in range(0, len(numbers) - 1, 2):
        start, stop = -numbers[place], numbers[place + 1]
        slices[-1 - place // 2] = f"{start or ''}:{stop or ''}"
    yield f"{call.text}[{', '.join(slices)}]"


def _embedding(call: Applied) -> Iterator[str]:
    weight = call.given.get("weight")
    if weight is not None and call.says("max_norm", None) is None:
        yield f"{as_primary(call.place.text(weight))}[{call.place.text(call.node)}]"


def _length(text: str, dim: object, *, kept: bool) -> str:
    return f"torch.sqrt(({text} * {text}).sum({dim}{', keepdim=True' * kept}))"


def _normalized(call: Applied) -> Iterator[str]:
    dim = call.says("dim", 1)
    if call.says("p", 2) == 2 and isinstance(dim, int):  # noqa: PLR2004 - the root of squares
        yield f"{call.text} / {_length(call.text, dim, kept=True)}.clip({call.says('eps', 1e-12)})"


def _cosine(call: Applied) -> Iterator[str]:
    node, dim = call.given.get("x2"), call.says("dim", 1)
    if node is not None and isinstance(dim, int):
        other = as_primary(call.place.text(node))
        lengths = [f"{_length(text, dim, kept=False)}.clip({call.says('eps', 1e-8)})" for text in (call.text, other)]
        yield f"({call.text} * {other}).sum({dim}) / ({lengths[0]} * {lengths[1]})"


def _scaled(size: str, mark: str, factor: int) -> str:
    """Write a size times a factor, or divided by it."""
    if not size.isdecimal():
        return f"{size}{mark}{factor}"
    return str(int(size) * factor if mark == "*" else int(size) // factor)


def _shuffled(call: Applied) -> Iterator[str]:
    """Cut the channels into the rows and the columns of a block, and put these beside the pixels."""
    result, factor = call.place.result, call.says("upscale_factor", None)
    if isinstance(result, Tensor) and isinstance(factor, int):
        *batch, height, width = _sizes(call, call.source.shape)
        channels, first = str(result.shape[-3]), len(batch) - 1
        cut = ", ".join([*batch[:-1], channels, str(factor), str(factor), height, width])
        axes = [*range(first), *(first + each for each in (0, 3, 1, 4, 2))]
        made = ", ".join([*batch[:-1], channels, _scaled(height, "*", factor), _scaled(width, "*", factor)])
        yield f"{call.text}.reshape({cut}).permute({', '.join(map(str, axes))}).reshape({made})"


def _unshuffled(call: Applied) -> Iterator[str]:
    """Cut the pixels into blocks, and put the places in a block beside the channels."""
    result, factor = call.place.result, call.says("downscale_factor", None)
    if isinstance(result, Tensor) and isinstance(factor, int):
        *batch, channels, height, width = _sizes(call, call.source.shape)
        first, rows, columns = len(batch), _scaled(height, "//", factor), _scaled(width, "//", factor)
        cut = ", ".join([*batch, channels, rows, str(factor), columns, str(factor)])
        axes = [*range(first), *(first + each for each in (0, 2, 4, 1, 3))]
        made = ", ".join([*batch, _scaled(channels, "*", factor * factor), rows, columns])
        yield f"{call.text}.reshape({cut}).permute({', '.join(map(str, axes))}).reshape({made})"


_POOL = "kernel_size stride padding"
_MAX = f"{_POOL} dilation ceil_mode return_indices"
_MAX_LAYER = f"{_POOL} dilation return_indices ceil_mode"
_AVG = f"{_POOL} ceil_mode count_include_pad divisor_override"
_RESIZE = "size scale_factor mode align_corners recompute_scale_factor antialias"
_LAYERS: dict[str, tuple[str, Way]] = {
    **losses.WAYS,
    "one_hot": ("num_classes", _one_hot),
    "linear": ("weight bias", _linear),
    "max_pool2d": (_MAX, _pool("max")),
    "MaxPool2d": (_MAX_LAYER, _pool("max")),
    "avg_pool2d": (_AVG, _pool("avg")),
    "AvgPool2d": (_AVG, _pool("avg")),
    "adaptive_avg_pool2d": ("output_size", _adaptive("avg")),
    "AdaptiveAvgPool2d": ("output_size", _adaptive("avg")),
    "adaptive_max_pool2d": ("output_size", _adaptive("max")),
    "AdaptiveMaxPool2d": ("output_size", _adaptive("max")),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), ("num_features eps", _batch_norm)),
    **{f"InstanceNorm{n}d": ("num_features eps", _instance_norm(spatial=n)) for n in (1, 2, 3)},
    "LayerNorm": ("normalized_shape eps", _layer_norm),
    "GroupNorm": ("num_groups num_channels eps", _group_norm),
    "interpolate": (_RESIZE, _nearest),
    "Upsample": ("size scale_factor mode align_corners", _nearest),
    "pad": ("pad mode value", _cropped),
    "embedding": ("weight padding_idx max_norm", _embedding),
    "normalize": ("p dim eps", _normalized),
    "cosine_similarity": ("x2 dim eps", _cosine),
    "pixel_shuffle": ("upscale_factor", _shuffled),
    "PixelShuffle": ("upscale_factor", _shuffled),
    "pixel_unshuffle": ("downscale_factor", _unshuffled),
}
