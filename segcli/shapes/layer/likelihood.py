"""``F.nll_loss``: log-probabilities at the classes that a target names. PyTorch 2.13's rules."""

from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.kernels import bind_inner
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.losses import Loss, left_out, reduced_loss
from segcli.shapes.layer.targets import Targets, check_targets
from segcli.shapes.values import Item, RaisedError, Shape

_INNER = "Tensor input, Tensor target, Tensor? weight, int reduction, int ignore_index"


def nll_loss(loss: Loss) -> Computed:
    """Take log-probabilities at classes.

    Args:
        loss: The loss.

    Raises:
        RaisedError: As PyTorch raises.
    """
    call, parts = loss.call, loss.parts
    order = [parts["input"], parts["target"], parts["weight"], Item(0, "0", call.span), parts["ignore_index"]]
    bound = bind_inner(call, "nll_loss_nd", _INNER, order)
    source, target = bound["input"].item, bound["target"].item
    weight = bound["weight"].item if bound["weight"].value is not None else None
    x = as_tensor(source)
    if not x.shape:
        raise RaisedError(source.span, "ValueError", "Expected 1 or more dimensions (got 0)")
    ignored = read_size(bound["ignore_index"].item)
    targets = Targets(source, target, weight, loss.reduction, ignored, smooths=False, dtype=x.dtype)
    shape, needs = check_targets(targets)
    axis = 0 if len(x.shape) == 1 else 1
    why = f"a loss is -{source.text} at the class that {target.text} names"
    why += f", times {weight.text} of that class" * (weight is not None) if weight else ""
    why += f"; 0 where {target.text} == {ignored}"
    steps = _steps(loss, source, target, weight, axis)
    formula = _formula(targets, shape, axis)
    return reduced_loss(loss, shape, x.dtype, steps, formula=formula, why=why, needs=needs)


def _steps(loss: Loss, source: Item, target: Item, weight: Item | None, axis: int) -> list[Step]:
    stage, shape = loss.call.stage, as_tensor(source).shape
    outer = tuple(place for place in range(len(shape)) if place != axis)
    gives = tuple(range(len(outer)))
    what = f"{shape[axis]} log-probabilities for each loss: the classes are axis {axis}"
    steps = [Step(stage, source.text, source.span, "classes", (axis,), (), what)]
    if outer:
        steps.append(Step(stage, source.text, source.span, "places", outer, gives, "a loss a place"))
    own = tuple(range(len(as_tensor(target).shape)))
    landed = gives if len(own) == len(gives) else ()
    what = f"class numbers below {shape[axis]}, {as_tensor(target).dtype}"
    steps.append(Step(stage, target.text, target.span, "target", own, landed, what, 1))
    if weight is not None:
        axes = tuple(range(len(as_tensor(weight).shape)))
        steps.append(Step(stage, weight.text, weight.span, "weight", axes, (), "a factor a class", 2))
    return steps


def _formula(targets: Targets, shape: Shape, axis: int) -> Formula | None:
    """Return how a loss is written, where nothing is left out or weighted."""
    plain = targets.weight is None and targets.y.values is None and 0 not in shape
    if not plain or len(targets.y.shape) != len(shape):
        return None
    letters = [f"{{i{place}}}" for place in range(len(shape))]
    at = [*letters[:axis], "{0}", *letters[axis:]]
    ignored = targets.ignored
    zero = left_out(targets.reduction, "{0}", ignored)
    return Formula(f"{zero}-{{1}}", (Read(1, tuple(letters)), Read(0, tuple(at))))
