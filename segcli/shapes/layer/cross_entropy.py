"""``F.cross_entropy``: PyTorch 2.13's rules, in the order of ``aten/src/ATen/native/LossNLL.cpp`` and its kernels."""

from typing import cast

from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_inner
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.losses import Loss, left_out, reduced_loss
from segcli.shapes.layer.targets import Targets, check_targets
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.operations import find_operation
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.symbols import equal
from segcli.shapes.values import FLOATING, Item, RaisedError, Shape, Size, Symbol, Tensor

_INNER = "Tensor input, Tensor target, Tensor? weight, int reduction, int ignore_index, float label_smoothing"


@record(frozen=True, slots=True)
class _Entropy:
    """The arguments, checked for their types."""

    loss: Loss
    input: Item
    target: Item
    weight: Item | None
    ignored: Size
    smoothing: float | Symbol

    @property
    def x(self) -> Tensor:
        return as_tensor(self.input)

    @property
    def y(self) -> Tensor:
        return as_tensor(self.target)

    @property
    def axis(self) -> int:
        """The axis of the classes."""
        return 0 if len(self.x.shape) == 1 else 1


def cross_entropy(loss: Loss) -> Computed:
    """Compare scores with classes, or with probabilities of classes.

    Args:
        loss: The loss.

    Raises:
        RaisedError: As PyTorch raises.
    """
    call, parts = loss.call, loss.parts
    zero = Item(0, "0", call.span)
    order = [parts["input"], parts["target"], parts["weight"], zero, parts["ignore_index"], parts["label_smoothing"]]
    bound = bind_inner(call, "cross_entropy_loss", _INNER, order)
    smoothing = bound["label_smoothing"].value
    done = _Entropy(
        loss,
        bound["input"].item,
        bound["target"].item,
        bound["weight"].item if bound["weight"].value is not None else None,
        read_size(bound["ignore_index"].item),
        smoothing if isinstance(smoothing, int | float | Symbol) else 0.0,
    )
    if done.x.shape == done.y.shape:
        return _probabilities(done)
    return _indices(done)


def _check_smoothing(done: _Entropy) -> None:
    value = done.smoothing
    if isinstance(value, int | float) and value > 1:
        words = f"label_smoothing must be between 0.0 and 1.0. Got: {value:g}"
        raise RaisedError(done.loss.parts["label_smoothing"].span, "RuntimeError", words)


def _smooths(done: _Entropy) -> bool:
    return isinstance(done.smoothing, Symbol) or done.smoothing > 0


def _probabilities(done: _Entropy) -> Computed:
    """Take a target of the same shape for the probability of each class."""
    if done.y.dtype not in FLOATING:
        words = f"Expected floating point type for target with class probabilities, got {SCALARS[done.y.dtype]}"
        raise RaisedError(done.target.span, "RuntimeError", words)
    if isinstance(done.ignored, str) or done.ignored >= 0:
        words = "ignore_index is not supported for floating point target"
        raise RaisedError(done.loss.parts["ignore_index"].span, "RuntimeError", words)
    if not done.x.shape:
        words = "Dimension specified as 1 but tensor has no dimensions"
        raise RaisedError(done.input.span, "IndexError", words)
    classes = done.x.shape[done.axis]
    needs: tuple[str, ...] = ()
    tensors = [done.x, done.y]
    if done.weight is not None:
        weight = as_tensor(done.weight)
        if len(weight.shape) != 1 or (weight.shape[0] != classes and _are_known(weight.shape[0], classes)):
            words = (
                f"cross_entropy: weight tensor should be defined either for all {classes} classes or no classes but "
                f"got weight tensor of shape: {bracketed(weight.shape)}"
            )
            raise RaisedError(done.weight.span, "RuntimeError", words)
        needs = () if weight.shape[0] == classes else (equal(weight.shape[0], classes),)
        tensors.append(Tensor((1,) * len(done.x.shape), weight.dtype, ""))
    dtype = _log_softmax(done)
    if _smooths(done):
        _check_smoothing(done)
    shape = tuple(size for axis, size in enumerate(done.x.shape) if axis != done.axis)
    note = (
        f"{done.target.text} has the shape of {done.input.text}: it holds the probability of each class; class numbers "
        f"would have shape ({', '.join(map(str, shape))})"
    )
    made = torch_dtype([Tensor(done.x.shape, dtype, ""), *tensors[1:]])
    return reduced_loss(
        done.loss,
        shape,
        made,
        _probability_steps(done),
        formula=None,
        why=_probability_why(done),
        needs=needs,
        notes=(note,),
    )


def _are_known(one: Size, other: Size) -> bool:
    return isinstance(one, int) and isinstance(other, int)


