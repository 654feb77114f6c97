"""What the kernels of PyTorch 2.13 for x86 CPUs refuse of a convolution: dtypes, and sizes that depend on the kernel.

Found by experiment: which of the kernels runs, oneDNN's or PyTorch's own, depends on the dtype, the batch and the size;
and, for windows of one position, on whether there is more than one thread, which is taken for granted here.
The meta device, by contrast, refuses no dtype.
"""

from math import prod

from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.kinds import C_NAMES, SCALARS, tensor_type
from segcli.shapes.layer.convolving import Convolution
from segcli.shapes.layer.layers import as_tensor, check_cast
from segcli.shapes.layer.windows import Window, bracketed, need_at_least
from segcli.shapes.values import COMPLEX, FLOATING, INTEGER, REAL, RaisedError, Shape, Size, Tensor

# From how many elements on oneDNN takes even a batch of one.
_ONEDNN_ELEMENTS = 20480
_ONEDNN_KERNEL = 3
_FLOATING_OR_LONG = (*FLOATING, "int64")


def check_bias_dtype(conv: Convolution) -> None:
    """Refuse a bias of another dtype, as is done before anything else.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if conv.bias is None or conv.transposed or isinstance(conv.padding, str):
        return
    found, other = conv.source.dtype, as_tensor(conv.bias).dtype
    if found != other:
        words = f"Input type ({C_NAMES[found]}) and bias type ({C_NAMES[other]}) should be the same"
        raise conv.fail(at="input" if conv.is_layer else "bias", words=words)


def check_complex(conv: Convolution) -> None:
    """Refuse real parameters beside a complex input.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if conv.source.dtype not in COMPLEX:
        return
    for name, item in (("weight", conv.weight), ("bias", conv.bias)):
        if item is not None and (dtype := as_tensor(item).dtype) != conv.source.dtype:
            raise conv.fail(at=name, words=_types(conv.source.dtype, dtype, name))


def result_dtype(conv: Convolution, spatial: Shape) -> tuple[str, list[str]]:
    """Return the result's dtype, and what must hold of sizes that are not known; refuse what no kernel computes.

    Args:
        conv: The convolution.
        spatial: The result's sizes behind the channels.

    Raises:
        RaisedError: As PyTorch raises.
    """
    if 0 in conv.sizes[:2]:
        return _of_nothing(conv, spatial), []
    if 0 in conv.sizes:
        sizes = conv.sizes if conv.axes > 1 else (*conv.sizes[:2], 1, *conv.sizes[2:])
        words = f"Only zero batch or zero channel inputs are supported, but got input shape: {bracketed(sizes)}"
        raise conv.fail(at="input", words=words, axis=conv.sizes.index(0))
    if not conv.transposed and any(window.dilation == 0 for window in conv.windows):
        raise conv.fail(at="dilation", words="non-positive dilation is not supported")
    onednn = _is_onednn(conv)
    if onednn:
        _check_onednn(conv, spatial)
    else:
        _check_sizes(conv, spatial)
        _check_dtypes(conv)
    return conv.source.dtype, [need for size in spatial for need in need_at_least(size, 1)] if conv.transposed else []


def _of_nothing(conv: Convolution, spatial: Shape) -> str:
    """Of an empty input PyTorch multiplies what there is, and gives that the shape."""
    weight = conv.filters
    if conv.sizes[1] != 0 and 0 in weight.shape:
        words = "select(): index 0 out of range for tensor of size [0] at dimension 0"
        raise RaisedError(conv.span("weight"), "IndexError", words)
    if conv.sizes[1] != 0:
        weight = Tensor((), weight.dtype, "")
    if conv.is_layer and weight.dtype in COMPLEX and conv.source.dtype not in COMPLEX:
        words = "convolution does not support automatic differentiation for outputs with complex dtype."
        raise conv.fail(at="input", words=words)
    dtype = torch_dtype([Tensor((0,), conv.source.dtype, ""), weight])
    if conv.bias is not None:
        check_cast(as_tensor(conv.bias).dtype, dtype, conv.span("bias"))
    channels = 0 if conv.sizes[1] == 0 else conv.channels
    if any(isinstance(size, int) and size < 0 for size in spatial):
        place, size = next((place, size) for place, size in enumerate(spatial) if isinstance(size, int) and size < 0)
        shape = bracketed((conv.sizes[0], channels, *spatial))
        raise conv.fail(at="weight", words=f"invalid shape dimension {size} at index {place + 2} of shape {shape}")
    return dtype


def _is_onednn(conv: Convolution) -> bool:
    """Tell whether oneDNN computes it, as far as PyTorch decides that from shapes and dtype."""
    dtype = REAL.get(conv.source.dtype, conv.source.dtype)
    if conv.transposed and _is_output_padding_big(conv, stride_only=True):
        return False
    sizes = [size for size in conv.sizes[:4] if isinstance(size, int)]
    kernel = (1, *conv.filters.shape[2:])[-2:]
    wide = all(not isinstance(size, int) or size > _ONEDNN_KERNEL for size in kernel)
    return dtype == "bfloat16" or (
        dtype == "float32" and (conv.groups != 1 or wide or conv.sizes[0] != 1 or prod(sizes) > _ONEDNN_ELEMENTS)
    )


def _is_output_padding_big(conv: Convolution, *, stride_only: bool = False) -> bool:
    return any(
        isinstance(more, int)
        and isinstance(window.stride, int)
        and isinstance(window.dilation, int)
        and more >= window.stride
        and (stride_only or more >= window.dilation)
        for more, window in zip(conv.more, conv.windows, strict=True)
    )


