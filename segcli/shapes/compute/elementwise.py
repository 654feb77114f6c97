"""What operators and functions of two operands do with each pair of elements, and which dtypes each library refuses."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import Together
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.records import record
from segcli.shapes.values import COMPLEX, FLOATING

_BITWISE = (*FLOATING, *COMPLEX)


@record(frozen=True, slots=True)
class Binary:
    """An operation of two operands.

    Attributes:
        ufunc: NumPy's name for it.
        body: How an element is written.
        kind: What it gives: ``common`` the dtype that the operands have in common, ``quotient`` a float, ``truth`` a
            bool.
        kernel: PyTorch's name of the code that does it, as its errors have it.
        refused: The common dtypes that PyTorch has no code for.
        lacking: Those that NumPy has none for.
        wide: Whether NumPy computes bools as int8.
        takes: What PyTorch's function takes beside tensors: ``both`` operands may be numbers, one of them (``either``),
            the second (``second``), or ``none``.
        extra: What else PyTorch's function takes.
    """

    ufunc: str
    body: str
    kind: str = "common"
    kernel: str = ""
    refused: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    wide: bool = False
    takes: str = "both"
    extra: str = ""


def _bitwise(ufunc: str, mark: str, kernel: str) -> Binary:
    return Binary(ufunc, f"{{0}} {mark} {{1}}", "common", kernel, _BITWISE, _BITWISE, takes="either")


def _shift(ufunc: str, mark: str, kernel: str) -> Binary:
    return Binary(ufunc, f"{{0}} {mark} {{1}}", "common", kernel, ("bool", *_BITWISE), _BITWISE, wide=True)


def _comparison(ufunc: str, mark: str, kernel: str = "") -> Binary:
    return Binary(ufunc, f"{{0}} {mark} {{1}}", "truth", kernel, COMPLEX if kernel else (), takes="second")


_ADD = Binary("add", "{0} + {1}", extra="number alpha=")
_SUB = Binary("subtract", "{0} - {1}", extra="number alpha=")
_MUL = Binary("multiply", "{0} * {1}")
_DIV = Binary("divide", "{0} / {1}", "quotient", extra="str? rounding_mode=")
_NO_RESIDUE = ("bool", *COMPLEX)
_FLOOR = Binary("floor_divide", "{0} // {1}", "common", "div_floor_cpu", _NO_RESIDUE, COMPLEX, wide=True)
_TRUTH = Binary("", "", "truth", takes="none")

FUNCTIONS = {
    "add": _ADD,
    "sub": _SUB,
    "subtract": _SUB,
    "mul": _MUL,
    "multiply": _MUL,
    "div": _DIV,
    "divide": _DIV,
    "true_divide": replace(_DIV, extra=""),
    "floor_divide": _FLOOR,
    "remainder": Binary(
        "remainder", "{0} % {1}", "common", "remainder_cpu", _NO_RESIDUE, COMPLEX, wide=True, takes="either"
    ),
    "pow": Binary("power", "{0} ** {1}", "common", "pow", ("bool",), wide=True, takes="either"),
    "eq": _comparison("equal", "=="),
    "ne": _comparison("not_equal", "!="),
    "lt": _comparison("less", "<", "lt_cpu"),
    "le": _comparison("less_equal", "<=", "le_cpu"),
    "gt": _comparison("greater", ">", "gt_cpu"),
    "ge": _comparison("greater_equal", ">=", "ge_cpu"),
    "logical_and": replace(_TRUTH, ufunc="logical_and", body="{0} != 0 and {1} != 0"),
    "logical_or": replace(_TRUTH, ufunc="logical_or", body="{0} != 0 or {1} != 0"),
    "logical_xor": replace(_TRUTH, ufunc="logical_xor", body="({0} != 0) != ({1} != 0)"),
    "bitwise_and": _bitwise("bitwise_and", "&", "bitwise_and_cpu"),
    "bitwise_or": _bitwise("bitwise_or", "|", "bitwise_or_cpu"),
    "bitwise_xor": _bitwise("bitwise_xor", "^", "bitwise_xor_cpu"),
    "maximum": Binary("maximum", "max({0}, {1})", takes="none"),
    "minimum": Binary("minimum", "min({0}, {1})", takes="none"),
}
MARKS = {
    "+": _ADD,
    "-": _SUB,
    "*": _MUL,
    "/": _DIV,
    "//": _FLOOR,
    "%": FUNCTIONS["remainder"],
    "**": FUNCTIONS["pow"],
    "==": FUNCTIONS["eq"],
    "!=": FUNCTIONS["ne"],
    "<": FUNCTIONS["lt"],
    "<=": FUNCTIONS["le"],
    ">": FUNCTIONS["gt"],
    ">=": FUNCTIONS["ge"],
    "&": FUNCTIONS["bitwise_and"],
    "|": FUNCTIONS["bitwise_or"],
    "^": FUNCTIONS["bitwise_xor"],
    "<<": _shift("left_shift", "<<", "lshift_cpu"),
    ">>": _shift("right_shift", ">>", "rshift_cpu"),
}
# By what Python asks the second operand where the first has no answer.
SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def computed(
    call: Call,
    together: Together,
    dtype: str,
    body: str,
    *,
    why: str = "",
    notes: tuple[str, ...] = (),
    rules: frozenset[str] = frozenset(),
    scalar: bool = False,
) -> Computed:
    """Return what an operation gives that makes each element of one element of every operand.

    Args:
        call: The operation.
        together: Its operands.
        dtype: The result's.
        body: How an element is written; empty where it has no formula.
        why: Why the result has its dtype.
        notes: What else a reader should know.
        rules: Names of the rules at work that the libraries do not share.
        scalar: Whether what has no axes is a scalar of NumPy's.
    """
    made = call.make(together.shape, dtype, scalar=scalar and not together.shape)
    # How many elements of a comparison are True, nonzero(y == 255), needs no brackets of its own.
    text = made.text[1:-1] if call.space == "operator" and dtype == "bool" else made.text
    return Computed(
        replace(made, text=text, labels=together.labels),
        together.inputs,
        together.steps,
        formula=Formula(body, together.reads) if body else None,
        rows=together.rows,
        broadcast=together.shape,
        why=why,
        needs=together.needs,
        rules=rules,
        notes=notes,
    )
