"""What an expression works on: tensors known by shape and dtype, and the plain Python values around them."""

from dataclasses import dataclass
from math import prod

from segcli.errors import SegcliError

# A size that is not known is a symbol: a name, or what it follows from, such as "nonzero(m)".
Size = int | str
Shape = tuple[Size, ...]
Labels = tuple[str | None, ...]
Span = tuple[int, int]

FLOATING = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
# What the size of a complex number is.
REAL = {"complex64": "float32", "complex128": "float64"}
INTEGER = ("uint8", "int8", "int16", "int32", "int64")
# Sums of uint8 have it in NumPy; nobody binds it.
NUMPY_INTEGER = (*INTEGER, "uint64")
DTYPES = ("bool", *INTEGER, *FLOATING, *COMPLEX)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor without its storage.

    Attributes:
        shape: Its sizes; one that is not known is a symbol.
        dtype: One of ``DTYPES``.
        text: How the expression writes it, for formulas and symbols.
        values: The elements in row-major order, where they are known.
        true_count: How many elements of a mask are True, where that is known.
        scalar: Whether NumPy would hold it as a scalar, which is no array.
        labels: What its axes are called, None for one without a label; empty where no axis has any.
    """

    shape: Shape
    dtype: str
    text: str
    values: tuple[int | float | bool, ...] | None = None
    true_count: int | None = None
    scalar: bool = False
    labels: Labels = ()

    @property
    def nonzero(self) -> Size:
        """How many elements are not zero: a number where it is known, else a symbol."""
        if self.values is not None:
            return sum(1 for value in self.values if value)
        if self.true_count is not None:
            return self.true_count
        return 0 if 0 in self.shape else f"nonzero({self.text})"


@dataclass(frozen=True, slots=True)
class SliceBounds:
    """A slice's three numbers, as written."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        """Write it as it stands between brackets."""
        start, stop, step = ("" if bound is None else str(bound) for bound in (self.start, self.stop, self.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")


@dataclass(frozen=True, slots=True)
class Listed:
    """A list or a tuple inside an index."""

    items: tuple["Item", ...]
    is_tuple: bool = False

    @property
    def kind(self) -> str:
        """``list`` or ``tuple``, as Python's messages name it."""
        return "tuple" if self.is_tuple else "list"


@dataclass(frozen=True, slots=True)
class Pair:
    """What ``max(dim)`` and ``min(dim)`` of torch return: two tensors with names."""

    values: Tensor
    indices: Tensor
    function: str


class _Ellipsis:
    """The type of ``...`` here: mypy knows no literal type of Python's own."""


ELLIPSIS = _Ellipsis()

Value = int | float | bool | None | _Ellipsis | SliceBounds | Listed | Tensor


@dataclass(frozen=True, slots=True)
class Item:
    """A value with the place in the expression that it was read from."""

    value: Value
    text: str
    span: Span


class RaisedError(Exception):
    """The library would raise.

    Args:
        span: The part of the expression at fault.
        kind: The exception's type, such as ``IndexError``.
        message: The library's own words.
        axis: The source's axis at fault, where there is one.
    """

    def __init__(self, span: Span, kind: str, message: str, axis: int | None = None) -> None:
        """Keep what an explanation shows."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.span = span
        self.axis = axis


def type_name(value: Value) -> str:
    """Return the name of a value's type as Python's messages write it.

    Examples:
        >>> type_name(None), type_name(ELLIPSIS), type_name(Tensor((), "int64", "i"))
        ('NoneType', 'ellipsis', 'Tensor')
    """
    match value:
        case None:
            return "NoneType"
        case Listed():
            return value.kind
        case SliceBounds():
            return "slice"
        case Tensor():
            return "Tensor"
        case bool() | int() | float():
            return type(value).__name__
        case _:
            return "ellipsis"


def format_sizes(shape: Shape, *, opening: str = "(", closing: str = ")") -> str:
    """Print a shape that may hold symbols, as Python prints a tuple.

    Examples:
        >>> format_sizes((4, "nonzero(m)")), format_sizes((4,))
        ('(4, nonzero(m))', '(4,)')
    """
    comma = "," if len(shape) == 1 and opening == "(" else ""
    return opening + ", ".join(map(str, shape)) + comma + closing


def check_elements(shape: Shape, what: str) -> None:
    """Refuse a shape with more elements than an int64 counts.

    Raises:
        SegcliError: Where it has.
    """
    known = [size for size in shape if isinstance(size, int)]
    if 0 not in known and prod(known) >= 2**63:
        message = f"{what} would have shape {format_sizes(shape)}, more than 2^63 - 1 elements"
        raise SegcliError(message)
