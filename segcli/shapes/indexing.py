"""What PyTorch's and NumPy's indexing share: what an index does to the axes of its source, and broadcasting."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segcli.shapes.records import record
from segcli.shapes.symbols import (
    at_least,
    difference,
    equal_or_one,
    is_at_least,
    lessened,
    product,
    slice_symbol,
    total,
)
from segcli.shapes.values import Item, Shape, Size, SliceBounds, Span, Tensor


@record(frozen=True, slots=True)
class Fixed:
    """A source axis at one position: a number, or the text of the 0-d tensor that holds it."""

    position: int | str


@record(frozen=True, slots=True)
class Along:
    """A source axis that the result's axis ``axis`` walks: position = start + step x index.

    ``start`` is a symbol, or None, where it depends on a size that is not known.
    """

    axis: int
    start: Size | None
    step: int
    whole: bool


@record(frozen=True, slots=True)
class Gathered:
    """A source axis whose position the advanced index ``operand`` looks up; of a mask, coordinate ``column``."""

    operand: int
    column: int


Access = Fixed | Along | Gathered


@record(frozen=True, slots=True)
class Operand:
    """An advanced index.

    Attributes:
        item: The index as written; ``tensor`` is what it became.
        tensor: Its dtype tells a mask from positions.
        shape: What takes part in the broadcast: of a mask, one axis of as many positions as are True.
        takes: The source axes that it takes.
        kind: ``positions``, ``mask``, or ``bool`` (a new axis of size 1 or 0).
    """

    item: Item
    tensor: Tensor
    shape: Shape
    takes: tuple[int, ...]
    kind: str


@record(frozen=True, slots=True)
class Step:
    """What one token does.

    Attributes:
        stage: Which operation of a chain it belongs to, from 0.
        token: The token as written; empty for axes that no token names.
        span: Where it stands in the expression.
        kind: What it is: ``integer``, ``slice``, ``mask`` and the like.
        takes: The axes of the operation's source that it takes.
        gives: The axes of the operation's result that it gives.
        effect: What it does, in words.
        operand: Which of the operation's inputs it is about, from 0.
    """

    stage: int
    token: str
    span: Span
    kind: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    effect: str
    operand: int = 0


@record(frozen=True, slots=True)
class Indexing:
    """What an index does to its source.

    Attributes:
        shape: The result's shape.
        view: Whether the result shares the source's storage.
        scalar: Whether NumPy returns a scalar.
        accesses: How each source axis is read, in order.
        operands: The advanced indices, in order.
        broadcast: Their common shape; None where there are none.
        landing: The result's axes that the broadcast shape fills.
        why: Why it landed there.
        steps: The trace, a token each.
        needs: What must hold of sizes that are not known.
        rules: Names of the rules at work that the two libraries may not share.
        notes: Deprecations and the like.
    """

    shape: Shape
    view: bool
    accesses: tuple[Access, ...]
    steps: tuple[Step, ...]
    scalar: bool = False
    operands: tuple[Operand, ...] = ()
    broadcast: Shape | None = None
    landing: tuple[int, ...] = ()
    why: str = ""
    needs: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Ledger:
    """What an algorithm notes down on its way."""

    stage: int
    steps: list[Step] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def slice_size(bounds: SliceBounds, size: Size) -> tuple[Size, Size | None, bool]:
    """Return how many positions a slice gives, where it starts (None if not known), and whether it is the whole axis.

    Examples:
        >>> slice_size(SliceBounds(1, None, 2), 8)
        (4, 1, False)
        >>> slice_size(SliceBounds(1), "nonzero(m)")
        ('max(nonzero(m) - 1, 0)', 1, False)
    """
    step, start, stop = 1 if bounds.step is None else bounds.step, bounds.start, bounds.stop
    if not (isinstance(size, str) or isinstance(start, str) or isinstance(stop, str)):
        positions = range(size)[slice(start, stop, step)]
        return len(positions), positions.start, len(positions) == size and step == 1
    return slice_symbol(bounds, size)


def broadcast_sizes(shapes: Sequence[Shape], needs: list[str]) -> Shape | None:
    """Return the common shape by the broadcasting rules, or None where there is none.

    A symbol is taken to fit, to the first of several; what it must equal is added to ``needs``.

    Examples:
        >>> needs = []
        >>> broadcast_sizes([(4, 1), (5,)], needs), broadcast_sizes([("N", 3), ("M", 1)], needs), needs
        ((4, 5), ('N', 3), ['M == N or M == 1'])
    """
    result: list[Size] = []
    for place in range(-max(map(len, shapes), default=0), 0):
        sizes = dict.fromkeys([shape[place] for shape in shapes if len(shape) >= -place])
        sizes.pop(1, None)
        if len(sizes) < 2:  # noqa: PLR2004 - nothing to compare, as nearly always
            result.extend(sizes or (1,))
            continue
        numbers = [size for size in sizes if isinstance(size, int)]
        symbols = [size for size in sizes if isinstance(size, str)]
        if len(numbers) > 1:
            return None
        common = numbers[0] if numbers else symbols[0]
        needs.extend(equal_or_one(symbol, common) for symbol in symbols if symbol != common)
        result.append(common)
    return tuple(result)


def find_out_of_range(operand: Operand, size: Size) -> int | None:
    """Return the first known position of an advanced index that its axis has not, or None."""
    if not isinstance(size, int) or operand.kind != "positions" or operand.tensor.values is None:
        return None
    return next((int(value) for value in operand.tensor.values if not -size <= value < size), None)


def position_needs(operand: Operand, size: Size, broadcast: Shape, *, looked_at: bool = True) -> list[str]:
    """Say how many positions an axis must have for an advanced index, where their number is not known.

    Args:
        operand: The advanced index.
        size: The axis' size.
        broadcast: The shape of all advanced indices: with none of them, no position is looked up.
        looked_at: Whether the library looks at the positions, and not only at whether there are any.
    """
    if isinstance(size, int) or operand.kind != "positions":
        return []
    values = operand.tensor.values if looked_at else None
    count = max((_reached(int(value)) for value in values or ()), default=1)
    return [] if count == 1 and size in broadcast else [at_least(size, count)]


def position_need(size: Size, position: Size | None) -> list[str]:
    """Say how many positions an axis must have for an integer, where their number is not known.

    Examples:
        >>> position_need("N", 3), position_need("N", -3), position_need("N", None), position_need(8, 3)
        (['N >= 4'], ['N >= 3'], ['N >= 1'], [])
        >>> position_need("N", "k"), position_need("H", "H // 2"), position_need("H", "H - 1"), position_need("H", "-k")
        (['N >= k + 1'], ['H >= 1'], ['H >= 1'], ['k >= 1', 'H >= k'])
    """
    if isinstance(position, str):
        return _named_need(size, position)
    return [] if isinstance(size, int) else [at_least(size, 1 if position is None else _reached(position))]


def _named_need(size: Size, position: str) -> list[str]:
    """Say what a position must be that is not known: one below 0 counts from the end."""
    if is_at_least(0, position):
        back = product([-1, position])
        return [
            at_least(str(back), 1),
            *([] if is_at_least(size, back) else [at_least(str(difference(size, back)), 0)]),
        ]
    needs = [] if is_at_least(position, 0) else [at_least(position, 0)]
    left = lessened(size, position)
    if left == 0:
        return [*needs, f"{size} >= {total([position, 1])}"]
    return needs if isinstance(left, int) and left else [*needs, at_least(str(left), 1)]


def _reached(position: int) -> int:
    return position + 1 if position >= 0 else -position


def axes_text(axes: Sequence[int | str]) -> str:
    """Name axes in words.

    Examples:
        >>> axes_text([0, 1]), axes_text([2])
        ('axes 0 and 1', 'axis 2')
    """
    if len(axes) == 1:
        return f"axis {axes[0]}"
    return "axes " + ", ".join(map(str, axes[:-1])) + f" and {axes[-1]}"


def tokens_text(tokens: Sequence[str]) -> str:
    """List tokens in words.

    Examples:
        >>> tokens_text(["a", "b", "c"])
        'a, b and c'
    """
    return tokens[0] if len(tokens) == 1 else ", ".join(tokens[:-1]) + f" and {tokens[-1]}"
