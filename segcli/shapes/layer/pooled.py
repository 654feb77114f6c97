"""What every pooling gives: the same channels, of another size, and where the largest stood."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.indexing import Step
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.values import Item, Parts, Run, Shape, Value, check_elements


def pooled(
    call: Call,
    source: Item,
    spatial: Shape,
    steps: Sequence[Step],
    *,
    formula: Formula | None,
    needs: Sequence[str],
    indices: bool,
) -> Computed:
    """Return what a pooling gives.

    Args:
        call: The call.
        source: What it reads.
        spatial: The last two sizes of the result.
        steps: The trace of the last two axes.
        formula: How an element is computed.
        needs: What must hold of sizes that are not known.
        indices: Whether it also returns where the largest stood.
    """
    x = as_tensor(source)
    shape = (*x.shape[:-2], *spatial)
    check_elements(shape, call.text)
    values = replace(call.make(shape, x.dtype), labels=x.labels)
    kept = tuple(range(len(shape) - 2))
    first = Step(
        call.stage,
        "",
        (0, 0),
        "channels" if len(kept) == 1 else "batch and channels",
        kept,
        kept,
        "kept: each channel goes through by itself",
    )
    result: Value = values
    notes: tuple[str, ...] = ()
    if indices:
        places = replace(call.make(shape, "int64"), labels=x.labels)
        result = Parts((Run(1, values), Run(1, places)), call.name)
        width = x.shape[-1]
        notes = (f"an index counts the positions of its channel row by row: {_row(width)} is row h, column w",)
    return Computed(
        result,
        (source,),
        (*([first] if kept else []), *steps),
        formula=None if indices else formula,
        needs=tuple(needs),
        notes=notes,
    )


def _row(width: int | str) -> str:
    return f"{width}*h + w" if isinstance(width, int) or width.isidentifier() else f"({width})*h + w"
