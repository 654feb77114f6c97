"""What ``explain`` returns: plain, frozen data, of which the JSON is made."""

from dataclasses import dataclass

from segcli.shapes.values import Labels, Shape


@dataclass(frozen=True)
class Failure:
    """The exception that a library raises.

    Attributes:
        type: The exception's type, such as ``IndexError``.
        message: Its words; of PyTorch's long ones the first line.
        token: The part of the expression at fault; ``start`` and ``end`` are where it stands.
        axis: The axis at fault, where there is one. PyTorch's own words may name another.
    """

    type: str
    message: str
    token: str
    start: int
    end: int
    axis: int | None


@dataclass(frozen=True)
class Member:
    """One of several results, such as the ``indices`` of ``max(dim)``."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Answer:
    """What one library gives.

    Attributes:
        shape: The result's shape, None where the library raises. Sizes that are not known are strings.
        dtype: The result's dtype, None where the library raises.
        view: Whether the result shares the source's storage, None where the library raises.
        members: The results, where there are several; ``shape`` and ``dtype`` are the first one's.
        error: What the library raises, or None.
        labels: What the result's axes are called, an entry an axis; None where no axis has a label.
    """

    shape: Shape | None
    dtype: str | None
    view: bool | None
    members: tuple[Member, ...]
    error: Failure | None
    labels: Labels | None = None


@dataclass(frozen=True)
class TraceStep:
    """What one token does.

    Attributes:
        stage: Which operation of the chain it belongs to, from 0.
        on: What that operation works on.
        token: The token; empty for the axes that no token names.
        start: Where it stands in the expression.
        end: Where it ends.
        kind: What it is, such as ``slice`` or ``int64 (4, 5)``.
        takes: The axes of the operation's source that it takes, with ``takes_sizes``.
        gives: The axes of the operation's result that it gives, with ``gives_sizes``.
        effect: What it does, in words.
        takes_labels: What the axes that it takes are called; empty where the source has no labels.
        gives_labels: What the axes that it gives are called; empty where the result has no labels.
    """

    stage: int
    on: str
    token: str
    start: int
    end: int
    kind: str
    takes: tuple[int, ...]
    takes_sizes: Shape
    gives: tuple[int, ...]
    gives_sizes: Shape
    effect: str
    takes_labels: Labels = ()
    gives_labels: Labels = ()


@dataclass(frozen=True)
class BroadcastRow:
    """One advanced index in a broadcast."""

    token: str
    shape: Shape


@dataclass(frozen=True)
class Broadcast:
    """How the advanced indices of one operation broadcast.

    Attributes:
        stage: Which operation of the chain, from 0.
        rows: The advanced indices.
        shape: Their common shape.
        axes: The result's axes that it fills.
        why: Why it lands there.
    """

    stage: int
    rows: tuple[BroadcastRow, ...]
    shape: Shape
    axes: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Explanation:
    """What shape an expression has, and why.

    ``view``, ``formula``, ``steps`` and ``broadcasts`` are those of the leading library.

    Attributes:
        expr: The expression.
        bind: What each name stands for, as given.
        lead: The library whose answer comes first: ``torch`` or ``numpy``.
        torch: PyTorch's answer.
        numpy: NumPy's answer.
        same: Whether both give the same shape, or both raise.
        view: Whether the result shares the source's storage.
        formula: What an element of the result is, or None.
        steps: The trace, a token each.
        broadcasts: How advanced indices broadcast and where they land, an entry an operation.
        needs: What must hold of sizes that are not known, where the result has any elements.
        differs: The rule that differs between the libraries; empty where they agree.
        notes: Deprecations and the like.
        rewrite: An expression that means the same in both libraries, or None.
    """

    expr: str
    bind: dict[str, str]
    lead: str
    torch: Answer
    numpy: Answer
    same: bool
    view: bool | None
    formula: str | None
    steps: tuple[TraceStep, ...]
    broadcasts: tuple[Broadcast, ...]
    needs: tuple[str, ...]
    differs: str
    notes: tuple[str, ...]
    rewrite: str | None

    @property
    def answer(self) -> Answer:
        """The leading library's answer."""
        return self.numpy if self.lead == "numpy" else self.torch
