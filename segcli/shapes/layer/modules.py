"""Layers that learn nothing, each a function with its arguments kept: PyTorch 2.13's ``nn.ReLU``, ``nn.Flatten`` ..."""

from dataclasses import replace
from functools import partial

from segcli.errors import SegcliError
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.keeping import same, tensor_of, whole_step
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_known, item_of, made_like, no_kernel
from segcli.shapes.layer.layers import is_true
from segcli.shapes.operations import operation_of
from segcli.shapes.python_call import bind_python
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Symbol, Tensor, Value, type_name

# The function, the layer's parameters, and what stands for those that are left out.
_FUNCTIONS: dict[str, tuple[str, str, str, tuple[Value, ...]]] = {
    "ReLU": ("functional", "relu", "inplace=False", (False,)),
    "Sigmoid": ("torch", "sigmoid", "", ()),
    "Tanh": ("torch", "tanh", "", ()),
    "Softmax": ("functional", "softmax", "dim=None", (None,)),
    "LogSoftmax": ("functional", "log_softmax", "dim=None", (None,)),
    "Flatten": ("torch", "flatten", "start_dim=1, end_dim=-1", (1, -1)),
    "Unfold": ("functional", "unfold", "kernel_size, dilation=1, padding=0, stride=1", (None, 1, 0, 1)),
    "PixelShuffle": ("functional", "pixel_shuffle", "upscale_factor", (None,)),
    "PixelUnshuffle": ("functional", "pixel_unshuffle", "downscale_factor", (None,)),
}
# Activations of floats alone, by the name of PyTorch's code and the layer's parameters.
_ACTIVATIONS = {
    "GELU": ("GeluKernelImpl", "approximate='none'", COMPLEX),
    "SiLU": ("silu_cpu", "inplace=False", ()),
    "LeakyReLU": ("leaky_relu_cpu", "negative_slope=0.01, inplace=False", COMPLEX),
    "Hardswish": ("hardswish_cpu", "inplace=False", COMPLEX),
    "ELU": ("elu_cpu", "alpha=1.0, inplace=False", COMPLEX),
}
# What to write in NumPy.
_ADVICE = {
    "ReLU": "write np.maximum(x, 0)",
    "Sigmoid": "write 1 / (1 + np.exp(-x))",
    "Tanh": "write np.tanh(x)",
    "Softmax": "write e = np.exp(x - x.max(axis, keepdims=True)); e / e.sum(axis, keepdims=True)",
    "LogSoftmax": "write x - np.log(np.exp(x).sum(axis, keepdims=True))",
    "Flatten": "write x.reshape(len(x), -1)",
    "Unfold": "np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3)) gives the windows, to be reshaped",
    "PixelShuffle": "write x.reshape(n, c, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c, h * r, w * r)",
    "PixelUnshuffle": "write x.reshape(n, c, h, r, w, r).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * r * r, h, w)",
    "GELU": "write 0.5 * x * (1 + scipy.special.erf(x / 2**0.5))",
    "SiLU": "write x / (1 + np.exp(-x))",
    "LeakyReLU": "write np.where(x > 0, x, 0.01 * x)",
    "Hardswish": "write x * np.clip(x + 3, 0, 6) / 6",
    "ELU": "write np.where(x > 0, x, np.exp(x) - 1)",
}
# How many axes are dropped from: of a batch and its channels; the last puts the batch there where it is missing.
_LEAST = {"Dropout": 0, "Dropout2d": 2, "Dropout3d": 1}
_PROBABILITY = "dropout probability has to be between 0 and 1, but got {value}"


def _input(call: Call) -> Item:
    return bind_known(call, f"{call.name}.forward", "self, input")["input"].item


