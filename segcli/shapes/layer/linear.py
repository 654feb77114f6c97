"""A linear layer, and its function: PyTorch 2.13's."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.layer.layers import is_true, make_parameter, say_parameters, weight_dtype
from segcli.shapes.layer.linear_checks import Job, check_bias, check_bool, check_fused, check_sizes
from segcli.shapes.python_call import bind_python
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import product
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
    job = Job(call, source, weight, bias if bias and isinstance(bias.value, Tensor) else None, token)
    x, w = job.x, job.w
    if not x.shape or not w.shape:
        words = f"both arguments to linear need to be at least 1D, but they are {len(x.shape)}D and {len(w.shape)}D"
        raise RaisedError((source if not x.shape else weight).span, "RuntimeError", words)
    if len(w.shape) > 2:  # noqa: PLR2004 - a matrix
        words = f"t() expects a tensor with <= 2 dimensions, but self is {len(w.shape)}D"
        raise RaisedError(weight.span, "RuntimeError", words)
    if job.fused:
        check_fused(job)
    needs = check_sizes(job)
    if not job.fused:
        check_bool(job)
    needs += check_bias(job)
    check_bool(job)
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


def _steps(job: Job) -> tuple[Step, ...]:
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
        steps.append(_bias_step(job, job.bias, job.b.shape))
    return tuple(steps)


def _bias_step(job: Job, bias: Item, shape: Shape) -> Step:
    own, offset = tuple(range(len(shape))), len(job.shape) - len(shape)
    landed, effect = tuple(axis + offset for axis in own), "added"
    if job.counts_rows:
        landed, effect = tuple(range(len(job.shape))), "added, its rows to the rows of the whole batch"
    return Step(job.call.stage, bias.text, bias.span, "bias", own, landed, effect, 2)


def _formula(job: Job) -> Formula:
    rows = [f"{{i{axis}}}" for axis in range(len(job.x.shape) - 1)]
    own = [f"{{i{len(rows)}}}"] * job.out
    reads = [Read(0, (*rows, "{k0}"))]
    weight, bias = f"weight[{', '.join([*own, '{k0}'])}]", f"bias[{', '.join(own)}]"
    if not job.is_layer:
        reads.append(Read(1, (*own, "{k0}")))
        weight, bias = "{1}", "{2}"
    if job.b is not None and not job.is_layer:
        reads.append(Read(2, _bias_at(job, job.b.shape)))
    body = f"sum over {{k0}} of {{0}} * {weight}"
    return Formula(f"{bias} + {body}" if job.b is not None else body, tuple(reads), job.x.shape[-1:])


def _bias_at(job: Job, shape: Shape) -> tuple[str, ...]:
    """Return which element of the bias is added; what is fused counts the rows of a batch through."""
    offset = len(job.shape) - len(shape)
    at = ["0" if size == 1 else f"{{i{axis + offset}}}" for axis, size in enumerate(shape)]
    if job.counts_rows:
        at[0] = _row(job.x.shape[:-1])
    return tuple(at)


def _row(shape: Shape) -> str:
    """Write which row of the flattened batch one is."""
    steps = [product(shape[axis + 1 :]) for axis in range(len(shape))]
    terms = [f"{{i{axis}}}" if step == 1 else f"{step}*{{i{axis}}}" for axis, step in enumerate(steps)]
    return " + ".join(term for term, size in zip(terms, shape, strict=True) if size != 1)


_ADVICE = "write x @ weight.T + bias"
OPERATIONS = {"linear": Operation(_function, None, _ADVICE), "Linear": Operation(_layer, None, _ADVICE)}
