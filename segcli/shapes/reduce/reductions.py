"""Reductions and functions along an axis: which there are, and what both libraries say of the result."""

from collections.abc import Sequence

from segcli.shapes.indexing import Step, axes_text
from segcli.shapes.records import record
from segcli.shapes.request import Request
from segcli.shapes.signatures import Signatures, signatures
from segcli.shapes.symbols import at_least
from segcli.shapes.values import Listed, Shape, Value


@record(frozen=True, slots=True)
class Function:
    """A function, as PyTorch has it.

    Attributes:
        signatures: How PyTorch reads its arguments.
        words: How a formula writes what it gives.
        takes: Its parameters, as ``read_request`` wants them.
        nothing: Whether an empty tuple of dimensions reduces nothing (else it reduces all).
        needs: What has no result over no elements: ``all`` for all of them and along a dim, ``dim`` for the latter.
        place: How a formula writes which position it gives, where it gives values and indices.
        lacking: What to write in NumPy, where NumPy has no such function.
    """

    signatures: Signatures
    words: str
    takes: str = "dim keepdim"
    nothing: bool = False
    needs: str = ""
    place: str = ""
    lacking: str = ""


_ONE = signatures("int? dim=, bool keepdim=")
_ONE_OF_PAIR = signatures("", "Tensor other", "int dim, bool keepdim=")
_MANY = signatures("ints? dim=, bool keepdim=")
_ACCUMULATED = signatures("*, dtype? dtype=", "ints? dim, bool keepdim=, *, dtype? dtype=", out=(False, True))
_LOGICAL = signatures("", "ints? dim=, bool keepdim=", "int dim, bool keepdim=")
_SPREAD = signatures(
    "ints? dim, bool unbiased=, bool keepdim=",
    "ints? dim=, *, number? correction=, bool keepdim=",
    "bool unbiased=",
    out=(True, True, False),
)
_SORT = "int dim=, bool descending="
_RUNNING = signatures("int dim, *, dtype? dtype=")
_SOFTMAX = signatures("int dim, dtype? dtype=", out=(False,))

FUNCTIONS = {
    "argmax": Function(_ONE, needs="all", words="largest"),
    "argmin": Function(_ONE, needs="all", words="smallest"),
    "max": Function(_ONE_OF_PAIR, needs="all", words="max", place="largest"),
    "min": Function(_ONE_OF_PAIR, needs="all", words="min", place="smallest"),
    "sum": Function(_ACCUMULATED, words="sum", takes="dim keepdim * dtype"),
    "mean": Function(
        signatures("*, dtype? dtype=", "ints? dim, bool keepdim=, *, dtype? dtype=", out=(True, True)),
        words="mean",
        takes="dim keepdim * dtype",
    ),
    "amax": Function(_MANY, needs="all", words="max"),
    "amin": Function(_MANY, needs="all", words="min"),
    "any": Function(_LOGICAL, nothing=True, words="any"),
    "all": Function(_LOGICAL, nothing=True, words="all"),
    "std": Function(_SPREAD, words="std", takes="dim unbiased keepdim * correction"),
    "var": Function(_SPREAD, words="variance", takes="dim unbiased keepdim * correction"),
    "prod": Function(
        signatures("*, dtype? dtype=", "int dim, bool keepdim=, *, dtype? dtype=", out=(False, True)),
        words="product",
        takes="dim keepdim * dtype",
    ),
    "median": Function(
        signatures("", "int dim, bool keepdim=", out=(False, True)),
        needs="dim",
        words="lower median",
        place="the lower median",
    ),
    "norm": Function(
        signatures("number ord, ints? dim, bool keepdim, *, dtype? dtype=", out=(True,)),
        takes="p dim keepdim",
        words="norm",
        lacking="write np.linalg.vector_norm(x, ord=p, axis=axis)",
    ),
    "logsumexp": Function(
        signatures("ints dim, bool keepdim="),
        words="logsumexp",
        lacking="write scipy.special.logsumexp(x, axis), or np.log(np.exp(x).sum(axis)) where nothing overflows",
    ),
    "kthvalue": Function(
        signatures("int k, int dim=, bool keepdim="),
        takes="k dim keepdim",
        needs="dim",
        words="smallest",
        lacking="write np.partition(x, k - 1, axis).take(k - 1, axis)",
    ),
    "topk": Function(
        signatures("int k, int dim=, bool largest=, bool sorted="),
        takes="k dim largest sorted",
        words="largest",
        lacking="write np.sort(x, axis), or np.partition where the order is free, and take the last k",
    ),
    "sort": Function(
        signatures("*, bool? stable, int dim=, bool descending=", _SORT),
        takes="dim descending * stable",
        words="smallest",
    ),
    "argsort": Function(
        signatures("*, bool stable, int dim=, bool descending=", _SORT, out=(True, False)),
        takes="dim descending * stable",
        words="smallest",
    ),
    "cumsum": Function(_RUNNING, takes="dim * dtype", words="sum"),
    "cumprod": Function(_RUNNING, takes="dim * dtype", words="product"),
    "count_nonzero": Function(
        signatures("ints dim", "int? dim=", out=(False, False)),
        takes="dim",
        words="sum",
    ),
    "softmax": Function(_SOFTMAX, takes="dim dtype", words="exp", lacking="write scipy.special.softmax(x, axis)"),
    "log_softmax": Function(
        _SOFTMAX, takes="dim dtype", words="logsumexp", lacking="write scipy.special.log_softmax(x, axis)"
    ),
}


def reduced_shape(shape: Shape, dims: Sequence[int], *, keepdim: bool) -> Shape:
    """Return the shape that is left.

    Examples:
        >>> reduced_shape((2, 3, 4), [1], keepdim=False), reduced_shape((2, 3, 4), [1], keepdim=True)
        ((2, 4), (2, 1, 4))
    """
    gone = set(dims)
    if keepdim:
        return tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def element_needs(shape: Shape, dims: Sequence[int]) -> tuple[str, ...]:
    """Say which sizes that are not known must not be 0."""
    return tuple(at_least(size, 1) for size in (shape[axis] for axis in dims) if isinstance(size, str))


def reduction_step(request: Request, dims: tuple[int, ...], *, keepdim: bool, stage: int) -> Step:
    """Return the trace of a reduction."""
    fate = "kept at size 1" if keepdim else "gone"
    effect = f"{axes_text(dims)} reduced, {fate}" if dims else "no axis reduced"
    gives = dims if keepdim else ()
    return Step(stage, request.text, request.span, request.name, dims, gives, effect)


def dim_items(value: Value) -> list[Value] | None:
    """Return the dimensions in a list or a tuple, or None where ``value`` is neither."""
    return [item.value for item in value.items] if isinstance(value, Listed) else None


def spread_words(name: str, correction: Value) -> str:
    """Write the standard deviation or the variance, with what its divisor is short of the number of elements."""
    shown = int(correction) if isinstance(correction, bool) else correction
    return f"{FUNCTIONS[name].words} with correction {shown}"
