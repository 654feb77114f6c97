"""A comparison of layers as tables, and variants term by term."""

from collections.abc import Mapping, Sequence
from typing import Any

from segcli.params.count import LayerCount, Stage
from segcli.params.description import Layer
from segcli.params.formula import KINDS
from segcli.params.operation import APART
from segcli.params.variants import VARIANTS, Comparison
from segcli.table import Cell, Column, Table
from segcli.units import format_shape, format_size

_PARAMS_COLUMNS = (
    Column("variant"),
    Column("params", "count"),
    Column("ratio", "ratio"),
    Column("to standard", "bar"),
    Column("output"),
    Column("field"),
)
_COST_COLUMNS = (
    Column("variant"),
    Column("MACs", "count"),
    Column("FLOPs", "rate"),
    Column("weights", "bytes"),
    Column("activations", "bytes"),
    Column("FLOP/byte", "rate"),
)
_FORMULAS = "formulas of the parameters"
_FORMULA_COLUMNS = (Column("variant"), Column("in symbols"), Column("with numbers"))
_APART_NAMES = {
    "bias": "biased",
    "norm": "normalized",
    "activation": "activated",
    "pool": "pooled",
    "scale": "scaled",
    "add": "added",
}
_RECORD_COLUMNS = (
    Column("variant"),
    *(Column(name, "count") for name in ("params", "biases", "norms", "scales", "buffers")),
    Column("ratio"),
    *(Column(name, "count") for name in ("macs", "flops")),
    Column("macs ratio"),
    Column("output shape"),
    Column("receptive field"),
    *(Column(name, "bytes") for name in ("weights", "activations", "traffic")),
    Column("arithmetic intensity", "number"),
    *(Column(_APART_NAMES[kind], "count") for kind in APART),
    Column("formula"),
    Column("formula numbers"),
)
_TERM_COLUMNS = (Column("layer"), Column("params", "count"), Column("in symbols"), Column("with numbers"))
_STEP_COLUMNS = (
    Column("layer"),
    Column("output"),
    Column("MACs", "count"),
    Column("work"),
)


def tables(result: Comparison) -> list[Table]:
    """Return what a comparison holds: parameters, costs, formulas, and what there is besides weights and MACs."""
    counts = result.layers
    params = Table(_title(result.layer), _PARAMS_COLUMNS, [_params_row(count) for count in counts], _notes(result))
    costs = Table("costs", _COST_COLUMNS, [_cost_row(count) for count in counts], result.conventions)
    formulas = [_formula_row(count) for count in counts]
    if not result.layer.bias and result.layer.norm == "none":
        return [params, costs, Table(_FORMULAS, _FORMULA_COLUMNS, formulas)]
    order = "In this order: weights, biases, norms, scales."
    return [
        params,
        costs,
        _kinds_table(counts),
        _apart_table(counts),
        Table(_FORMULAS, _FORMULA_COLUMNS, formulas, (order,)),
    ]


def records(result: Comparison) -> list[Table]:
    """Return everything in one table, a row a variant."""
    return [Table(_title(result.layer), _RECORD_COLUMNS, [_record(count) for count in result.layers])]


def explanation(result: Comparison) -> list[Table]:
    """Return every variant term by term: what each layer holds, and what it costs."""
    found = [table for count in result.layers for table in (_terms_table(count), _steps_table(count))]
    last = found[-1]
    notes = (*last.notes, *result.conventions, *result.skipped)
    return [*found[:-1], Table(last.title, last.columns, last.rows, notes)]


def _title(layer: Layer) -> str:
    extra = [f"{layer.norm} norm"] if layer.norm != "none" else []
    extra += ["bias"] if layer.bias else []
    extra += [] if layer.dtype == "float32" else [layer.dtype]
    return ", ".join(
        [
            f"{layer.in_channels} -> {layer.out_channels} channels",
            f"{format_size(layer.kernel)} kernel",
            f"on {format_size(layer.size)}",
            *extra,
        ]
    )


def _notes(result: Comparison) -> list[str]:
    own = [count.variant for count in result.layers if VARIANTS[count.variant].own_padding]
    padding = f"Padded by (kernel - 1) / 2 as in their papers, whatever --padding says: {', '.join(own)}."
    return [*([padding] if own else []), *result.skipped]


