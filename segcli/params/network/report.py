"""Counts of networks as tables."""

from collections.abc import Sequence
from fractions import Fraction

from segcli.counting.result import ByMode, Network, Seen
from segcli.params.network.claims import Verdict
from segcli.params.network.stored import Stored
from segcli.params.network.tree_report import tree_records, tree_tables
from segcli.table import Cell, Column, Table
from segcli.units import format_count, format_shape, format_size

CONVENTION = (
    "MAC: one multiply-accumulate of a convolution, linear layer or matrix product; FLOPs = 2 x MACs. Bias additions, "
    "norms and activations are counted apart, in elements."
)
FIELD_CONVENTION = (
    "Receptive field: the largest over all paths, beyond the borders, without the statistics of norms. A path through "
    "global pooling sees the whole image; the field is that of the other paths, or in front of the pooling."
)
_MAX_NAMES = 4

_COMPARED_COLUMNS = (
    Column("network"), Column("input"), Column("params", "count"), Column("train only", "count"),
    Column("MACs", "count"), Column("FLOPs", "count"), Column("train MACs", "count"),
    Column("activations", "bytes"), Column("field"), Column("stride"), Column("weights", "bytes"),
)  # fmt: skip


def network_tables(networks: Sequence[Network], verdicts: Sequence[Verdict], depth: int) -> list[Table]:
    """Return one network's counts and its tree, or several side by side; then what became of claims."""
    tables = _one(networks[0], depth) if len(networks) == 1 else _side_by_side(networks)
    return [*tables, *(_verdict_table(verdict) for verdict in verdicts)]


def network_records(networks: Sequence[Network], depth: int) -> list[Table]:
    """Return one table: the tree of one network, or several networks side by side."""
    if len(networks) > 1:
        return [_compared(networks)]
    return [tree_records(networks[0], depth)]


def _one(network: Network, depth: int) -> list[Table]:
    tables = [_summary(network), _seen_table(network)]
    if network.uncounted:
        rows = [(one.op, one.calls.train, one.calls.eval) for one in network.uncounted]
        columns = (Column("operation"), Column("calls in training", "count"), Column("calls in evaluation", "count"))
        tables.append(Table("not counted, for no formula of MACs fits", columns, rows))
    return [*tables, *tree_tables(network, depth)]


def _summary(network: Network) -> Table:
    beside = network.beside
    counts = {
        "parameters": network.params,
        "MACs": network.macs,
        "FLOPs": network.flops,
        "bias additions": beside.bias_adds,
        "elements of norms": beside.norms,
        "elements of activations": beside.activations,
        "bytes of activations": network.activation_bytes,
        "elements of buffers": ByMode(network.buffers, network.buffers),
        "bytes of parameters": ByMode(network.param_bytes, network.param_bytes),
    }
    rows = [(name, counted.train, counted.eval) for name, counted in counts.items()]
    columns = (Column("count"), Column("training", "count"), Column("evaluation", "count"))
    source = f" ({network.source})" if network.source else ""
    return Table(f"{network.name}{source}, of {_inputs(network)}", columns, rows, [*_notes(network), CONVENTION])


def _notes(network: Network) -> list[str]:
    notes = [f"no MACs in {_MODES[mode]}: unknown, because {why}" for mode, why in network.unknown.items()]
    frozen = (network.params.train or 0) - network.trainable
    if frozen:
        notes.append(f"{format_count(frozen)} of the parameters are frozen: they require no gradient")
    notes += [f"one parameter of several names, counted once: {_listed(names)}" for names in network.tied]
    if network.never_ran:
        notes.append(f"never ran, and counted among the parameters: {_listed(network.never_ran)}")
    return notes


_MODES = {"train": "training", "eval": "evaluation"}


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {format_count(more)} more" if more > 0 else "")


def _seen_table(network: Network) -> Table:
    rows = [_seen_row(one, "evaluation") for one in network.outputs]
    rows += [_seen_row(one, "training") for one in network.train_outputs]
    columns = (Column("output"), Column("in"), Column("shape"), Column("field"), Column("stride"), Column("note"))
    if not rows:
        return Table("receptive field: unknown, because no pass could be run")
    return Table("receptive field of every output", columns, rows, [FIELD_CONVENTION])