def _apply(call: Call, name: str) -> object:
    """Call the function with what the layer keeps."""
    space, function, parameters, defaults = _FUNCTIONS[name]
    made = call.layer or call
    bound = bind_known(made, f"{name}.__init__", ", ".join(filter(None, ["self", parameters])))
    names = [parameter.partition("=")[0] for parameter in parameters.split(", ")] if parameters else []
    kept = [item_of(bound, each, default, made.span) for each, default in zip(names, defaults, strict=True)]
    inner = replace(call, name=function, space=space, arguments=tuple(("", item) for item in (_input(call), *kept)))
    return operation_of(space, function).torch(inner)


def _activate(call: Call, name: str) -> Computed:
    kernel, parameters, refused = _ACTIVATIONS[name]
    bound = bind_known(call.layer or call, f"{name}.__init__", f"self, {parameters}")
    item = _input(call)
    source = tensor_of(call, item)
    if source.dtype not in (*FLOATING, *COMPLEX) or source.dtype in refused:
        raise no_kernel(kernel=kernel, dtype=source.dtype, span=item.span)
    return _kept(call, item, "each element by itself", view="inplace" in bound and is_true(bound["inplace"].item))


def _kept(call: Call, item: Item, effect: str, *, view: bool) -> Computed:
    """Return other elements of the same shape."""
    source = tensor_of(call, item)
    step = whole_step(call, source, effect)
    return Computed(made_like(call, source, source.shape), (item,), (step,), view=view)


def _drop(call: Call, name: str) -> Computed | Indexing:
    made = call.layer or call
    bound = bind_known(made, "_DropoutNd.__init__", "self, p=0.5, inplace=False")
    share = item_of(bound, "p", 0.5, made.span)
    check_share(share, "int")
    item = _input(call)
    source = tensor_of(call, item)
    if share.value == 0 or 0 in source.shape:
        return same(call, source, "the tensor itself: nothing is dropped")
    if share.value != 1 and len(source.shape) < _LEAST[name]:
        raise RaisedError(item.span, "RuntimeError", "Feature dropout requires at least 2 dimensions in the input")
    if source.dtype in COMPLEX and share.value != 1:
        raise no_kernel(kernel="bernoulli_scalar_cpu_", dtype=source.dtype, span=item.span)
    if source.dtype not in (*FLOATING, *COMPLEX) and share.value != 1:
        words = f"result type Float can't be cast to the desired output type {SCALARS[source.dtype]}"
        raise RaisedError(item.span, "RuntimeError", words)
    what = "elements" if name == "Dropout" else "channels"
    effect = f"as made, in training mode: some {what} become 0, the others grow to make up for them"
    return _kept(call, item, effect, view="inplace" in bound and is_true(bound["inplace"].item))


def check_share(share: Item, bound: str) -> None:
    """Check how many elements are dropped, as Python does.

    Args:
        share: How many of them: from 0 to 1.
        bound: The type of what it is compared with.

    Raises:
        RaisedError: The TypeError for no number, the ValueError for one that is out of range.
        SegcliError: For what is not known.
    """
    value = share.value
    if isinstance(value, Tensor | Symbol):
        message = f"the value of {share.text} is not known, and a layer is made with it"
        raise SegcliError(message, hint="write the number")
    if not isinstance(value, int | float):
        words = f"'<' not supported between instances of '{type_name(value)}' and '{bound}'"
        raise RaisedError(share.span, "TypeError", words)
    if not 0 <= value <= 1:
        raise RaisedError(share.span, "ValueError", _PROBABILITY.format(value=value))


def _identity(call: Call) -> Computed | Indexing:
    """Give back what is given: the layer takes any arguments when it is made, and forgets them."""
    item = bind_python(call, "Identity.forward", "self, input")["input"].item
    return same(call, tensor_of(call, item))


OPERATIONS = {
    **{name: Operation(partial(_apply, name=name), None, _ADVICE[name]) for name in _FUNCTIONS},
    **{name: Operation(partial(_activate, name=name), None, _ADVICE[name]) for name in _ACTIVATIONS},
    **{name: Operation(partial(_drop, name=name), None, "leave it out") for name in _LEAST},
    "Identity": Operation(_identity, None, "leave it out"),
}
