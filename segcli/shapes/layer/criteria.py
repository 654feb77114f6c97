"""Losses of classification: PyTorch 2.13's."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.layer.binary_entropy import binary_entropy
from segcli.shapes.layer.cross_entropy import cross_entropy
from segcli.shapes.layer.kernels import bind_known, item_of
from segcli.shapes.layer.likelihood import nll_loss
from segcli.shapes.layer.losses import Loss, read_reduction
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.values import Item, RaisedError, Tensor, Value, type_name

_CROSS_OPTIONS = "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0"
_CROSS = f"input, target, {_CROSS_OPTIONS}"
_CROSS_LAYER = f"self, {_CROSS_OPTIONS}"
_LIKELIHOOD_OPTIONS = "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'"
_LIKELIHOOD = f"input, target, {_LIKELIHOOD_OPTIONS}"
_LIKELIHOOD_LAYER = f"self, {_LIKELIHOOD_OPTIONS}"
_BINARY = "input, target, weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None"
_BINARY_LAYER = "self, weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None"
_DEFAULTS: dict[str, Value] = {
    "weight": None,
    "pos_weight": None,
    "ignore_index": -100,
    "reduction": "mean",
    "label_smoothing": 0.0,
}
_ADVICE = "with log-probabilities q along axis 1, -np.take_along_axis(q, y[:, None], axis=1).mean() is the loss"
_LIKELIHOOD_ADVICE = "write -np.take_along_axis(q, y[:, None], axis=1).mean()"
_BINARY_ADVICE = "write (np.logaddexp(0, x) - x * y).mean()"


@record(frozen=True, slots=True)
class _Read:
    """A loss that was asked for: its parts by name, and the reduction with its note."""

    parts: dict[str, Item]
    reduction: str
    note: str


def _read(call: Call, function: str, layer: str) -> _Read:
    made = call.layer
    if made is None:
        bound = bind_known(call, call.name, function)
        reduction, note = read_reduction(bound, call)
        return _Read(_parts(bound, call), reduction, note)
    bound = bind_known(made, f"{made.name}.__init__", layer)
    for name in ("weight", "pos_weight"):
        value = bound[name].value if name in bound else None
        if value is not None and not isinstance(value, Tensor):
            words = f"cannot assign '{type_name(value)}' object to buffer '{name}' (torch Tensor or None required)"
            raise RaisedError(bound[name].item.span, "TypeError", words)
    given = bind_known(call, f"{made.name}.forward", "self, input, target")
    reduction, note = read_reduction(bound, made)
    return _Read(_parts(bound | given, made), reduction, note)


def _parts(bound: dict[str, Given], call: Call) -> dict[str, Item]:
    defaults = {name: item_of(bound, name, default, call.span) for name, default in _DEFAULTS.items()}
    return defaults | {name: bound[name].item for name in ("input", "target")}


def _cross_entropy(call: Call) -> Computed:
    asked = _read(call, _CROSS, _CROSS_LAYER)
    return cross_entropy(Loss(call, asked.parts, asked.reduction, asked.note))


def _binary_entropy(call: Call) -> Computed:
    asked = _read(call, _BINARY, _BINARY_LAYER)
    return binary_entropy(Loss(call, asked.parts, asked.reduction, asked.note))


def _likelihood(call: Call) -> Computed:
    asked = _read(call, _LIKELIHOOD, _LIKELIHOOD_LAYER)
    return nll_loss(Loss(call, asked.parts, asked.reduction, asked.note))


OPERATIONS = {
    "nll_loss": Operation(_likelihood, None, _LIKELIHOOD_ADVICE),
    "NLLLoss": Operation(_likelihood, None, _LIKELIHOOD_ADVICE),
    "cross_entropy": Operation(_cross_entropy, None, _ADVICE),
    "CrossEntropyLoss": Operation(_cross_entropy, None, _ADVICE),
    "binary_cross_entropy_with_logits": Operation(_binary_entropy, None, _BINARY_ADVICE),
    "BCEWithLogitsLoss": Operation(_binary_entropy, None, _BINARY_ADVICE),
}