def _params_row(count: LayerCount) -> tuple[Cell, ...]:
    return (
        count.variant,
        count.params,
        count.ratio,
        count.ratio,
        format_shape(count.output_shape),
        format_size(count.receptive_field),
    )


def _cost_row(count: LayerCount) -> tuple[Cell, ...]:
    return (
        count.variant,
        count.macs,
        count.flops,
        count.weight_bytes,
        count.activation_bytes,
        count.arithmetic_intensity,
    )


def _kinds_table(counts: Sequence[LayerCount]) -> Table:
    rows = [(count.variant, {**count.params_by_kind, "buffers": count.buffers}) for count in counts]
    note = "Buffers are what batch norm stores without learning it, and no parameters."
    return _without_zeros("parameters by kind", {kind: kind for kind in (*KINDS, "buffers")}, rows, note)


def _apart_table(counts: Sequence[LayerCount]) -> Table:
    rows = [(count.variant, count.apart) for count in counts]
    return _without_zeros("counted apart", _APART_NAMES, rows, "Elements that work is done on which is no MAC.")


def _without_zeros(
    title: str, names: Mapping[str, str], rows: Sequence[tuple[str, Mapping[Any, int]]], note: str
) -> Table:
    """Return a table of counts by kind, without the kinds that no variant has."""
    shown = [kind for kind in names if any(counts[kind] for _, counts in rows)]
    columns = (Column("variant"), *(Column(names[kind], "count") for kind in shown))
    return Table(title, columns, [(variant, *(counts[kind] for kind in shown)) for variant, counts in rows], (note,))


def _formula_row(count: LayerCount) -> tuple[Cell, ...]:
    return count.variant, ", ".join([count.formula, *_meanings(count)]), count.formula_numbers


def _meanings(count: LayerCount) -> list[str]:
    return [f"{name} = {meaning}" for name, meaning in count.where.items()]


def _record(count: LayerCount) -> tuple[Cell, ...]:
    return (
        count.variant,
        count.params,
        *(count.params_by_kind[kind] for kind in ("biases", "norms", "scales")),
        count.buffers,
        count.ratio,
        count.macs,
        count.flops,
        count.macs_ratio,
        format_shape(count.output_shape),
        format_size(count.receptive_field),
        count.weight_bytes,
        count.activation_bytes,
        count.traffic_bytes,
        count.arithmetic_intensity,
        *(count.apart[kind] for kind in APART),
        ", ".join([count.formula, *_meanings(count)]),
        count.formula_numbers,
    )


def _terms_table(count: LayerCount) -> Table:
    rows = [
        (_layer_name(stage), stage.params, stage.formula, stage.formula_numbers)
        for stage in count.stages
        if stage.params
    ]
    total = ("all", count.params, "", "")
    where = [f"{name} = {meaning} = {count.symbols[name]}" for name, meaning in count.where.items()]
    given = [f"{name} = {value}" for name, value in count.symbols.items() if name not in count.where]
    notes = (f"Where {', '.join([*given, *where])}.",)
    return Table(f"{count.variant}: {VARIANTS[count.variant].source}", _TERM_COLUMNS, [*rows, total], notes)


def _steps_table(count: LayerCount) -> Table:
    rows = [
        (_layer_name(stage), format_shape(stage.output_shape), stage.macs or None, _work(stage))
        for stage in count.stages
    ]
    total = ("all", format_shape(count.output_shape), count.macs, "")
    field = f"Receptive field: {format_size(count.receptive_field)} of the input for one position of the output."
    work = "Work: positions * weights of convolutions; of others, and of biases, the elements."
    return Table(f"{count.variant}: costs", _STEP_COLUMNS, [*rows, total], (work, field))


def _layer_name(stage: Stage) -> str:
    return f"{stage.path}: {stage.layer}" if stage.path else stage.layer


def _work(stage: Stage) -> str:
    apart = [f"{elements:,} {_APART_NAMES[kind]}" for kind, elements in stage.apart.items() if elements]
    return ", ".join([stage.macs_numbers, *apart] if stage.macs_numbers else apart)
