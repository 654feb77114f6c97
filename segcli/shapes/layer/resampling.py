"""Operations that read a tensor at other places than its own: PyTorch 2.13's."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.layer.grid_sampling import grid_sample
from segcli.shapes.layer.interpolating import Options, interpolate
from segcli.shapes.layer.kernels import bind_known, item_of
from segcli.shapes.layer.layers import is_true
from segcli.shapes.values import Item, Listed, RaisedError, Symbol, Value, type_name

_FUNCTION = (
    "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, "
    "antialias=False"
)
_LAYER = "self, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None"
_DEFAULTS: dict[str, Value] = {
    "size": None,
    "scale_factor": None,
    "mode": "nearest",
    "align_corners": None,
    "recompute_scale_factor": None,
    "antialias": False,
}
_ADVICE = "to repeat whole pixels write np.repeat(np.repeat(x, 2, axis=2), 2, axis=3); for the rest scipy.ndimage.zoom"
_GRID_ADVICE = "scipy.ndimage.map_coordinates reads one channel at given places"


def _function(call: Call) -> Computed:
    bound = bind_known(call, "interpolate", _FUNCTION)
    items = {name: item_of(bound, name, default, call.span) for name, default in _DEFAULTS.items()}
    return interpolate(call, bound["input"].item, Options(**items))


def _upsample(call: Call) -> Computed:
    made = call.layer or call
    bound = bind_known(made, "Upsample.__init__", _LAYER)
    items = {name: item_of(bound, name, default, made.span) for name, default in _DEFAULTS.items()}
    items["scale_factor"] = _as_floats(items["scale_factor"])
    source = bind_known(call, "Upsample.forward", "self, input")["input"].item
    return interpolate(call, source, Options(**items))


def _as_floats(item: Item) -> Item:
    """Return what the layer keeps of its scale factor: nothing of what is not true."""
    value = item.value
    if isinstance(value, Listed) and value.is_tuple:
        parts = tuple(Item(_as_float(part), part.text, part.span) for part in value.items)
        return Item(Listed(parts, is_tuple=True), item.text, item.span)
    if not isinstance(value, Symbol) and not is_true(item):
        return Item(None, item.text, item.span)
    return Item(_as_float(item), item.text, item.span)


def _as_float(item: Item) -> Value:
    value = item.value
    if isinstance(value, Symbol):
        return value
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError) as error:
            raise RaisedError(item.span, type(error).__name__, str(error)) from error
    words = f"float() argument must be a string or a real number, not '{type_name(value)}'"
    raise RaisedError(item.span, "TypeError", words)


OPERATIONS = {
    "interpolate": Operation(_function, None, _ADVICE),
    "Upsample": Operation(_upsample, None, _ADVICE),
    "grid_sample": Operation(grid_sample, None, _GRID_ADVICE),
}
