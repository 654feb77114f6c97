"""What a convolution's layer puts around its input by itself: ``padding_mode`` reflect, replicate and circular."""

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.layer.affine import add
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import bracketed, need_at_least, read_sizes
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import Item, RaisedError, Shape, Size, Tensor

_PAD = Signatures((), ("Tensor input, ints pad, str mode=",))
_KERNELS = {"reflect": "reflection_pad", "replicate": "replication_pad"}


def pad_around(call: Call, source: Item, amounts: Item, mode: str) -> tuple[Item, list[str]]:
    """Return the input with what is put around it, and what must hold of sizes that are not known.

    Args:
        call: The call of the layer.
        source: The input.
        amounts: How much, the last axis first, before and behind.
        mode: ``reflect``, ``replicate`` or ``circular``.

    Raises:
        RaisedError: As ``F.pad`` raises.
    """
    inner = Call("pad", "functional", (("", source), ("", amounts)), call.span, call.text, "", call.stage)
    pads = read_sizes("pad", "pad", bind_call(inner, _PAD)["pad"], 1)
    x = as_tensor(source)
    ndim, axes = len(x.shape), len(pads) // 2
    if len(pads) > 2 * ndim:
        words = (
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pads)} and input of dimension {ndim}"
        )
        raise RaisedError(amounts.span, "RuntimeError", words)
    if axes not in (1, 2, 3) or ndim not in (axes + 1, axes + 2):
        words = f"Padding size {len(pads)} is not supported for {ndim}D input tensor."
        raise RaisedError(amounts.span, "NotImplementedError", words)
    shape = list(x.shape)
    needs: list[str] = []
    if mode != "circular":
        _check_empty(source, axes)
    for place in range(axes):
        axis = ndim - 1 - place
        pair = pads[2 * place : 2 * place + 2]
        needs += _check_pair(amounts, x, axis, pair, mode)
        shape[axis] = add((1, x.shape[axis]), (1, pair[0]), (1, pair[1])).size
        if isinstance(size := shape[axis], int) and size < 0:
            words = f"Trying to create tensor with negative dimension {size}: {bracketed(tuple(shape))}"
            if mode == "circular":
                words = "Negative padding value is resulting in an empty dimension"
            raise RaisedError(amounts.span, "RuntimeError", words, axis)
    if x.dtype == "bool" and mode != "circular":
        raise no_kernel(kernel_for(f"{_KERNELS[mode]}{axes}d", x), x.dtype, source.span)
    return Item(Tensor(tuple(shape), x.dtype, x.text), source.text, source.span), needs


def _check_empty(source: Item, axes: int) -> None:
    shape: Shape = as_tensor(source).shape
    if 0 in shape[-axes - 1 :]:
        words = (
            f"Expected {axes + 1}D or {axes + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {bracketed(shape)}"
        )
        raise RaisedError(source.span, "RuntimeError", words, len(shape) - axes - 1 + shape[-axes - 1 :].index(0))


def _check_pair(amounts: Item, x: Tensor, axis: int, pair: tuple[Size, ...], mode: str) -> list[str]:
    """Refuse more around an axis than its positions give."""
    size = x.shape[axis]
    if mode == "replicate":
        return []
    more = int(mode == "reflect")
    if any(isinstance(pad, int) and isinstance(size, int) and pad + more > size for pad in pair):
        words = "Padding value causes wrapping around more than once."
        if mode == "reflect":
            place = len(x.shape) - 1 - axis
            words = (
                f"Argument #{4 + 2 * place}: Padding size should be less than the corresponding input dimension, but "
                f"got: padding ({pair[0]}, {pair[1]}) at dimension {axis} of input {bracketed(x.shape)}"
            )
        raise RaisedError(amounts.span, "RuntimeError", words, axis)
    return [need for pad in pair for need in need_at_least(size, add((1, pad), (1, more)).size)]
