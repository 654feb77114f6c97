"""Windows and differences along one axis: ``x.unfold`` and ``diff``, PyTorch 2.13's, and ``np.diff`` of NumPy 2.4."""

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, bind_numpy, numpy_axis, rest_step, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import numpy_int, read_int
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import at_least, divided, lessened, product
from segcli.shapes.values import Item, RaisedError, Size, Tensor, type_name

_UNFOLD = Signatures(("int dimension, int size, int step",), ())
_DIFF = "int n=, int dim=, Tensor? prepend=, Tensor? append="
_DIFFERENCES = Signatures((_DIFF,), (f"Tensor input, {_DIFF}, *, out? out=",))
_ADVICE = "write np.lib.stride_tricks.sliding_window_view(x, size, axis), and [::step] along that axis"


def _unfold(call: Call) -> Computed:
    """Look at every window of an axis; its positions are the last axis."""
    bound = bind_call(call, _UNFOLD)
    item = call.first
    source = tensor_in(item)
    axis = wrap(read_int(bound["dimension"].item), len(source.shape), bound["dimension"].item.span)
    size, step = (read_int(bound[name].item) for name in ("size", "step"))
    whole: Size = source.shape[axis] if source.shape else 1
    if size < 0:
        raise RaisedError(bound["size"].item.span, "RuntimeError", f"size is {size} but must be >= 0")
    if isinstance(whole, int) and size > whole:
        words = f"maximum size for tensor at dimension {axis} is {whole} but size is {size}"
        raise RaisedError(bound["size"].item.span, "RuntimeError", words, axis)
    if step <= 0:
        raise RaisedError(bound["step"].item.span, "RuntimeError", f"step is {step} but must be > 0")
    strides = strides_of(source)
    if not source.shape:
        made = Tensor((size,), source.dtype, call.result_text, strides=(1,))
        effect = f"its one element as a window of {size}"
        alone = Step(call.stage, call.text, call.span, call.name, (), (0,), effect)
        return Computed(made, (item,), (alone,), view=True)
    # From where the last window begins, rounded up: as many windows as begin up to there.
    count = divided(lessened(whole, size - 1) if size else _one_more(whole), step)
    last = len(source.shape)
    own = strides[axis]
    made = Tensor(
        (*source.shape[:axis], count, *source.shape[axis + 1 :], size),
        source.dtype,
        call.result_text,
        labels=(*source.labels, None) if source.labels else (),
        strides=(*strides[:axis], None if own is None else product([own, step]), *strides[axis + 1 :], own),
    )
    effect = f"windows of {size} positions, each {step} after the last: ({whole} - {size}) // {step} + 1 = {count}"
    left = [place for place in range(last) if place != axis]
    steps = (
        Step(call.stage, call.text, call.span, call.name, (axis,), (axis, last), effect),
        *rest_step(call, left, left, "not walked"),
    )
    at = [f"{{i{place}}}" for place in range(last)]
    at[axis] = f"{{i{axis}}} + {{i{last}}}" if step == 1 else f"{step}*{{i{axis}}} + {{i{last}}}"
    needs = (at_least(whole, size),) if isinstance(whole, str) and size else ()
    formula = None if 0 in made.shape else Formula("{0}", (Read(0, tuple(at)),))
    return Computed(made, (item,), steps, view=True, formula=formula, needs=needs)


def _one_more(size: Size) -> Size:
    return size + 1 if isinstance(size, int) else f"{size} + 1"


def _diff(call: Call) -> Computed:
    item, source, bound = bind(call, _DIFFERENCES)
    for name in ("prepend", "append"):
        _refuse_given(bound, name)
    if not source.shape:
        raise RaisedError(item.span, "RuntimeError", "diff expects input to be at least one-dimensional")
    order = read_int(bound["n"].item) if "n" in bound else 1
    if order < 0:
        words = f"order must be non-negative but got {order}"
        raise RaisedError(bound["n"].item.span, "RuntimeError", words)
    given = bound["dim"].item if "dim" in bound else Item(-1, "-1", call.span)
    dim = read_int(given)
    # Nothing is looked at where nothing is subtracted.
    axis = wrap(dim, len(source.shape), given.span) if order else dim % len(source.shape)
    # Of no positions, none is subtracted, and the tensor comes back.
    return _differences(call, item, order, axis, view=order > 0 and source.shape[axis] == 0)


def _refuse_given(bound: dict[str, Given], name: str) -> None:
    if name in bound and bound[name].value is not None:
        message = f"{name}= is not supported"
        raise SegcliError(message, hint="join it to the tensor first: torch.cat([a, x], dim).diff(dim=dim)")


def _differences(call: Call, item: Item, order: int, axis: int, *, view: bool = False) -> Computed:
    source = tensor_in(item)
    size = lessened(source.shape[axis], order)
    shape = (*source.shape[:axis], size, *source.shape[axis + 1 :])
    words = "each position less the one before it" + f", {order} times over" * (order > 1)
    effect = f"{words}: {size} positions" if order else "nothing is subtracted"
    left = [place for place in range(len(shape)) if place != axis]
    steps = (
        Step(call.stage, call.text, call.span, call.name, (axis,), (axis,), effect),
        *rest_step(call, left, left, "each by itself"),
    )
    at = [f"{{i{place}}}" for place in range(len(shape))]
    after = [*at[:axis], f"{at[axis]} + 1", *at[axis + 1 :]]
    body = "{0} != {1}" if source.dtype == "bool" else "{0} - {1}"
    formula = Formula(body, (Read(0, tuple(after)), Read(0, tuple(at)))) if order == 1 else None
    formula = Formula("{0}", (Read(0, tuple(at)),)) if not order else formula
    formula = None if 0 in shape else formula
    return Computed(call.make(shape, source.dtype), (item,), steps, view=view, formula=formula)


def _diff_numpy(call: Call) -> Computed:
    item, source, bound = bind_numpy(
        call, "diff", "a, n=1, axis=-1, prepend=<no value>, append=<no value>", {"dim": "axis"}
    )
    for name in ("prepend", "append"):
        _refuse_given(bound, name)
    n = bound["n"].value if "n" in bound else 1
    if n == 0 and not source.shape:
        step = Step(call.stage, call.text, call.span, call.name, (), (), "nothing is subtracted")
        return Computed(call.make((), source.dtype, scalar=source.scalar), (item,), (step,), view=not source.scalar)
    if n == 0:
        return _differences(call, item, 0, 0, view=True)
    if not isinstance(n, int | float):
        words = f"'<' not supported between instances of '{type_name(n)}' and 'int'"
        raise RaisedError(bound["n"].item.span, "TypeError", words)
    if n < 0:
        raise RaisedError(bound["n"].item.span, "ValueError", f"order must be non-negative but got {n!r}")
    if not source.shape:
        raise RaisedError(item.span, "ValueError", "diff requires input that is at least one dimensional")
    given = bound["axis"].item if "axis" in bound else Item(-1, "-1", call.span)
    if isinstance(given.value, float):
        raise RaisedError(given.span, "TypeError", "integer argument expected, got float")
    axis = numpy_axis(numpy_int(given), len(source.shape), given.span)
    order = numpy_int(bound["n"].item) if "n" in bound else 1
    return _differences(call, item, order, axis)


OPERATIONS = {
    "unfold": Operation(_unfold, None, _ADVICE),
    "diff": Operation(_diff, _diff_numpy, read_as="np.diff"),
}
