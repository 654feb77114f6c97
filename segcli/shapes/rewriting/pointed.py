"""Ways to write functions of each element that NumPy lacks, and products."""

from collections.abc import Callable, Iterator

from segcli.shapes.rewriting.place import Called, as_primary, is_plain, sure_if


def _sigmoid(call: Called) -> Iterator[str]:
    yield sure_if(is_plain(call.source), f"1 / (1 + torch.exp(-{call.owner}))")


def _relu(call: Called) -> Iterator[str]:
    yield sure_if(is_plain(call.source), f"{call.owner}.clip(0)")


def _rsqrt(call: Called) -> Iterator[str]:
    yield f"1 / torch.sqrt({call.bare})"


def _reciprocal(call: Called) -> Iterator[str]:
    yield f"1 / {call.owner}"


def _added(call: Called) -> Iterator[str]:
    """Write ``x.add(y, alpha=2)`` with the mark."""
    mark = "-" if call.name.startswith("sub") else "+"
    alpha = call.text_of(1, "alpha", "1")
    yield f"{call.owner} {mark} {as_primary(alpha)} * {as_primary(call.text_of(0, 'other'))}"


def _divided(call: Called) -> Iterator[str]:
    """Write how a quotient is rounded with the mark or a function."""
    mode, other = call.text_of(1, "rounding_mode"), as_primary(call.text_of(0, "other"))
    if mode in ("", "None"):
        yield f"{call.owner} / {other}"
    elif mode in ("'floor'", '"floor"'):
        yield f"{call.owner} // {other}"
    else:
        yield f"torch.trunc({call.owner} / {other})"


def _bounded(call: Called) -> Iterator[str]:
    """Give both bounds, by position."""
    low, high = call.text_of(0, "min", "None"), call.text_of(1, "max", "None")
    yield f"torch.clip({call.bare}, {low}, {high})"


WAYS: dict[str, Callable[[Called], Iterator[str]]] = {
    "sigmoid": _sigmoid,
    "relu": _relu,
    "rsqrt": _rsqrt,
    "reciprocal": _reciprocal,
    **dict.fromkeys(("add", "sub", "subtract"), _added),
    **dict.fromkeys(("div", "divide", "true_divide"), _divided),
    **dict.fromkeys(("clamp", "clip"), _bounded),
}
