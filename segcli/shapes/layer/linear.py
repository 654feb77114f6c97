"""A linear layer, and its function: PyTorch 2.13's."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step, broadcast_sizes
from segcli.shapes.kinds import C_NAMES, SCALARS, tensor_type
from segcli.shapes.layer.layers import as_tensor, check_cast, is_true, make_parameter, say_parameters, weight_dtype
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.python_call import bind_python
from segcli.shapes.records import record
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import is_row_major
from segcli.shapes.symbols import equal, equal_or_one, product
from segcli.shapes.values import Item, RaisedError, Shape, Tensor, check_elements

_LINEAR = Signatures((), ("Tensor input, Tensor weight, Tensor? bias=, *, out? out=",))
_MADE = "self, in_features, out_features, bias=True, device=None, dtype=None"


def _function(call: Call) -> Computed:
    bound = bind_call(call, _LINEAR)
    bias = bound["bias"].item if "bias" in bound else None
    return _linear(call, bound["input"].item, bound["weight"].item, bias, bound["weight"].item)


def _layer(call: Call) -> Computed:
    made = call.layer or call
    bound = bind_python(made, "Linear.__init__", _MADE)
    into, out = bound["in_features"].item, bound["out_features"].item
    dtype = weight_dtype(bound)
    weight = make_parameter("weight", (out, into), dtype, made.span)
    with_bias = "bias" not in bound or is_true(bound["bias"].item)
    bias = make_parameter("bias", (out,), dtype, made.span) if with_bias else None
    source = bind_python(call, "Linear.forward", "self, input")["input"].item
    # The parser of the function that the layer calls looks at what it is applied to.
    bind_call(replace(call, name="linear", arguments=(("", source), ("", weight))), _LINEAR)
    return _linear(call, source, weight, bias, out)


def _linear(call: Call, source: Item, weight: Item, bias: Item | None, token: Item) -> Computed:
    job = _Job(call, source, weight, bias if bias and isinstance(bias.value, Tensor) else None, token)
    x, w = job.x, job.w
    if not x.shape or not w.shape:
        words = f"both arguments to linear need to be at least 1D, but they are {len(x.shape)}D and {len(w.shape)}D"
        raise RaisedError((source if not x.shape else weight).span, "RuntimeError", words)
    if len(w.shape) > 2:  # noqa: PLR2004 - a matrix
        words = f"t() expects a tensor with <= 2 dimensions, but self is {len(w.shape)}D"
        raise RaisedError(weight.span, "RuntimeError", words)
    if job.fused and len(w.shape) == 1:
        raise RaisedError(weight.span, "RuntimeError", "mat2 must be a matrix, got 1-D tensor")
    needs = _check_sizes(job)
    if not job.fused:
        _check_bool(job)
    needs += _check_bias(job)
    _check_bool(job)
    check_elements(job.shape, call.text)
    result = call.make(job.shape, job.dtype)
    if x.labels:
        result = replace(result, labels=(*x.labels[:-1], *[None] * job.out))
    return Computed(
        result,
        tuple(item for item in (source, weight, job.bias) if item)[: 1 if job.is_layer else 3],
        _steps(job),
        formula=_formula(job),
        needs=tuple(needs),
        notes=(say_parameters(weight, job.bias),) if job.is_layer else (),
    )


@record(frozen=True, slots=True)
class _Job:
    """What is multiplied and added; ``token`` is what the trace shows for the features that come out."""

    call: Call
    source: Item
    weight: Item
    bias: Item | None
    token: Item

    @property
    def x(self) -> Tensor:
        return as_tensor(self.source)

    @property
    def w(self) -> Tensor:
        return as_tensor(self.weight)

    @property
    def b(self) -> Tensor | None:
        return as_tensor(self.bias) if self.bias else None

    @property
    def is_layer(self) -> bool:
        return self.call.layer is not None

    @property
    def out(self) -> int:
        """How many axes the weight gives."""
        return len(self.w.shape) - 1

    @property
    def shape(self) -> Shape:
        return (*self.x.shape[:-1], *self.w.shape[: self.out])

    @property
    def apart(self) -> bool:
        """Whether rows of a batch are multiplied one by one, as without gradients those of a view are."""
        rows = len(self.x.shape) > 2 and self.out == 1  # noqa: PLR2004 - a batch of rows
        return rows and not self.fused and not self.is_layer and is_row_major(self.x) is False

    @property
    def dtype(self) -> str:
        """The result's dtype: where rows are multiplied one by one and give nothing, nobody looks at the input's."""
        return self.w.dtype if self.apart and self.w.shape[0] == 0 else self.x.dtype

    @property
    def fused(self) -> bool:
        """Whether PyTorch multiplies and adds in one kernel, which wants one dtype and a bias of one axis."""
        if self.b is None:
            return False
        if len(self.x.shape) == 2:  # noqa: PLR2004 - rows
            return True
        flat = len(self.b.shape) == 1 or sum(size != 1 for size in self.b.shape) == 1
        return flat and is_row_major(self.x) is not False


def _check_sizes(job: _Job) -> list[str]:
    """Refuse a weight of another size or dtype; return what must hold of sizes that are not known."""
    x, w, b = job.x, job.w, job.b
    if job.fused and b is not None and b.dtype != w.dtype:
        words = f"self and mat2 must have the same dtype, but got {SCALARS[b.dtype]} and {SCALARS[w.dtype]}"
        at = job.source if job.is_layer or job.bias is None else job.bias
        raise RaisedError(at.span, "RuntimeError", words)
    found, takes = x.shape[-1], w.shape[-1]
    known = isinstance(found, int) and isinstance(takes, int)
    if found != takes and known:
        raise RaisedError(job.source.span, "RuntimeError", _mismatch(job), len(x.shape) - 1)
    if job.apart:
        _check_bool(job)
    if job.dtype != w.dtype:
        raise RaisedError((job.source if job.is_layer else job.weight).span, "RuntimeError", _dtypes(job))
    return [] if found == takes else [equal(found, takes)]


def _check_bool(job: _Job) -> None:
    """Refuse bools, which no kernel multiplies where there is anything to multiply."""
    x = job.x
    if x.dtype != "bool" or 0 in job.shape:
        return
    if x.shape[-1] != 0:
        kernel = (
            "bmm" if job.apart else "addmm_impl_cpu_" if job.out else "addmv_impl_cpu" if len(x.shape) > 1 else "dot"
        )
        words = f"\"{kernel}\" not implemented for 'Bool'"
        raise RaisedError(job.source.span, "NotImplementedError", words)
    if job.fused:
        words = "result type Long can't be cast to the desired output type Bool"
        raise RaisedError(job.source.span, "RuntimeError", words)


def _mismatch(job: _Job) -> str:
    found, takes, rows = job.x.shape[-1], job.w.shape[-1], product(job.x.shape[:-1])
    if job.out:
        return f"mat1 and mat2 shapes cannot be multiplied ({rows}x{found} and {takes}x{job.w.shape[0]})"
    if len(job.x.shape) > 1:
        return f"size mismatch, got input ({rows}), mat ({rows}x{found}), vec ({takes})"
    return (
        f"inconsistent tensor size, expected tensor [{found}] and src [{takes}] to have the same number of elements, "
        f"but got {found} and {takes} elements respectively"
    )


def _dtypes(job: _Job) -> str:
    found, other = job.x.dtype, job.w.dtype
    if job.fused:
        return f"mat1 and mat2 must have the same dtype, but got {SCALARS[found]} and {SCALARS[other]}"
    if job.out:
        return f"expected m1 and m2 to have the same dtype, but got: {C_NAMES[found]} != {C_NAMES[other]}"
    if len(job.x.shape) > 1:
        listed = f"{SCALARS[other]}, {SCALARS[found]}, and {SCALARS[other]}"
        return f"addmv input tensors must have the same dtype, but got {listed}"
    return f"dot : expected both vectors to have same dtype, but found {SCALARS[found]} and {SCALARS[other]}"


def _check_bias(job: _Job) -> list[str]:
    """Refuse a bias that does not broadcast to the result; return what must hold of sizes that are not known."""
    b, bias = job.b, job.bias
    if b is None or bias is None:
        return []
    target = (product(job.shape[:-1]), job.shape[-1]) if job.fused else job.shape
    needs: list[str] = []
    fits = len(b.shape) <= len(target)
    for size, given in zip(reversed(target), reversed(b.shape), strict=False):
        if isinstance(size, str) or isinstance(given, str):
            needs += [] if given in (size, 1) else [equal_or_one(given, size)]
        else:
            fits = fits and given in (size, 1)
    if not fits:
        together = broadcast_sizes([target, b.shape], [])
        raise RaisedError(bias.span, "RuntimeError", _bias_words(b, target, together, fused=job.fused))
    if not job.fused:
        check_cast(b.dtype, job.dtype, bias.span)
    return needs


def _bias_words(b: Tensor, target: Shape, together: Shape | None, *, fused: bool) -> str:
    pairs = list(zip(reversed(target), reversed(b.shape), strict=False))
    place = next((place for place, (size, given) in enumerate(pairs) if given not in (size, 1)), 0)
    axis = len(target) - 1 - place
    if fused and len(b.shape) > len(target):
        return (
            f"expand({tensor_type(b.dtype)}{{{bracketed(b.shape)}}}, size={bracketed(target)}): the number of sizes "
            f"provided ({len(target)}) must be greater or equal to the number of dimensions in the tensor "
            f"({len(b.shape)})"
        )
    if fused:
        return (
            f"The expanded size of the tensor ({target[axis]}) must match the existing size ({b.shape[-1 - place]}) at "
            f"non-singleton dimension {axis}.  Target sizes: {bracketed(target)}.  Tensor sizes: {bracketed(b.shape)}"
        )
    if together is None:
        return (
            f"The size of tensor a ({target[axis]}) must match the size of tensor b ({b.shape[-1 - place]}) at "
            f"non-singleton dimension {axis}"
        )
    return f"output with shape {bracketed(target)} doesn't match the broadcast shape {bracketed(together)}"


def _steps(job: _Job) -> tuple[Step, ...]:
    stage, shape = job.call.stage, job.x.shape
    last, out = len(shape) - 1, tuple(range(len(shape) - 1, len(job.shape)))
    steps = []
    if last:
        rest = tuple(range(last))
        steps.append(Step(stage, "", (0, 0), "rows", rest, rest, "kept: each row goes through by itself"))
    takes = shape[-1]
    gives = job.shape[-1] if out else 1
    effect = f"{takes} -> {gives}: each a sum of all {takes}, weighted" if out else f"summed, weighted: all {takes}"
    steps.append(Step(stage, job.token.text, job.token.span, "features", (last,), out, effect))
    if not job.is_layer:
        axes = tuple(range(len(job.w.shape)))
        text, span = job.weight.text, job.weight.span
        if out:
            steps.append(Step(stage, text, span, "weight", axes[:1], out, "a row for each feature that comes out", 1))
        steps.append(Step(stage, text, span, "weight", axes[-1:], (), "a weight for each feature that goes in", 1))
    if job.bias and job.b and not job.is_layer:
        offset = len(job.shape) - len(job.b.shape)
        own = tuple(range(len(job.b.shape)))
        landed = tuple(axis + offset for axis in own)
        steps.append(Step(stage, job.bias.text, job.bias.span, "bias", own, landed, "added", 2))
    return tuple(steps)


def _formula(job: _Job) -> Formula:
    rows = [f"{{i{axis}}}" for axis in range(len(job.x.shape) - 1)]
    own = [f"{{i{len(rows)}}}"] * job.out
    reads = [Read(0, (*rows, "{k0}"))]
    weight, bias = f"weight[{', '.join([*own, '{k0}'])}]", f"bias[{', '.join(own)}]"
    if not job.is_layer:
        reads.append(Read(1, (*own, "{k0}")))
        weight, bias = "{1}", "{2}"
    if job.b is not None and not job.is_layer:
        reads.append(Read(2, _broadcast_at(job.b.shape, job.shape)))
    body = f"sum over {{k0}} of {{0}} * {weight}"
    return Formula(f"{bias} + {body}" if job.b is not None else body, tuple(reads), job.x.shape[-1:])


def _broadcast_at(shape: Shape, result: Shape) -> tuple[str, ...]:
    offset = len(result) - len(shape)
    # A fused bias may have more axes of size 1 in front.
    return tuple("0" if size == 1 else f"{{i{axis + offset}}}" for axis, size in enumerate(shape))


_ADVICE = "write x @ weight.T + bias"
OPERATIONS = {"linear": Operation(_function, None, _ADVICE), "Linear": Operation(_layer, None, _ADVICE)}
