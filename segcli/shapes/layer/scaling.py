"""``F.normalize`` and ``F.cosine_similarity``: what is divided by norms. PyTorch 2.13's rules."""

from dataclasses import replace
from typing import Any

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import rest_step, wrap
from segcli.shapes.indexing import Step, axes_text
from segcli.shapes.integers import read_int
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_known, item_of, made_like, tensor_with
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.operands import promote_all
from segcli.shapes.operations import operation_of
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import FLOATING, Item, RaisedError, Symbol, type_name

_NORMALIZE = "input, p=2.0, dim=1, eps=1e-12, out=None"
# Half of the smallest float16.
_LEAST = 2**-25
_SIMILARITY = "Tensor x1, Tensor x2, int dim=, float eps="


def normalize(call: Call) -> Computed:
    """Divide by the norm along an axis.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_known(call, "normalize", _NORMALIZE)
    source = bound["input"].item
    x = tensor_with(source, "norm")
    if "out" in bound and bound["out"].value is not None:
        message = "out= is not supported"
        raise SegcliError(message, hint="leave it out: the shape of the result is the same")
    power = item_of(bound, "p", 2.0, call.span)
    dim = item_of(bound, "dim", 1, call.span)
    eps = item_of(bound, "eps", 1e-12, call.span)
    arguments = (("", source), ("", power), ("", dim), ("keepdim", Item(value=True, text="True", span=call.span)))
    # A ``Reduced``, as what is reduced is a tensor.
    done: Any = operation_of("method", "norm").torch(replace(call, name="norm", space="method", arguments=arguments))
    if isinstance(eps.value, Symbol):
        message = f"the value of {eps.text} is not known, and the formula hangs on it"
        raise SegcliError(message, hint="write the number")
    if not isinstance(eps.value, int | float):
        words = f"clamp_min() received an invalid combination of arguments - got ({type_name(eps.value)})"
        raise RaisedError(eps.span, "TypeError", words)
    axes = tuple(range(len(x.shape)))
    rest = [axis for axis in axes if axis not in done.dims]
    which = f"along {axes_text(done.dims)}" if done.dims else "of each element"
    effect = f"divided by the {done.words} {which}, or by {eps.value:g} where that is larger"
    steps = (
        Step(call.stage, call.text, call.span, "normalize", done.dims, done.dims, effect),
        *rest_step(call, rest, rest, "each by itself"),
    )
    inner = [f"{{k{done.dims.index(axis)}}}" if axis in done.dims else f"{{i{axis}}}" for axis in axes]
    over = ", ".join(f"{{k{place}}}" for place in range(len(done.dims)))
    # Half a float does not hold as small a number as eps usually is.
    least = 0 if x.dtype == "float16" and eps.value < _LEAST else eps.value
    body = f"{{0}} / max({done.words} over {over} of {{1}}, {least:g})"
    own = tuple(f"{{i{axis}}}" for axis in axes)
    formula = Formula(body, (Read(0, own), Read(0, tuple(inner))), tuple(x.shape[axis] for axis in done.dims))
    plain = done.dims and 0 not in x.shape
    return Computed(made_like(call, x, x.shape), (source,), steps, formula=formula if plain else None, needs=done.needs)


def similarity(call: Call) -> Computed:
    """Return the cosine of the angle between vectors along an axis.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_call(call, Signatures((), (_SIMILARITY,)))
    items = [bound["x1"].item, bound["x2"].item]
    tensors = [as_tensor(item) for item in items]
    # As a whole, a tensor without axes counts less; by then it has been broadcast.
    common, dtype = torch_dtype(tensors), promote_all(tensors, "torch")
    if common not in FLOATING:
        words = f"expected common dtype to be floating point, yet common dtype is {SCALARS[common]}"
        raise RaisedError(items[0].span, "RuntimeError", words)
    together = broadcast_operands(call, items)
    given = bound["dim"].item if "dim" in bound else Item(1, "1", call.span)
    axis = wrap(read_int(given), len(together.shape), given.span)
    shape = (*together.shape[:axis], *together.shape[axis + 1 :])
    steps = []
    for step in together.steps:
        pairs = [
            (take, give - (give > axis)) for take, give in zip(step.takes, step.gives, strict=True) if give != axis
        ]
        gone = [take for take, give in zip(step.takes, step.gives, strict=True) if give == axis]
        takes, gives = tuple(take for take, _ in pairs), tuple(give for _, give in pairs)
        steps.append(replace(step, takes=takes, gives=gives))
        if gone:
            steps.append(replace(step, takes=tuple(gone), gives=(), effect="the vectors: their angle is left"))
    why = f"the sum of {items[0].text} * {items[1].text} along axis {axis}, divided by the norms of both"
    return Computed(
        call.make(shape, dtype), together.inputs, tuple(steps), rows=together.rows, broadcast=together.shape,
        why=why, needs=together.needs,
    )  # fmt: skip


OPERATIONS = {
    "normalize": Operation(normalize, None, "write x / np.maximum(np.linalg.norm(x, axis=axis, keepdims=True), 1e-12)"),
    "cosine_similarity": Operation(
        similarity, None, "write (x * y).sum(axis) / (np.linalg.norm(x, axis=axis) * np.linalg.norm(y, axis=axis))"
    ),
}
