"""Convolutions, plain and transposed, as functions and as layers: PyTorch 2.13's."""

from dataclasses import replace
from functools import partial

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.layer.convolution_checks import check_ndim, check_padding_text, check_shapes
from segcli.shapes.layer.convolution_kernels import check_bias_dtype, check_complex, result_dtype
from segcli.shapes.layer.convolution_layers import Layered, read_layer
from segcli.shapes.layer.convolution_trace import convolution_formula, convolution_steps
from segcli.shapes.layer.convolving import read_convolution
from segcli.shapes.layer.layers import say_parameters
from segcli.shapes.values import check_elements

_ADVICE = "write np.einsum over np.lib.stride_tricks.sliding_window_view(x, kernel, axes)"


def _function(call: Call, axes: int) -> Computed:
    conv = read_convolution(call, axes)
    return _convolved(Layered(conv, conv, "zeros"))


def _layer(call: Call, axes: int) -> Computed:
    return _convolved(read_layer(call, axes))


def _convolved(layered: Layered) -> Computed:
    conv, checked, mode = layered.conv, layered.checked, layered.mode
    check_bias_dtype(checked)
    check_ndim(checked)
    if isinstance(checked.padding, str):
        check_padding_text(checked)
    check_complex(checked)
    needs = check_shapes(checked)
    pairs = zip(checked.sizes[2:], checked.windows, strict=True)
    if checked.transposed:
        spatial = tuple(window.spread(size, more) for (size, window), more in zip(pairs, checked.more, strict=True))
    else:
        spatial = tuple(window.places(size) for size, window in pairs)
    dtype, more_needs = result_dtype(checked, spatial)
    channels = 0 if checked.sizes[1] == 0 else checked.channels
    shape = (*conv.source.shape[: int(conv.batched)], channels, *spatial)
    check_elements(shape, conv.call.text)
    result = replace(conv.call.make(shape, dtype), labels=conv.source.labels)
    inputs = (conv.input,) if conv.is_layer else (conv.input, conv.weight, *([conv.bias] if conv.bias else []))
    return Computed(
        result,
        inputs,
        convolution_steps(conv, spatial, channels, mode),
        formula=convolution_formula(conv, mode),
        needs=(*layered.needs, *needs, *more_needs),
        notes=(say_parameters(conv.weight, conv.bias),) if conv.is_layer else (),
    )


OPERATIONS = {
    f"{name}{axes}d": Operation(partial(rule, axes=axes), None, _ADVICE)
    for axes in (1, 2, 3)
    for name, rule in (
        ("conv", _function),
        ("conv_transpose", _function),
        ("Conv", _layer),
        ("ConvTranspose", _layer),
    )
}
