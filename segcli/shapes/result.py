"""What ``explain`` returns: plain, frozen data, of which the JSON is made."""

from dataclasses import dataclass

from segcli.shapes.values import Labels, Shape, Size

# The type of what is no library's exception: segcli does not know what the library does.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Failure:
    """The exception that a library raises.

    Attributes:
        type: The exception's type, such as ``IndexError``; ``unknown`` where segcli does not know what the library that
            does not lead would do.
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
    """One of several results, such as the ``indices`` of ``max(dim)``.

    Attributes:
        name: What it is called; of a tuple its position, ``[2]``, or those of several that are alike, ``[0:3]``.
        shape: Its shape.
        dtype: Its dtype.
        count: How many there are like this one.
    """

    name: str
    shape: Shape
    dtype: str
    count: Size = 1


@dataclass(frozen=True)
class Answer:
    """What one library gives.

    Attributes:
        shape: The result's shape, None where the library raises. Sizes that are not known are strings.
        dtype: The result's dtype, None where the library raises.
        view: Whether the result shares the source's storage; None where the library raises, or where it hangs on sizes
            that are not known.
        members: The results, where there are several; ``shape`` and ``dtype`` are the first one's.
        error: What the library raises, or None.
        labels: What the result's axes are called, an entry an axis; None where no axis has a label.
        bytes: How many bytes the result's elements take, those of a view included; None where it is no tensor.
        type: What the result is: ``Tensor``, or a type of Python for what is no tensor, such as ``torch.Size``; empty
            where the library raises.
        value: What it holds, where it is no tensor and that is known.
    """

    shape: Shape | None
    dtype: str | None
    view: bool | None
    members: tuple[Member, ...]
    error: Failure | None
    labels: Labels | None = None
    bytes: Size | None = None
    type: str = ""
    value: int | float | bool | str | tuple[Size, ...] | None = None


@dataclass(frozen=True)
class TraceStep:
    """What one token does.

    Attributes:
        stage: Which operation of the expression it belongs to, from 0.
        on: What that operation works on, of several tensors the one that this step is about.
        operand: Which of the operation's tensors that is, from 0.
        source: Which operation gave that tensor; None where it has a name.
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
    operand: int
    source: int | None
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
    """One index or operand in a broadcast."""

    token: str
    shape: Shape


@dataclass(frozen=True)
class Broadcast:
    """How the advanced indices, or the operands, of one operation broadcast.

    Attributes:
        stage: Which operation of the expression, from 0.
        rows: What broadcasts; nothing for an operation of which only ``why`` is to be said.
        shape: Their common shape.
        axes: The result's axes that it fills.
        why: Why it lands there, or what else is to be said.
        what: ``advanced indices`` or ``operands``.
    """

    stage: int
    rows: tuple[BroadcastRow, ...]
    shape: Shape
    axes: tuple[int, ...]
    why: str
    what: str = "advanced indices"


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
        over: The letters that the formula goes over, as in ``sum over k of``, each with the size that it walks.
        steps: The trace, a token each.
        broadcasts: How advanced indices broadcast and where they land, an entry an operation.
        needs: What must hold of sizes that are not known, where the result has any elements.
        differs: The rule that differs between the libraries; empty where they agree.
        notes: Deprecations and the like.
        rewrite: An expression that means the same in both libraries, where they differ; where PyTorch raises, one that
            works; None where none is known.
    """

    expr: str
    bind: dict[str, str]
    lead: str
    torch: Answer
    numpy: Answer
    same: bool
    view: bool | None
    formula: str | None
    over: dict[str, Size]
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
