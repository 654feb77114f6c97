"""The operations of an expression, in the order in which a library does them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.text.nodes import Node
from segcli.shapes.values import Item, Tensor, Value

Done = Indexing | Reduced | Computed


@dataclass(frozen=True)
class Library:
    """One library's rules."""

    name: str
    index: Callable[[Tensor, Item, int], Indexing]


@record(frozen=True, slots=True)
class Input:
    """What an operation works on.

    Attributes:
        text: How the expression writes it.
        value: What it is.
        stage: Which operation gave it; None for a name, or what was computed inside an index.
    """

    text: str
    value: Value
    stage: int | None


@record(frozen=True, slots=True)
class Stage:
    """One operation of the expression.

    Attributes:
        text: The text up to and with it.
        inputs: What it works on.
        done: What it does; the name of a member for one picked from a pair.
        result: What it gives.
    """

    text: str
    inputs: tuple[Input, ...]
    done: Done | str
    result: Value

    @property
    def base(self) -> str:
        """The text of what it works on first."""
        return self.inputs[0].text if self.inputs else ""

    @property
    def source(self) -> Value:
        """What it works on first."""
        return self.inputs[0].value if self.inputs else None


@dataclass(slots=True)
class Evaluation:
    """The state of a walk: the stages of the main expression, and what indices computed on the way need and note."""

    expr: str
    bindings: Mapping[str, Value]
    library: Library
    stages: list[Stage] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    depth: int = 0
    # What NumPy lacks, with what to write instead; and what it calls what it has.
    lacking: str = ""
    read_as: dict[str, str] = field(default_factory=dict)
    # By identity, since equal tensors may come from different operations; the stages keep them alive.
    made: dict[int, int | None] = field(default_factory=dict)

    def text(self, node: Node) -> str:
        """Return a node as written."""
        return self.expr[node.span[0] : node.span[1]]

    def input(self, text: str, value: Value) -> Input:
        """Return what an operation works on, with the operation that gave it."""
        return Input(text, value, self.made.get(id(value)))
