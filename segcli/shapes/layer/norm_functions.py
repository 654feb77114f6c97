"""``F.layer_norm`` and ``F.group_norm``: the layers' rules, for a weight and a bias that are given."""

from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.layer.kernels import bind_known, item_of, tensor_with
from segcli.shapes.layer.norm_layers import Learned
from segcli.shapes.layer.normalizing_groups import check_count, normalize_groups
from segcli.shapes.layer.normalizing_last import normalize_last
from segcli.shapes.request import Given
from segcli.shapes.values import Item, RaisedError, Symbol, Tensor, type_name

_LAYER = "input, normalized_shape, weight=None, bias=None, eps=1e-05"
_GROUP = "input, num_groups, weight=None, bias=None, eps=1e-05"
_LAST = "write (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * weight + bias"
_GROUPS = "write y = x.reshape(n, groups, -1), and (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True))"


def layer_norm(call: Call) -> Computed:
    """Normalize over the last axes.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_known(call, "layer_norm", _LAYER)
    eps = item_of(bound, "eps", 1e-05, call.span)
    return normalize_last(call, bound["input"].item, bound["normalized_shape"].item, _given(bound), eps)


def group_norm(call: Call) -> Computed:
    """Normalize over groups of channels.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_known(call, "group_norm", _GROUP)
    source, groups = bound["input"].item, bound["num_groups"].item
    x = tensor_with(source, "dim")
    if len(x.shape) < 2:  # noqa: PLR2004 - batch and channels
        words = f"Expected at least 2 dimensions for input tensor but received {len(x.shape)}"
        raise RaisedError(source.span, "RuntimeError", words)
    _check_divisor(groups)
    needs = check_count(source, groups)
    eps = item_of(bound, "eps", 1e-05, call.span)
    done = normalize_groups(call, source, groups, _given(bound), eps)
    return replace(done, needs=(*needs, *done.needs))


def _given(bound: dict[str, Given]) -> Learned:
    """Return weight and bias; what is no tensor is refused where they are handed on."""
    weight, bias = (bound[name].item if name in bound else None for name in ("weight", "bias"))
    return Learned(*(item if item is not None and item.value is not None else None for item in (weight, bias)))


def _check_divisor(groups: Item) -> None:
    """Divide by the number of groups as Python does."""
    value = groups.value
    if isinstance(value, Symbol):
        return
    if isinstance(value, Tensor):
        message = f"{groups.text} is a tensor, expected the number of groups"
        raise SegcliError(message, hint="write an int")
    if not isinstance(value, int | float):
        words = f"unsupported operand type(s) for //: 'int' and '{type_name(value)}'"
        raise RaisedError(groups.span, "TypeError", words)
    try:
        _ = 1 // value
    except ZeroDivisionError as error:
        raise RaisedError(groups.span, "ZeroDivisionError", str(error)) from error


OPERATIONS = {
    "layer_norm": Operation(layer_norm, None, _LAST),
    "group_norm": Operation(group_norm, None, _GROUPS),
}
