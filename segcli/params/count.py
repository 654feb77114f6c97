"""What a block holds and costs: everything follows from walking through it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from segcli.errors import SegcliError
from segcli.params.block import Block, Step, walk
from segcli.params.conv import Conv
from segcli.params.description import Layer
from segcli.params.formula import KINDS, Kind, gather, in_sum, symbols_of, with_numbers
from segcli.params.limits import require_storable
from segcli.params.operation import APART, Apart, Operation
from segcli.params.receptive_field import receptive_field


@dataclass(frozen=True)
class Stage:
    """One layer of a variant, counted.

    Attributes:
        layer: What it is.
        path: On which of several paths it lies; empty where there is one.
        input_shape: (channels, *size).
        output_shape: (channels, *size).
        params: Parameters.
        formula: The parameters in symbols.
        formula_numbers: The same with the numbers put in.
        macs: Multiply-accumulates.
        macs_numbers: Positions times weights; empty where there are none.
        apart: Elements of work that is no MAC, by kind; none for a layer without any.
    """

    layer: str
    path: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    params: int
    formula: str
    formula_numbers: str
    macs: int
    macs_numbers: str
    apart: dict[Apart, int]


@dataclass(frozen=True)
class LayerCount:
    """What one variant holds and costs, batch 1.

    Attributes:
        variant: Its name.
        params: Parameters, everything included.
        params_by_kind: The same apart: weights of convolutions, biases, norms, scales.
        buffers: Numbers stored without learning them, as batch norm's statistics; no parameters.
        macs: Multiply-accumulates of convolutions.
        flops: 2 x MACs.
        output_shape: (channels, *size).
        receptive_field: The positions of the input that one output position sees, a side an axis.
        weight_bytes: Bytes of the parameters.
        activation_bytes: Bytes of the outputs of all convolutions (Radosavovic et al. 2020, section 3.1).
        traffic_bytes: What the convolutions must move: each one's input, parameters and output once.
        arithmetic_intensity: FLOPs over ``traffic_bytes`` (Williams, Waterman and Patterson 2009).
        apart: Elements of work that is no MAC: bias additions, norms, activations, pooling, scales, additions of paths.
        ratio: Parameters over those of the standard convolution.
        macs_ratio: MACs over those of the standard convolution; None where that has no output.
        formula: The parameters in symbols.
        formula_numbers: The same with the numbers put in.
        where: What the derived symbols stand for.
        symbols: The symbols' numbers.
        stages: The layers it is made of, in order.
    """

    variant: str
    params: int
    params_by_kind: dict[Kind, int]
    buffers: int
    macs: int
    flops: int
    output_shape: tuple[int, ...]
    receptive_field: tuple[int, ...]
    weight_bytes: int
    activation_bytes: int
    traffic_bytes: int
    arithmetic_intensity: float
    apart: dict[Apart, int]
    ratio: float
    macs_ratio: float | None
    formula: str
    formula_numbers: str
    where: dict[str, str]
    symbols: dict[str, int]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Baseline:
    """What ratios are taken to: the standard convolution. ``macs`` is None where it has no output."""

    params: int
    macs: int | None


def baseline(layer: Layer, convolution: Sequence[Operation]) -> Baseline:
    """Count layers one behind another, the first of which alone multiplies: the standard convolution of ``layer``."""
    params = sum(term.value for operation in convolution for term in operation.terms())
    try:
        return Baseline(params, convolution[0].macs(layer.size))
    except SegcliError:
        return Baseline(params, None)


def count(variant: str, layer: Layer, block: Block, standard: Baseline) -> LayerCount:
    """Count ``block``, a variant of ``layer``.

    Args:
        variant: Its name.
        layer: The layer, for the input's shape and the dtype.
        block: What the layer becomes.
        standard: What ratios are taken to.

    Raises:
        SegcliError: Where the block cannot take the input, or a tensor would be larger than torch can describe.
    """
    steps = walk(block, (layer.in_channels, *layer.size))
    _require_storable(layer, steps)
    convs = [(step, step.operation) for step in steps if isinstance(step.operation, Conv)]
    terms = gather(term for step in steps for term in step.operation.terms())
    params = sum(term.value for term in terms)
    macs = sum(conv.macs(step.input_shape[1:]) for step, conv in convs)
    traffic = sum(prod(step.input_shape) + conv.params + prod(step.output_shape) for step, conv in convs)
    symbols = {"Cin": layer.cin, "Cout": layer.cout, **{side.name: side for side in layer.sides}, **symbols_of(terms)}
    formula = in_sum(terms)
    return LayerCount(
        variant=variant,
        params=params,
        params_by_kind={kind: sum(term.value for term in terms if term.kind == kind) for kind in KINDS},
        buffers=sum(step.operation.buffers for step in steps),
        macs=macs,
        flops=2 * macs,
        output_shape=steps[-1].output_shape,
        receptive_field=receptive_field(block, layer.dims),
        weight_bytes=params * layer.item_bytes,
        activation_bytes=sum(prod(step.output_shape) for step, _ in convs) * layer.item_bytes,
        traffic_bytes=traffic * layer.item_bytes,
        arithmetic_intensity=2 * macs / (traffic * layer.item_bytes),
        apart=_apart(steps),
        ratio=params / standard.params,
        macs_ratio=None if standard.macs is None else macs / standard.macs,
        formula=formula,
        formula_numbers=with_numbers(formula, symbols),
        where={name: number.meaning for name, number in symbols.items() if number.meaning},
        symbols={name: int(number) for name, number in symbols.items()},
        stages=tuple(_stage(step) for step in steps),
    )


def _stage(step: Step) -> Stage:
    operation = step.operation
    terms = gather(operation.terms())
    formula = in_sum(terms) if terms else ""
    macs_numbers = ""
    if isinstance(operation, Conv):
        factors = (*operation.positions(step.input_shape[1:]), operation.weights)
        macs_numbers = "*".join(str(int(factor)) for factor in factors)
    return Stage(
        layer=operation.label,
        path=step.path,
        input_shape=step.input_shape,
        output_shape=step.output_shape,
        params=sum(term.value for term in terms),
        formula=formula,
        formula_numbers=with_numbers(formula, symbols_of(terms)),
        macs=operation.macs(step.input_shape[1:]),
        macs_numbers=macs_numbers,
        apart=_apart([step]),
    )


def _apart(steps: Iterable[Step]) -> dict[Apart, int]:
    """Add up the work that is no MAC, every kind of it."""
    found = dict.fromkeys(APART, 0)
    for step in steps:
        work = step.operation.apart(step.input_shape)
        if work is not None:
            found[work[0]] += work[1]
    return found


def _require_storable(layer: Layer, steps: Sequence[Step]) -> None:
    require_storable("the input", (layer.in_channels, *layer.size), layer.item_bytes)
    for step in steps:
        require_storable(f"the output of {step.operation.label}", step.output_shape, layer.item_bytes)
        for term in step.operation.terms():
            require_storable(f"{term.kind} of {step.operation.label}", (term.value,), layer.item_bytes)
