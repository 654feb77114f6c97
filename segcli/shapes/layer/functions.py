"""Functions of layers that learn nothing, where the layer has the rule: PyTorch 2.13's ``F.gelu``, ``F.dropout`` ..."""

from dataclasses import replace
from functools import partial

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.layer.kernels import bind_known, item_of
from segcli.shapes.layer.layers import is_true
from segcli.shapes.layer.modules import check_share
from segcli.shapes.operations import operation_of
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import Item

_GELU = Signatures((), ("Tensor input, *, str approximate=",))
# The layer, and the parameters behind the input: those that the layer has.
_ACTIVATIONS = {
    "silu": ("SiLU", "inplace=False"),
    "leaky_relu": ("LeakyReLU", "negative_slope=0.01, inplace=False"),
    "hardswish": ("Hardswish", "inplace=False"),
    "elu": ("ELU", "alpha=1.0, inplace=False"),
}
_DROPOUTS = {"dropout": "Dropout", "dropout2d": "Dropout2d", "dropout3d": "Dropout3d"}


def _applied(call: Call, layer: str, source: Item, kept: tuple[tuple[str, Item], ...]) -> object:
    """Apply a layer that is made of the other arguments."""
    made = replace(call, name=layer, space="nn", arguments=kept)
    return operation_of("nn", layer).torch(replace(made, arguments=(("", source),), layer=made))


def _activate(call: Call, name: str) -> object:
    layer, parameters = _ACTIVATIONS[name]
    bound = bind_known(call, name, f"input, {parameters}")
    kept = tuple((each, bound[each].item) for each in bound if each != "input")
    return _applied(call, layer, bound["input"].item, kept)


def _gelu(call: Call) -> object:
    return _applied(call, "GELU", bind_call(call, _GELU)["input"].item, ())


def _drop(call: Call, name: str) -> object:
    bound = bind_known(call, name, "input, p=0.5, training=True, inplace=False")
    check_share(item_of(bound, "p", 0.5, call.span), "float")
    kept = tuple((each, bound[each].item) for each in ("p", "inplace") if each in bound)
    if not is_true(item_of(bound, "training", default=True, span=call.span)):
        kept = (("p", Item(0, "0", call.span)), *(pair for pair in kept if pair[0] != "p"))
    return _applied(call, _DROPOUTS[name], bound["input"].item, kept)


OPERATIONS = {
    "gelu": Operation(_gelu, None, "write 0.5 * x * (1 + scipy.special.erf(x / 2**0.5))"),
    **{
        name: Operation(partial(_activate, name=name), None, operation_of("nn", layer).advice)
        for name, (layer, _) in _ACTIVATIONS.items()
    },
    **{name: Operation(partial(_drop, name=name), None, "leave it out") for name in _DROPOUTS},
}