def _check_onednn(conv: Convolution, spatial: Shape) -> None:
    """Refuse what oneDNN does."""
    found = conv.source.dtype
    for name, item in (("weight", conv.weight), ("bias", conv.bias)):
        if item is not None and (dtype := as_tensor(item).dtype) != found:
            tail = f" or input should be a MKLDNN tensor and {name} is a dense tensor"
            raise conv.fail(at=name, words=_types(found, dtype, name) + tail)
    if conv.transposed and any(isinstance(size, int) and size < 0 for size in spatial):
        raise conv.fail(at="padding", words="could not construct a memory descriptor using a format tag")
    at = "weight" if 0 in conv.filters.shape else "dilation"
    if 0 in conv.filters.shape or _is_crowded(conv):
        what = "deconvolution" if conv.transposed else "convolution"
        words = (
            f"could not create a primitive descriptor for the {what} forward propagation primitive. Run workload with "
            "environment variable ONEDNN_VERBOSE=all to get additional diagnostic information."
        )
        raise conv.fail(at=at, words=words)


def _is_crowded(conv: Convolution) -> bool:
    """Tell whether a dilation of 0 lets windows of more than one position fall on one another."""
    return any(
        window.dilation == 0 and window.kernel != 1 and not (size == 1 and _is_within(window.kernel, window.stride))
        for size, window in zip(conv.sizes[2:], conv.windows, strict=True)
    )


def _is_within(kernel: Size, stride: Size) -> bool:
    return isinstance(kernel, int) and isinstance(stride, int) and kernel <= stride


def _check_sizes(conv: Convolution, spatial: Shape) -> None:
    """Refuse what PyTorch's own kernels do of sizes that are valid by themselves."""
    kernel = conv.filters.shape[2:]
    if 0 in kernel:
        named = _named("kernel", kernel, " ", kernel)
        if conv.axes == 3:  # noqa: PLR2004 - a volume
            named = f": {' x '.join(map(str, kernel))} (TxHxW)"
        raise conv.fail(
            at="weight", words=f"kernel size should be greater than zero, but got {named}".replace(" :", ":")
        )
    if not conv.transposed:
        return
    if any(window.dilation == 0 for window in conv.windows):
        named = _named("dilation", conv.dilation, ", ", kernel)
        raise conv.fail(at="dilation", words=f"dilation should be greater than zero, but got {named}")
    if _is_output_padding_big(conv):
        names = (("output_padding", conv.more), ("stride", conv.stride), ("dilation", conv.dilation))
        listed = " ".join(_named(name, sizes, " ", kernel) for name, sizes in names)
        words = f"output padding must be smaller than either stride or dilation, but got {listed}"
        raise conv.fail(at="output_padding", words=words)
    if 0 in conv.filters.shape:
        words = f"non-empty 2D or 4D weight tensor expected, but got: {bracketed(conv.filters.shape)}"
        raise conv.fail(at="weight", words=words)
    if any(isinstance(size, int) and size < 1 for size in spatial):
        one = ("1",) if conv.axes == 1 else ()
        given, found = (" x ".join((*one, *map(str, sizes))) for sizes in (conv.sizes[2:], spatial))
        words = (
            f"Given input size per channel: ({given}). Calculated output size per channel: ({found}). "
            "Output size is too small"
        )
        raise conv.fail(at="padding", words=words)


def _named(name: str, sizes: Shape, between: str, kernel: Shape) -> str:
    """List sizes as PyTorch does, a sequence as an image of height 1."""
    neutral = 0 if name == "output_padding" else 1
    each = sizes * len(kernel) if len(sizes) == 1 else sizes
    axes = ("depth", "height", "width")[-max(len(each), 2) :]
    padded: list[Size] = [*[neutral] * (len(axes) - len(each)), *each]
    return between.join(f"{name}_{axis}: {size}" for axis, size in zip(axes, padded, strict=True))


def _check_dtypes(conv: Convolution) -> None:
    """Refuse what PyTorch's own kernels do of dtypes."""
    found, other = conv.source.dtype, conv.filters.dtype
    kernel, takes = _kernel(conv)
    if found not in (*takes, *COMPLEX):
        words = f"\"{kernel}\" not implemented for '{SCALARS[found]}'"
        raise RaisedError(conv.span("input"), "NotImplementedError", words)
    if found != other:
        raise conv.fail(at="weight", words=f"expected scalar type {SCALARS[found]} but found {SCALARS[other]}")
    # A bias of another dtype is copied into the result, added to it, or refused.
    if conv.bias is None or not conv.transposed:
        return
    if conv.axes < 3:  # noqa: PLR2004 - no volume
        check_cast(as_tensor(conv.bias).dtype, found, conv.span("bias"))
    elif (dtype := as_tensor(conv.bias).dtype) != found:
        raise conv.fail(at="bias", words=f"expected scalar type {SCALARS[found]} but found {SCALARS[dtype]}")


def _kernel(conv: Convolution) -> tuple[str, tuple[str, ...]]:
    """Return PyTorch's own kernel and the dtypes that it takes."""
    volume = conv.axes == 3  # noqa: PLR2004 - a volume
    if conv.transposed:
        return f"slow_conv_transpose{3 if volume else 2}d_out_cpu", _FLOATING_OR_LONG
    if any(window.dilation != 1 for window in conv.windows):
        return "slow_conv_dilated<>", _FLOATING_OR_LONG
    if not volume:
        return "slow_conv2d_cpu", (*FLOATING, *INTEGER)
    # Windows of one position that walk over every one need no columns: the input is what they would be.
    alone = all(window == Window(1) for window in conv.windows)
    return "slow_conv3d_cpu" if alone else "compute_columns3d", (*FLOATING, *INTEGER)


def _types(one: str, other: str, name: str) -> str:
    return f"Input type ({tensor_type(one)}) and {name} type ({tensor_type(other)}) should be the same"
