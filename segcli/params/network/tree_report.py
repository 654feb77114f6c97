"""The modules of a network as tables."""

from collections.abc import Sequence

from segcli.counting.result import ByMode, Network, Node
from segcli.table import Cell, Column, Table
from segcli.units import format_count, format_shape

# Rows of modules, beyond which --json and --csv have all.
_MAX_ROWS = 400

# Twice the MACs, FLOPs need no digits of their own.
_COST_COLUMNS = (
    Column("module"), Column("type", spare=1), Column("params", "count"), Column("MACs", "count"),
    Column("FLOPs", "rate", spare=3), Column("share", "share"), Column("of MACs", "bar", spare=2),
)  # fmt: skip
_RECORD_COLUMNS = (
    Column("module"), Column("type"), Column("params", "count"), Column("trainable", "count"),
    Column("buffers", "count"), Column("MACs train", "count"), Column("MACs eval", "count"),
    Column("FLOPs train", "count"), Column("FLOPs eval", "count"), Column("output"),
    Column("activations train", "bytes"), Column("activations eval", "bytes"), Column("share", "ratio"), Column("runs"),
)  # fmt: skip


def tree_tables(network: Network, depth: int) -> list[Table]:
    """Return what modules cost, then what they hold and make: side by side that is too wide for most terminals."""
    nodes = [node for node in network.tree if node.depth <= depth]
    notes = []
    if len(nodes) > _MAX_ROWS:
        notes.append(f"and {format_count(len(nodes) - _MAX_ROWS)} more, which --json and --csv have")
    deepest = max(node.depth for node in network.tree)
    if deepest > depth:
        notes.append(f"--depth {deepest} shows all {format_count(len(network.tree))} modules")
    shown = nodes[:_MAX_ROWS]
    costs = Table("modules, each with what lies in it", _COST_COLUMNS, [_cost_row(node) for node in shown], notes)
    return [costs, _made_table(shown)]


def _cost_row(node: Node) -> tuple[Cell, ...]:
    share = None if node.runs == "train" else node.share
    return (
        _indented(node),
        node.type,
        node.params,
        _of_mode(node, node.macs),
        _of_mode(node, node.flops),
        share,
        share,
    )


def _of_mode(node: Node, number: ByMode) -> int | None:
    """Return a number as the module is evaluated; what evaluation does not run is shown as it trains."""
    return number.train if node.runs == "train" else number.shown


def _made_table(nodes: Sequence[Node]) -> Table:
    """Return what modules hold beside parameters, and make; without columns that say the same of every module."""
    some_frozen = any(node.trainable != node.params for node in nodes)
    some_rest = any(_runs(node) for node in nodes)
    columns = [
        Column("module"),
        *([Column("trainable", "count", spare=2)] if some_frozen else []),
        Column("buffers", "count", spare=1),
        Column("output"),
        Column("activations", "bytes"),
        *([Column("runs")] if some_rest else []),
    ]
    rows = [
        (
            _indented(node),
            *([node.trainable] if some_frozen else []),
            node.buffers,
            format_shape(node.output_shape) if node.output_shape else "",
            _of_mode(node, node.activation_bytes),
            *([_runs(node)] if some_rest else []),
        )
        for node in nodes
    ]
    return Table("modules: what they hold beside parameters, and make", columns, rows)


def _indented(node: Node) -> str:
    return "  " * node.depth + (node.path.rpartition(".")[2] or "(all)")


def _runs(node: Node) -> str:
    return "" if node.runs == "train and eval" else node.runs


def tree_records(network: Network, depth: int) -> Table:
    """Return all that is known of each module, under its whole name."""
    return Table("modules", _RECORD_COLUMNS, [_record(node) for node in network.tree if node.depth <= depth])


def _record(node: Node) -> tuple[Cell, ...]:
    return (
        node.path,
        node.type,
        node.params,
        node.trainable,
        node.buffers,
        node.macs.train,
        node.macs.eval,
        node.flops.train,
        node.flops.eval,
        format_shape(node.output_shape) if node.output_shape else "",
        node.activation_bytes.train,
        node.activation_bytes.eval,
        node.share,
        node.runs,
    )
