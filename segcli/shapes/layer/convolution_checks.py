"""What PyTorch 2.13 refuses of a convolution's shapes, in its order (``aten/src/ATen/native/Convolution.cpp``)."""

from segcli.shapes.layer.affine import add
from segcli.shapes.layer.convolving import Convolution, expand
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.symbols import equal, indivisible
from segcli.shapes.values import Shape, Size


def check_ndim(conv: Convolution) -> None:
    """Refuse an input that is neither one sample nor a batch of them.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    ndim = len(conv.source.shape)
    if ndim not in (conv.axes + 1, conv.axes + 2):
        words = (
            f"Expected {conv.axes + 1}D (unbatched) or {conv.axes + 2}D (batched) input to {conv.name}, "
            f"but got input of size: {bracketed(conv.source.shape)}"
        )
        raise conv.fail(at="input", words=words)


def check_padding_text(conv: Convolution) -> None:
    """Refuse what ``padding='same'`` does not go with.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if conv.padding not in ("same", "valid"):
        raise conv.fail(at="padding", words=f"Invalid padding string: '{conv.padding}'")
    if conv.padding == "valid":
        return
    _check_weight_ndim(conv)
    shape, sizes = conv.filters.shape, conv.sizes
    number = len(shape) - 2
    if len(shape) != len(sizes):
        words = (
            f"Expected {len(shape)}-dimensional input for {len(shape)}-dimensional weight{bracketed(shape)}, "
            f"but got {len(sizes)}-dimensional input of size {bracketed(sizes)} instead"
        )
        raise conv.fail(at="weight", words=words)
    for name, given in (("stride", conv.stride), ("dilation", conv.dilation)):
        if len(given) not in (1, number):
            raise conv.fail(at=name, words=f"{name} cannot broadcast to {number} dimensions")
    _check_positive_groups(conv)
    if any(step != 1 for step in conv.stride):
        raise conv.fail(at="stride", words="padding='same' is not supported for strided convolutions")
    if any(isinstance(window.padding, int) and window.padding < 0 for window in conv.windows):
        raise conv.fail(at="padding", words="negative padding is not supported")


def check_shapes(conv: Convolution) -> list[str]:
    """Refuse what does not fit together; return what must hold of sizes that are not known.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    _check_weight_ndim(conv)
    _check_positive_groups(conv)
    stride = expand(conv, "stride", conv.stride)
    padding = (0,) if isinstance(conv.padding, str) else expand(conv, "padding", conv.padding)
    dilation = expand(conv, "dilation", conv.dilation)
    more = expand(conv, "output_padding", conv.output_padding) if conv.transposed else (0,)
    for name, sizes, least, words in (
        ("padding", padding, 0, "negative padding is not supported"),
        ("output_padding", more, 0, "negative output_padding is not supported"),
        ("stride", stride, 1, "non-positive stride is not supported"),
        ("dilation", dilation, 0, "dilation should be greater than zero"),
    ):
        if any(_below(size, least) for size in sizes):
            raise conv.fail(at=name, words=words)
    shape = conv.filters.shape
    if len(shape) != len(conv.sizes):
        words = (
            f"Expected {len(shape)}-dimensional input for {len(shape)}-dimensional weight {bracketed(shape)}, "
            f"but got {len(conv.sizes)}-dimensional input of size {bracketed(conv.sizes)} instead"
        )
        raise conv.fail(at="weight", words=words)
    needs = [*_check_groups(conv), *_check_channels(conv), *_check_bias(conv)]
    return needs if conv.transposed else [*needs, *_check_fit(conv)]


def _below(size: Size, least: int) -> bool:
    return isinstance(size, int) and size < least


def _check_positive_groups(conv: Convolution) -> None:
    if _below(conv.groups, 1):
        raise conv.fail(at="groups", words="non-positive groups is not supported")


def _check_weight_ndim(conv: Convolution) -> None:
    if len(conv.filters.shape) < 3:  # noqa: PLR2004 - out, in, and the window
        raise conv.fail(at="weight", words="weight should have at least three dimensions")


def _check_groups(conv: Convolution) -> list[str]:
    """Refuse filters that do not fall into groups of equal size."""
    groups, filters, shape = conv.groups, conv.filters.shape[0], bracketed(conv.filters.shape)
    name = "groups" if "groups" in conv.given else "weight"
    if isinstance(groups, str) or isinstance(filters, str):
        return list(filter(None, [indivisible(filters, groups)]))
    given = f"Given groups={groups}, expected weight to be"
    if filters < groups:
        raise conv.fail(
            at=name, words=f"{given} at least {groups} at dimension 0, but got weight of size {shape} instead"
        )
    if filters % groups:
        raise conv.fail(
            at=name, words=f"{given} divisible by {groups} at dimension 0, but got weight of size [{shape}] instead"
        )
    return []


def _check_channels(conv: Convolution) -> list[str]:
    found, takes = conv.sizes[1], conv.takes
    if found == takes:
        return []
    if isinstance(found, str) or isinstance(takes, str):
        return [equal(found, takes)]
    given = "transposed=1" if conv.transposed else f"groups={conv.groups}"
    # An even kernel of padding='same' pads the input first, and that is what PyTorch names.
    spatial = (
        add((1, size), (1, window.surplus)).size for size, window in zip(conv.sizes[2:], conv.windows, strict=True)
    )
    sizes = (*conv.sizes[:2], *spatial)
    words = (
        f"Given {given}, weight of size {bracketed(conv.filters.shape)}, expected input{bracketed(sizes)} "
        f"to have {takes} channels, but got {found} channels instead"
    )
    raise conv.fail(at="input", words=words, axis=1)


def _check_bias(conv: Convolution) -> list[str]:
    if conv.bias is None:
        return []
    shape: Shape = as_tensor(conv.bias).shape
    channels = conv.channels
    if len(shape) == 1 and (isinstance(shape[0], str) or isinstance(channels, str)):
        return [] if shape[0] == channels else [equal(shape[0], channels)]
    if shape == (channels,):
        return []
    words = (
        f"Given {'transposed=1, ' * conv.transposed}weight of size {bracketed(conv.filters.shape)}, expected bias to "
        f"be 1-dimensional with {channels} elements, but got bias of size {bracketed(shape)} instead"
    )
    raise conv.fail(at="bias", words=words)


def _check_fit(conv: Convolution) -> list[str]:
    """Refuse a window that is larger than an axis with its padding."""
    pairs = list(zip(conv.sizes[2:], conv.windows, strict=True))
    padded = [window.padded(size) for size, window in pairs]
    reach = [window.reach for _, window in pairs]
    for axis, (room, needed) in enumerate(zip(padded, reach, strict=True)):
        if isinstance(room, int) and isinstance(needed, int) and room < needed:
            words = (
                f"Calculated padded input size per channel: ({_crossed(padded)}). Kernel size: ({_crossed(reach)}). "
                "Kernel size can't be greater than actual input size"
            )
            raise conv.fail(at="input", words=words, axis=axis + 2)
    return [need for size, window in pairs for need in window.needs(size)]


def _crossed(sizes: list[Size]) -> str:
    return " x ".join(map(str, sizes))
