"""A comparison of layers as tables."""

from segcli.params.variants import Comparison
from segcli.table import Column, Table
from segcli.units import format_shape, format_size

_COLUMNS = (
    Column("variant"),
    Column("params", "count"),
    Column("ratio", "ratio"),
    Column("to standard", "bar"),
    Column("MACs", "count"),
    Column("output"),
    Column("field"),
    Column("weights", "bytes"),
)
_FORMULA_COLUMNS = (Column("variant"), Column("params"), Column("with numbers"))


def tables(result: Comparison) -> tuple[Table, Table]:
    """Return the counts of a comparison, and the formulas behind them."""
    layer = result.layer
    rows = [
        (
            count.variant,
            count.params,
            count.ratio,
            count.ratio,
            count.macs,
            format_shape(count.output_shape),
            format_size(count.receptive_field),
            count.weight_bytes,
        )
        for count in result.layers
    ]
    title = (
        f"{layer.in_channels} -> {layer.out_channels} channels, {format_size(layer.kernel)} kernel, "
        f"on {format_size(layer.size)}"
    )
    notes = (
        "MAC: one multiply-accumulate, bias additions not counted. FLOPs = 2 x MACs. Batch 1, weights in float32.",
        *result.skipped,
    )
    formulas = [(count.variant, count.formula, count.formula_numbers) for count in result.layers]
    return Table(title, _COLUMNS, rows, notes), Table("formulas", _FORMULA_COLUMNS, formulas)
