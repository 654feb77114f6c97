"""The operations of an expression, in the order in which a library does them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from segcli.shapes.indexing import Indexing
from segcli.shapes.nodes import Node
from segcli.shapes.reductions import Reduced
from segcli.shapes.values import Item, Pair, Tensor, Value


@dataclass(frozen=True)
class Library:
    """One library's rules."""

    name: str
    index: Callable[[Tensor, Item, int], Indexing]


@dataclass(frozen=True, slots=True)
class Stage:
    """One operation of the chain that the expression is.

    Attributes:
        base: The text of what it works on.
        text: The text up to and with it.
        source: What it works on.
        done: What it does; the name of a member for one picked from a pair.
        result: What it gives.
    """

    base: str
    text: str
    source: Tensor | Pair
    done: Indexing | Reduced | str
    result: Tensor | Pair


@dataclass(slots=True)
class Evaluation:
    """The state of a walk: the stages of the main chain, and what indices computed on the way need and note."""

    expr: str
    bindings: Mapping[str, Value]
    library: Library
    stages: list[Stage] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    depth: int = 0

    def text(self, node: Node) -> str:
        """Return a node as written."""
        return self.expr[node.span[0] : node.span[1]]