def _seen_row(one: Seen, mode: str) -> tuple[Cell, ...]:
    notes = []
    if one.unknown:
        notes.append(f"unknown, because {one.unknown}")
    if one.whole_image_by:
        notes.append(f"sees the whole image through {_listed(one.whole_image_by)}")
    if one.strides:
        axes = [" and ".join(str(stride) for stride in strides) for strides in one.strides if len(strides) > 1]
        notes.append(f"paths' strides disagree: {', '.join(dict.fromkeys(axes))}")
    field = format_size(one.receptive_field) if one.receptive_field else ""
    return (one.name or "the only one", mode, format_shape(one.shape), field, _strides(one.stride), "; ".join(notes))


def _strides(stride: Sequence[Fraction | int] | None) -> str:
    return "x".join(str(side) for side in stride or ())


def _side_by_side(networks: Sequence[Network]) -> list[Table]:
    counts = [
        (
            network.name,
            network.params.eval,
            (network.params.train or 0) - (network.params.eval or 0),
            network.macs.eval,
            network.flops.eval,
            network.macs.train,
        )
        for network in networks
    ]
    columns = (
        Column("network"), Column("params", "count"), Column("train only", "count", spare=1), Column("MACs", "count"),
        Column("FLOPs", "rate", spare=3), Column("train MACs", "count", spare=2),
    )  # fmt: skip
    others = [
        (
            network.name,
            _inputs(network),
            format_size(network.receptive_field) if network.receptive_field else "",
            _strides(network.stride),
            network.activation_bytes.eval,
            network.param_bytes,
        )
        for network in networks
    ]
    other_columns = (
        Column("network"), Column("input"), Column("field"), Column("stride"), Column("activations", "bytes", spare=2),
        Column("weights", "bytes", spare=1),
    )  # fmt: skip
    notes = [f"{network.name}: {note}" for network in networks for note in _notes(network)]
    return [
        Table("networks, in evaluation", columns, counts, [*notes, CONVENTION]),
        Table("what they see, and the memory of it", other_columns, others, [FIELD_CONVENTION]),
    ]


def _inputs(network: Network) -> str:
    return " and ".join(format_size(shape) for shape in network.inputs)


def _compared(networks: Sequence[Network]) -> Table:
    rows = [
        (
            network.name,
            _inputs(network),
            network.params.eval,
            (network.params.train or 0) - (network.params.eval or 0),
            network.macs.eval,
            network.flops.eval,
            network.macs.train,
            network.activation_bytes.eval,
            format_size(network.receptive_field) if network.receptive_field else "",
            _strides(network.stride),
            network.param_bytes,
        )
        for network in networks
    ]
    return Table("networks", _COMPARED_COLUMNS, rows)


def _verdict_table(verdict: Verdict) -> Table:
    title = f"claim {verdict.claim} of {verdict.network}"
    if not verdict.readings:
        return Table(title, notes=[verdict.words])
    columns = (Column("count", "count"), Column("claim is off by"), Column("what it might be"))
    rows = [
        (round(reading.value), "" if reading.fits else f"{reading.off:+.1%}", reading.words)
        for reading in verdict.readings
    ]
    return Table(title, columns, rows, [verdict.words])


def stored_tables(result: Stored) -> list[Table]:
    """Return what a checkpoint holds, by the parts of its keys."""
    columns = (
        Column("module"), Column("tensors", "count"), Column("elements", "count"), Column("size", "bytes"),
        Column("dtypes"),
    )  # fmt: skip
    rows = [
        (
            "  " * one.depth + (one.part if one.depth else "(all)"),
            one.tensors,
            one.elements,
            one.bytes,
            ", ".join(one.dtypes),
        )
        for one in result.tree
    ]
    buffers = format_count(result.norm_buffers)
    note = f"{buffers} of the elements are, by their names, running statistics of norms: buffers, no parameters"
    return [Table(f"{result.file}: {format_count(result.elements)} elements", columns, rows, [note])]


def stored_records(result: Stored) -> list[Table]:
    """Return the same with whole names."""
    columns = (Column("module"), Column("tensors", "count"), Column("elements", "count"), Column("size", "bytes"))
    rows = [(one.path, one.tensors, one.elements, one.bytes) for one in result.tree]
    return [Table("modules", columns, rows)]


def list_table(rows: Sequence[tuple[str, str, str, str]]) -> Table:
    """Return the networks that there are: name, what it is, the size of its figures, where it is from."""
    columns = (Column("network"), Column("what it is"), Column("size"), Column("from"))
    note = "segcli params net resnet50 bisenet_v2 --size 512x1024"
    return Table("networks", columns, rows, [note])
