"""Pooling to a given size, which is what ``F.interpolate`` calls the mode ``area``: what PyTorch 2.13 refuses."""

from dataclasses import replace

from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Shape, Span, Tensor

_VOLUME = 3


def check_area(source: Item, x: Tensor, spatial: Shape, span: Span) -> None:
    """Check what a pooling to a given size takes.

    Args:
        source: The input, for the place to point to.
        x: The input.
        spatial: The sizes asked for, of one, two or three axes.
        span: Where they are asked for.

    Raises:
        RaisedError: As PyTorch raises.
    """
    axes = len(spatial)
    flat = axes == 1
    # Rows are pooled as pictures of one line.
    sizes = (1, *spatial) if flat else spatial
    picture = _as_picture(x) if flat else x
    name = f"adaptive_avg_pool{len(sizes)}d"
    if any(size.startswith("-") if isinstance(size, str) else size < 0 for size in sizes):
        listed = f"{sizes[0]}, {','.join(map(str, sizes[1:]))}"
        words = f"{name}: elements of output_size must be greater than or equal to 0 but received {{{listed}}}"
        raise RaisedError(span, "RuntimeError", words)
    if all(size == 1 for size in sizes):
        _check_mean(source, x)
        return
    first = 1 if axes == _VOLUME else 2
    if 0 in picture.shape[first:]:
        axis = picture.shape.index(0, first)
        words = (
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            f"{bracketed(picture.shape)} with dimension {axis} being empty"
        )
        raise RaisedError(source.span, "RuntimeError", words, axis - flat)
    # Pictures without an element are not looked at, volumes are.
    is_empty = axes != _VOLUME and 0 in (*x.shape[:2], *sizes)
    if x.dtype not in FLOATING and not is_empty:
        kernel = "adaptive_avg_pool3d_cpu" if axes == _VOLUME else kernel_for(name, picture)
        raise no_kernel(kernel, x.dtype, source.span)


def _check_mean(source: Item, x: Tensor) -> None:
    """Check what the mean of everything takes, which a size of 1 is."""
    if x.dtype not in (*FLOATING, *COMPLEX):
        words = (
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {SCALARS[x.dtype]}"
        )
        raise RaisedError(source.span, "RuntimeError", words)


def _as_picture(x: Tensor) -> Tensor:
    strides = strides_of(x)
    line = None if strides[2] is None else product([x.shape[2], strides[2]])
    return replace(x, shape=(*x.shape[:2], 1, x.shape[2]), strides=(*strides[:2], line, strides[2]))