def _log_softmax(done: _Entropy) -> str:
    """Take the logarithms of probabilities as the method does; return their dtype."""
    operation = cast("Operation", find_operation("method", "log_softmax"))
    dim = Item(done.axis, str(done.axis), done.input.span)
    inner = Call(
        "log_softmax",
        "method",
        (("", done.input), ("", dim)),
        done.input.span,
        done.input.text,
        "",
        done.loss.call.stage,
    )
    found = operation.torch(inner)
    return found.dtype if isinstance(found, Reduced) else done.x.dtype


def _indices(done: _Entropy) -> Computed:
    """Take a target of another shape for the number of a class."""
    smooths = _smooths(done)
    if smooths:
        _check_smoothing(done)
    dtype = _log_softmax(done)
    targets = Targets(
        done.input, done.target, done.weight, done.loss.reduction, done.ignored, smooths=smooths, dtype=dtype
    )
    shape, needs = check_targets(targets)
    return reduced_loss(
        done.loss,
        shape,
        dtype,
        _index_steps(done, shape),
        formula=_formula(done, shape),
        why=_index_why(done),
        needs=needs,
    )


def _probability_why(done: _Entropy) -> str:
    smooth = f", smoothed towards 1 / {done.x.shape[done.axis]} by {done.smoothing}" if _smooths(done) else ""
    weighted = ", each class times its weight" if done.weight is not None else ""
    product = f"log_softmax of {done.input.text} times {done.target.text}"
    return f"a loss is -({product}), added up over the classes{smooth}{weighted}"


def _index_why(done: _Entropy) -> str:
    weight = done.weight.text if done.weight is not None else ""
    parts = [f"a loss is -log_softmax of {done.input.text} at the class that {done.target.text} names"]
    if weight:
        parts.append(f"times {weight} of that class")
    if _smooths(done):
        parts.append(f"mixed with the mean over all classes by label_smoothing={_shown(done.smoothing)}")
    if done.loss.reduction == "mean" and done.x.shape[1:]:
        rest = "the weights of the others" if weight else "the number of the others"
        parts.append(f"where {done.target.text} == {done.ignored} it is 0, and the mean divides by {rest}")
    else:
        parts.append(f"0 where {done.target.text} == {done.ignored}")
    return "; ".join(parts)


def _shown(value: float | Symbol) -> str:
    return value.size if isinstance(value, Symbol) else str(value)


def _index_steps(done: _Entropy, shape: Shape) -> list[Step]:
    stage, axis, classes = done.loss.call.stage, done.axis, done.x.shape[done.axis]
    outer = tuple(place for place in range(len(done.x.shape)) if place != axis)
    steps = [
        Step(
            stage,
            done.input.text,
            done.input.span,
            "classes",
            (axis,),
            (),
            f"{classes} scores for each loss: the classes are axis {axis}",
        )
    ]
    if outer:
        text = done.input.text
        steps.append(Step(stage, text, done.input.span, "places", outer, tuple(range(len(outer))), "a loss a place"))
    gives = tuple(range(len(shape)))
    takes = gives if len(done.y.shape) == len(shape) else tuple(range(len(done.y.shape)))
    gives = gives if len(takes) == len(gives) else ()
    what = f"class numbers below {classes}, {done.y.dtype}"
    steps.append(Step(stage, done.target.text, done.target.span, "target", takes, gives, what, 1))
    return [*steps, *_weight_step(done)]


def _probability_steps(done: _Entropy) -> list[Step]:
    stage, axis = done.loss.call.stage, done.axis
    outer = tuple(place for place in range(len(done.x.shape)) if place != axis)
    gives = tuple(range(len(outer)))
    steps = []
    for operand, (item, words) in enumerate(((done.input, "scores"), (done.target, "probabilities"))):
        classes = f"{words} of {done.x.shape[axis]} classes"
        steps.append(Step(stage, item.text, item.span, "classes", (axis,), (), classes, operand))
        if outer:
            steps.append(Step(stage, item.text, item.span, "places", outer, gives, "a loss a place", operand))
    return [*steps, *_weight_step(done)]


def _weight_step(done: _Entropy) -> list[Step]:
    if done.weight is None:
        return []
    axes = tuple(range(len(as_tensor(done.weight).shape)))
    return [Step(done.loss.call.stage, done.weight.text, done.weight.span, "weight", axes, (), "a factor a class", 2)]


def _formula(done: _Entropy, shape: Shape) -> Formula | None:
    """Return how a loss is written, where nothing is left out or weighted."""
    plain = done.weight is None and not _smooths(done) and done.y.values is None and 0 not in shape
    if not plain or len(done.y.shape) != len(shape):
        return None
    letters = [f"{{i{axis}}}" for axis in range(len(shape))]
    target = f"{done.target.text}[{', '.join(letters)}]" if letters else done.target.text
    at, over = list(letters), list(letters)
    at.insert(done.axis, target)
    over.insert(done.axis, "{k0}")
    reads = (Read(0, tuple(over)), Read(0, tuple(at)))
    body = "logsumexp over {k0} of {0} - {1}"
    zero = left_out(done.loss.reduction, target, done.ignored)
    return Formula(zero + body, reads, (done.x.shape[done.axis],))
