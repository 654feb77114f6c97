"""Layers that pad, each ``F.pad`` with its amounts kept: PyTorch 2.13's ``nn.ZeroPad2d``, ``nn.ReflectionPad2d`` ..."""

from dataclasses import replace
from functools import partial

from segcli.shapes.calls import Call, Operation
from segcli.shapes.layer.kernels import bind_known, item_of
from segcli.shapes.operations import operation_of
from segcli.shapes.python_call import n_tuple
from segcli.shapes.values import Item, Listed

_MODES = {"Zero": "constant", "Constant": "constant", "Reflection": "reflect", "Replication": "replicate"}
_ADVICE = "write np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), with mode='reflect' or 'edge' for the other two"
# Both sides of an axis.
_SIDES = 2


def _pad(call: Call, kind: str, axes: int) -> object:
    made = call.layer or call
    parameters = "self, padding, value" if kind == "Constant" else "self, padding"
    bound = bind_known(made, f"{call.name}.__init__", parameters)
    given = bound["padding"].item
    amounts = Item(Listed(n_tuple(given, _SIDES * axes), is_tuple=True), given.text, given.span)
    # nn.ZeroPad2d is a layer of a constant, as its messages say.
    source = bind_known(call, "ConstantPad.forward" if kind == "Zero" else f"{call.name}.forward", "self, input")
    mode = Item(_MODES[kind], f"'{_MODES[kind]}'", made.span)
    value = item_of(bound, "value", 0.0 if kind == "Zero" else None, made.span)
    pairs = (("", source["input"].item), ("", amounts), ("", mode), ("", value))
    return operation_of("functional", "pad").torch(replace(call, name="pad", space="functional", arguments=pairs))


OPERATIONS = {
    f"{kind}Pad{axes}d": Operation(partial(_pad, kind=kind, axes=axes), None, _ADVICE)
    for kind in _MODES
    for axes in (1, 2, 3)
}
