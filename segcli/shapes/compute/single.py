"""What functions of one operand do with each element, and which dtypes each library refuses."""

from dataclasses import replace

from segcli.shapes.kinds import SCALARS
from segcli.shapes.records import record
from segcli.shapes.values import COMPLEX, FLOATING

_NEGATED = (
    "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
    "`logical_not()` operator instead."
)
UNCOERCED = (
    "ufunc '{ufunc}' not supported for the input types, and the inputs could not be safely coerced to any supported "
    "types according to the casting rule ''safe''"
)
NO_LOOP = "ufunc '{ufunc}' did not contain a loop with signature matching types {kind} -> None"
# The narrowest float that holds an integer dtype, as NumPy's functions of floats have it.
NARROW = {"bool": "float16", "uint8": "float16", "int8": "float16", "int16": "float32"}
INVERTED = "~ (operator.invert) is only implemented on integer and Boolean-type tensors"

# By dtype, the exception's type and words; ``{kernel}`` stands for PyTorch's name of the dtype.
_Refusals = dict[str, tuple[str, str]]


def _refusals(dtypes: tuple[str, ...], words: str, kind: str = "NotImplementedError") -> _Refusals:
    return {dtype: (kind, words.replace("{kernel}", SCALARS[dtype])) for dtype in dtypes}


def _vml(name: str) -> _Refusals:
    return {
        **_refusals(("bool",), f"\"{name}_vml_cpu\" not implemented for 'Bool'"),
        **_refusals(COMPLEX, f"{name} is not supported for complex inputs"),
    }


@record(frozen=True, slots=True)
class Single:
    """A function of one operand.

    Attributes:
        body: How an element is written.
        kind: What it gives in PyTorch: ``same``, ``float`` (integers give the default float), ``truth``, ``size`` (of a
            complex number the float), ``square`` (a bool gives int64).
        refused: What PyTorch refuses.
        ufunc: NumPy's name for it; empty where it has none.
        lacking: The dtypes that NumPy's does not take.
        advice: What to write in NumPy where it has none.
        numpy_kind: What it gives in NumPy, where that differs: ``narrow`` (bool gives int8).
    """

    body: str
    kind: str
    refused: _Refusals
    ufunc: str = ""
    lacking: tuple[str, ...] = ()
    advice: str = ""
    numpy_kind: str = ""


def _float(ufunc: str, body: str = "", advice: str = "") -> Single:
    return Single(body or f"{ufunc}({{0}})", "float", {}, ufunc, advice=advice)


_INVERT_REFUSED = _refusals((*FLOATING, *COMPLEX), "\"bitwise_not_cpu\" not implemented for '{kernel}'")
FUNCTIONS = {
    **{name: _float(name) for name in ("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "sin", "cos", "tan")},
    "tanh": _float("tanh"),
    "rsqrt": _float("", "1 / sqrt({0})", "write 1 / np.sqrt(x)"),
    "sigmoid": _float("", "1 / (1 + exp(-{0}))", "write 1 / (1 + np.exp(-x))"),
    "reciprocal": replace(_float("reciprocal", "1 / {0}"), numpy_kind="narrow"),
    "square": Single("{0} * {0}", "square", {}, "square", numpy_kind="narrow"),
    "abs": Single("abs({0})", "size", _refusals(("bool",), "\"abs_cpu\" not implemented for 'Bool'"), "absolute"),
    "neg": Single("-{0}", "same", _refusals(("bool",), _NEGATED, "RuntimeError"), "negative", ("bool",)),
    "positive": Single(
        "{0}",
        "same",
        _refusals(("bool",), "The `+` operator, on a bool tensor is not supported.", "RuntimeError"),
        "positive",
        ("bool",),
    ),
    "bitwise_not": Single("~{0}", "same", _INVERT_REFUSED, "invert", (*FLOATING, *COMPLEX)),
    "logical_not": Single("{0} == 0", "truth", {}, "logical_not"),
    "sign": Single(
        "sign({0})",
        "same",
        _refusals(
            COMPLEX,
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
        ),
        "sign",
        ("bool",),
    ),
    **{name: Single(f"{name}({{0}})", "same", _vml(name), name, COMPLEX) for name in ("floor", "ceil", "trunc")},
    "round": Single(
        "round({0})", "same", _refusals(("bool", *COMPLEX), "\"round_vml_cpu\" not implemented for '{kernel}'"), "round"
    ),
    "relu": Single(
        "max({0}, 0)",
        "same",
        {
            **_refusals(("bool",), "Boolean inputs not supported for relu", "RuntimeError"),
            **_refusals(COMPLEX, "clamp is not supported for complex types"),
        },
        advice="write np.maximum(x, 0)",
    ),
    **{name: Single(f"{name}({{0}})", "truth", {}, name) for name in ("isnan", "isinf", "isfinite")},
}
MARKS = {"unary_-": "neg", "unary_+": "positive", "unary_~": "bitwise_not"}
# What turns a mask round, by NumPy's name.
MASKS = ("invert", "logical_not")
