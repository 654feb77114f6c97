"""Ways to write reductions, and what goes along one axis."""

from collections.abc import Callable, Iterator

from segcli.shapes.rewriting.place import Called, Number, is_plain, sure_if
from segcli.shapes.values import FLOATING, Pair

Proposal = str | tuple[str, ...]


def _keepdim(call: Called, position: int = 1) -> str:
    return ", keepdim=True" if call.number(position, "keepdim", default=False) else ""


def _dims(call: Called) -> str:
    """Write the dims: all of them where none are given, several in a tuple."""
    dims = call.numbers(0, "dim")
    if not dims:
        return "" if not _keepdim(call) else f"({''.join(f'{axis}, ' for axis in range(len(call.source.shape)))})"
    return str(dims[0]) if len(dims) == 1 else f"({', '.join(map(str, dims))})"


def _given(*texts: str) -> str:
    return ", ".join(text.removeprefix(", ") for text in texts if text)


def _reduce(call: Called) -> Iterator[str]:
    """Say the dims in a way that both take."""
    if call.name in ("amax", "amin"):
        yield f"torch.{call.name}({_given(call.bare, _dims(call), _keepdim(call))})"
    else:
        yield f"{call.owner}.{call.name}({_given(_dims(call), _keepdim(call))})"
    if call.source.dtype in ("bool", "uint8", "int8", "int16", "int32"):
        yield f"{call.owner}.long().{call.name}({_given(_dims(call), _keepdim(call))})"


def _extreme(call: Called) -> Iterator[Proposal]:
    other = call.node_of(0, "other")
    if other is not None and call.place.tensor(other) is not None:
        yield f"torch.{call.name}imum({call.bare}, {call.place.text(other)})"
        return
    # Without a dim there is one result, and the libraries think the same.
    casts = ("", ".int()") if isinstance(call.place.result, Pair) else ()
    yield from ((extreme_values(call), extreme_indices(call, cast)) for cast in casts)


def extreme_values(call: Called) -> str:
    """Write the values of max or min along a dim."""
    return f"torch.a{call.name}({_given(call.bare, _dims(call), _keepdim(call))})"


def extreme_indices(call: Called, cast: str = "") -> str:
    """Write the positions of max or min along a dim."""
    return f"{call.owner}{cast}.arg{call.name}({_given(_dims(call), _keepdim(call))})"


def _spread(call: Called) -> Iterator[str]:
    """Say the correction: PyTorch's is 1, NumPy's 0."""
    unbiased = call.number(1, "unbiased", default=True)
    keepdim = _keepdim(call, 2)
    dims = call.numbers(0, "dim")
    where = "" if not dims else str(dims[0]) if len(dims) == 1 else f"({', '.join(map(str, dims))})"
    if keepdim and not where:
        where = f"({''.join(f'{axis}, ' for axis in range(len(call.source.shape)))})"
    yield f"torch.{call.name}({_given(call.bare, where, f'correction={int(bool(unbiased))}', keepdim)})"


def _order(call: Called, axis: int, *, down: bool) -> str:
    """Write the positions in order; those of equal elements in the order in which they stand."""
    # What has no sign has no opposite.
    cast = ".long()" if down and call.source.dtype in ("bool", "uint8") else ""
    return f"torch.argsort({'-' if down else ''}{call.owner}{cast}, dim={axis}, stable=True)"


def _by(call: Called, positions: str, axis: int) -> str:
    return f"torch.take_along_dim({call.bare}, {positions}, {axis})"


def sorted_pair(call: Called) -> Iterator[tuple[str, str]]:
    """Go through the ways to write the values and the positions of sort, topk, kthvalue and median."""
    yield from _PAIRS[call.name](call)


def _sort(call: Called) -> Iterator[tuple[str, str]]:
    axis = call.axis(default=-1)
    down = call.number(1, "descending", default=False)
    order = _order(call, axis, down=bool(down))
    yield _by(call, order, axis), order


def _topk(call: Called) -> Iterator[tuple[str, str]]:
    axis, count = call.axis(1, "dim", -1), call.text_of(0, "k")
    down = call.number(2, "largest", default=True)
    order = _order(call, axis, down=bool(down)) + call.at(axis, f":{count}")
    yield _by(call, order, axis), order


def _kth(call: Called, rank: Number, axis: int, keepdim: Number) -> Iterator[tuple[str, str]]:
    if not isinstance(rank, int) or rank < 1 or not call.source.shape:
        return
    ordered = _order(call, axis, down=False)
    one = call.at(axis, f"{rank - 1}:{rank}")
    if keepdim:
        yield _by(call, ordered + one, axis), ordered + one
    else:
        last = call.at(axis, str(rank - 1))
        yield _by(call, ordered, axis) + last, ordered + last


