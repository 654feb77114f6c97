"""PyTorch's ``norm``, which is Python over ``torch.linalg.vector_norm``, and ``logsumexp`` (PyTorch 2.13)."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.integers import read_dims
from segcli.shapes.kinds import SCALARS
from segcli.shapes.reduce.reductions import FUNCTIONS, element_needs, reduced_shape, reduction_step
from segcli.shapes.reduce.torch_reduce import wrap_dims
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Given, Request
from segcli.shapes.signatures import choose, flag, is_integer
from segcli.shapes.values import COMPLEX, FLOATING, REAL, Item, Listed, RaisedError, Shape, Tensor, type_name

_MATRIX_DIMS = 2


def norm_torch(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Take a norm as PyTorch does.

    Args:
        source: The tensor.
        request: The call.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    request = _without_name(request)
    if "p" not in request.given:
        _check_matrix(source, request)
    bound = choose(_of_vector_norm(request), FUNCTIONS["norm"].signatures)
    raw = read_dims("linalg_vector_norm", bound)
    keepdim = flag(bound, "keepdim")
    _check_floating(source, request, "vector_norm")
    order = bound["ord"].value
    power = float(order) if isinstance(order, int | float) else 2.0
    infinite = power < 0 or power == float("inf")
    if infinite and 0 in source.shape:
        _check_identity(source.shape, request, raw, power)
    dims = wrap_dims(raw, source.shape, request) if raw else tuple(range(len(source.shape)))
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=REAL.get(source.dtype, source.dtype),
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=not raw,
        pair=False,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
        needs=element_needs(source.shape, dims) if infinite else (),
        words=f"{power:g}-norm",
    )


def _without_name(request: Request) -> Request:
    """Leave out the name of the Frobenius norm, which is what there is without a power.

    Raises:
        SegcliError: For the nuclear norm.
    """
    power = request.given["p"].value if "p" in request.given else None
    if power == "nuc":
        message = "the nuclear norm is not supported"
        raise SegcliError(message, hint="it has the shape of x.norm(dim=...) over the same two dims")
    if power != "fro":
        return request
    left = {name: given for name, given in request.given.items() if name != "p"}
    return replace(request, given=left, arguments=tuple(left.values()))


def _of_vector_norm(request: Request) -> Request:
    """Return the call that norm makes, all by position."""
    order = request.given.get("p")
    if order is None or order.value is None:
        order = Given("ord", Item(2.0, "", request.span), 0)
    dim = request.given.get("dim", Given("dim", Item(None, "", request.span), 0))
    if isinstance(dim.value, bool):
        # A bool is an int in Python, and so wrapped into a list.
        dim = Given("dim", Item(Listed((dim.item,)), dim.item.text, dim.item.span), 0)
    keepdim = request.given.get("keepdim", Given("keepdim", Item(value=False, text="", span=request.span), 0))
    arguments = tuple(Given(given.name, given.item, place) for place, given in enumerate((order, dim, keepdim), 2))
    given = {"ord": arguments[0], "dim": arguments[1], "keepdim": arguments[2]}
    return Request("linalg_vector_norm", request.span, request.text, request.pairs, arguments, given, of_torch=False)


def _check_matrix(source: Tensor, request: Request) -> None:
    """Refuse more than two dims for the Frobenius norm, which is what there is without ``p``."""
    dim = None if request.dim is None else request.dim.value
    if dim is None or isinstance(dim, int):
        return
    span = request.span_of("dim")
    if not isinstance(dim, Listed):
        raise RaisedError(span, "TypeError", f"object of type '{type_name(dim)}' has no len()")
    if len(dim.items) <= _MATRIX_DIMS:
        return
    keepdim = None if request.keepdim is None else request.keepdim.value
    if not is_integer(dim.items[0].value) or not isinstance(keepdim, bool | None):
        types = f"(Tensor, str, {dim.kind}, {'bool' if keepdim is None else type_name(keepdim)}, dtype=NoneType)"
        words = f"linalg_matrix_norm() received an invalid combination of arguments - got {types}"
        raise RaisedError(span, "TypeError", words)
    dims = read_dims("linalg_matrix_norm", request.given) or ()
    if len(source.shape) < _MATRIX_DIMS:
        words = "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        raise RaisedError(span, "RuntimeError", words)
    _check_floating(source, request, "matrix_norm")
    words = f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}"
    raise RaisedError(span, "RuntimeError", words)


def _check_floating(source: Tensor, request: Request, name: str) -> None:
    if source.dtype not in (*FLOATING, *COMPLEX):
        got = SCALARS[source.dtype]
        words = f"linalg.{name}: Expected a floating point or complex tensor as input. Got {got}"
        raise RaisedError(request.span, "RuntimeError", words)


def _check_identity(shape: Shape, request: Request, raw: Sequence[int] | None, power: float) -> None:
    """Refuse the largest or the smallest of no elements."""
    words = f"linalg.vector_norm cannot compute the {power:g} norm on "
    if not raw:
        words += "an empty tensor because the operation does not have an identity"
        raise RaisedError(request.span, "RuntimeError", words)
    for dim in raw or ():
        wrap_dims((dim,), shape, request)
        if shape[dim] == 0:
            # The missing space is PyTorch's.
            words += f"the dimension {dim}because this dimension is empty and the operation does not have an identity"
            raise RaisedError(request.span, "RuntimeError", words, dim % len(shape))


def logsumexp_torch(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Take the logarithm of a sum of exponentials as PyTorch does.

    Args:
        source: The tensor.
        request: The call.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    bound = choose(request, FUNCTIONS["logsumexp"].signatures)
    raw = read_dims("logsumexp", bound) or ()
    keepdim = flag(bound, "keepdim")
    dims = wrap_dims(raw, source.shape, request) if raw else tuple(range(len(source.shape)))
    if not raw and source.shape and 0 not in source.shape and not keepdim:
        ones = ", ".join("1" for _ in source.shape)
        words = f"output with shape [] doesn't match the broadcast shape [{ones}]"
        raise RaisedError(request.span_of("dim"), "RuntimeError", words)
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=source.dtype if source.dtype in (*FLOATING, *COMPLEX) else "float32",
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=False,
        pair=False,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
    )
