"""What an operation of one or several tensors gives: the sibling of ``Indexing`` and ``Reduced`` for all others."""

from itertools import accumulate

from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.records import record
from segcli.shapes.values import Item, Shape, Value

_MARKS = frozenset("+-*/%@<>=!&|^~")


@record(frozen=True, slots=True)
class Read:
    """An element of an input that a formula reads.

    Attributes:
        operand: Which input, from 0.
        at: A coordinate an axis of it, an expression over ``{i0}``, ``{i1}`` ... (the letters of the result's axes)
            and ``{k0}``, ``{k1}`` ... (the letters that the formula binds itself); ``{0}``, ``{1}`` ... stand for the
            reads before it, as in ``x[{0}]`` of a position that is looked up.
        counts_back: Whether a coordinate may count from the end, so that no slice before may move it.
    """

    operand: int
    at: tuple[str, ...]
    counts_back: bool = False


@record(frozen=True, slots=True)
class Formula:
    """How the formula of an element is written.

    Attributes:
        body: What it is: ``{0}``, ``{1}`` ... stand for the reads, ``{i0}`` and ``{k0}`` for letters, ``{left}`` for
            what stands left of the sign, as in ``{0} + {1}`` or ``sum over {k0} of {0} * {1}``.
        reads: The elements that it reads.
        bound: The sizes that the letters bound by the formula itself walk.
        fixed: Axes of the result whose coordinate is always 0, written as ``0``.
        letters: The letters of the result's axes and those bound by the formula, where they are given, as by the
            equation of ``einsum``: each is used that is single and no bound name.
        left: What stands left of the sign, where that is not an element of the result: a template as the body is,
            over the letters that the formula binds itself; or how the first input is indexed, of what is written to it.
        sign: ``=``, or ``+=`` and the like of what is changed where it is.
    """

    body: str
    reads: tuple[Read, ...]
    bound: Shape = ()
    fixed: tuple[int, ...] = ()
    letters: tuple[str, ...] = ()
    left: str | Indexing = ""
    sign: str = "="


@record(frozen=True, slots=True)
class Computed:
    """What an operation gives.

    Attributes:
        result: A tensor, several, or a plain value such as a shape.
        inputs: The tensors that it works on, in the order in which steps and formula count them.
        steps: The trace: for each input, which of its axes give which of the result's.
        view: Whether the result shares the storage of the first input; None where that is not known.
        formula: How an element is written, None where that says nothing.
        rows: What broadcasts together: each token with its shape; none where nothing does.
        broadcast: Their common shape.
        why: What else a reader should see below the formula.
        needs: What must hold of sizes that are not known.
        rules: Names of the rules at work that the two libraries do not share.
        notes: What else a reader should know.
    """

    result: Value
    inputs: tuple[Item, ...]
    steps: tuple[Step, ...]
    view: bool | None = False
    formula: Formula | None = None
    rows: tuple[tuple[str, Shape], ...] = ()
    broadcast: Shape = ()
    why: str = ""
    needs: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def grouped(text: str) -> str:
    """Put brackets around an operator that no bracket holds.

    Examples:
        >>> grouped("y == 255"), grouped("y[a + b]"), grouped("~m")
        ('(y == 255)', 'y[a + b]', '(~m)')
    """
    if _MARKS.isdisjoint(text):
        return text
    depth = 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if not depth and char in _MARKS:
            return f"({text})"
    return text


def closing(text: str, opening: int) -> int:
    """Return where the bracket at ``opening`` closes; it does.

    Examples:
        >>> closing("f((a) + b)", 1)
        9
    """
    depths = accumulate((char == "(") - (char == ")") for char in text[opening:])
    return opening + next(place for place, depth in enumerate(depths) if not depth)