def _kthvalue(call: Called) -> Iterator[tuple[str, str]]:
    return _kth(call, call.number(0, "k"), call.axis(1, "dim", -1), call.number(2, "keepdim", default=False))


def _median(call: Called) -> Iterator[tuple[str, str]]:
    axis = call.axis()
    size = call.source.shape[axis] if call.source.shape else None
    rank = (size + 1) // 2 if isinstance(size, int) else None
    return _kth(call, rank, axis, call.number(1, "keepdim", default=False))


def _pair(call: Called) -> Iterator[Proposal]:
    if call.name == "median" and call.node_of(0, "dim") is None:
        yield from _median_of_all(call)
    else:
        yield from sorted_pair(call)


def _median_of_all(call: Called) -> Iterator[str]:
    """Sort all elements, and take the lower of the two in the middle."""
    count = 1
    for size in call.source.shape:
        if isinstance(size, str):
            return
        count *= size
    flat = call.owner if len(call.source.shape) == 1 else f"{call.owner}.reshape(-1)"
    if count:
        yield f"{flat}[{flat}.argsort()[{(count - 1) // 2}]]"


def _argsort(call: Called) -> Iterator[str]:
    axis = call.axis(default=-1)
    down = call.number(1, "descending", default=False)
    yield _order(call, axis, down=bool(down))


def _cast_first(call: Called, text: str, position: int) -> str:
    """Write what it works on in the dtype that is asked for."""
    dtype = call.text_of(position, "dtype")
    return f"{text}.to({dtype})" if dtype and dtype != "None" else text


def _softmax(call: Called) -> Iterator[str]:
    axis = call.axis()
    x = _cast_first(call, call.owner, 2 if call.space == "functional" else 1)
    powers = f"torch.exp({x} - torch.amax({x}, {axis}, keepdim=True))"
    yield sure_if(is_plain(call.source) and x == call.owner, f"{powers} / {powers}.sum({axis}, keepdim=True)")


def _log_softmax(call: Called) -> Iterator[str]:
    axis = call.axis()
    x = _cast_first(call, call.owner, 2 if call.space == "functional" else 1)
    shifted = f"{x} - torch.amax({x}, {axis}, keepdim=True)"
    text = f"{shifted} - torch.log(torch.exp({shifted}).sum({axis}, keepdim=True))"
    yield sure_if(is_plain(call.source) and x == call.owner, text)


def _logsumexp(call: Called) -> Iterator[str]:
    dims, keepdim = _dims(call), _keepdim(call)
    x = call.owner if call.source.dtype in FLOATING else f"{call.owner}.float()"
    top = f"torch.amax({_given(x, dims, ', keepdim=True')})"
    most = top if keepdim else f"torch.amax({_given(x, dims)})"
    yield f"{most} + torch.log(torch.exp({x} - {top}).sum({_given(dims, keepdim)}))"


def _norm(call: Called) -> Iterator[str]:
    order = call.number(0, "p", default=2)
    if call.text_of(0, "p") in ("'fro'", '"fro"'):
        order = 2
    dims = call.numbers(1, "dim")
    keepdim = _keepdim(call, 2)
    where = "" if not dims else str(dims[0]) if len(dims) == 1 else f"({', '.join(map(str, dims))})"
    if keepdim and not where:
        where = f"({''.join(f'{axis}, ' for axis in range(len(call.source.shape)))})"
    over = _given(where, keepdim)
    size = f"torch.abs({call.bare})"
    if not isinstance(order, int | float) or isinstance(order, bool):
        return
    if order in (1, 2):
        yield f"{size}.sum({over})" if order == 1 else f"torch.sqrt(({call.owner} * {call.owner}).sum({over}))"
    elif order in (float("inf"), -float("inf")):
        yield f"torch.{'amax' if order > 0 else 'amin'}({_given(size, over)})"
    elif order == 0:
        yield f"({call.owner} != 0).sum({over}).to({call.owner}.dtype)"
    else:
        yield f"({size} ** {order}).sum({over}) ** (1 / {order})"


_PAIRS: dict[str, Callable[[Called], Iterator[tuple[str, str]]]] = {
    "sort": _sort,
    "topk": _topk,
    "kthvalue": _kthvalue,
    "median": _median,
}

WAYS: dict[str, Callable[[Called], Iterator[Proposal]]] = {
    **dict.fromkeys(("sum", "mean", "prod", "amax", "amin", "any", "all"), _reduce),
    **dict.fromkeys(("max", "min"), _extreme),
    **dict.fromkeys(("std", "var"), _spread),
    **dict.fromkeys(_PAIRS, _pair),
    "argsort": _argsort,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "norm": _norm,
}
