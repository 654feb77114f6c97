"""Ways to give a step the dtype that it has in PyTorch, where the libraries choose by rules of their own."""

from collections.abc import Iterator

from segcli.shapes.rewriting.place import CASTS, Place, as_primary, read_call
from segcli.shapes.rewriting.steps import Site
from segcli.shapes.text.nodes import Call, Node, Operator
from segcli.shapes.values import Tensor


def are_apart(site: Site) -> bool:
    """Tell whether a cast may help: PyTorch gives a tensor of a dtype that NumPy does not give, or not yet."""
    numpy = site.numpy.result
    given = numpy.dtype if isinstance(numpy, Tensor) else site.numpy.answer.dtype
    return _cast(site) != "" and given != _dtype(site)


def _dtype(site: Site) -> str:
    return site.result.dtype if isinstance(site.result, Tensor) else ""


def _cast(site: Site) -> str:
    return CASTS.get(_dtype(site), "")


def propose(place: Place, site: Site) -> Iterator[str]:
    """Go through the casts: of one of the tensors, of all, and at last of what comes out.

    Args:
        place: The step.
        site: What both libraries make of it.
    """
    for cast in before(place, site):
        yield cast.text(place.node)
    yield after(place.text(place.node), site)


def before(place: Place, site: Site) -> Iterator[Place]:
    """Go through the step with one of its tensors cast, and with all of them."""
    dtype = _dtype(site)
    # Of what is compared, the dtype of the result says nothing.
    others = [] if dtype == "bool" else [node for node in _operands(place) if _is_other(place, node, dtype)]
    for chosen in [*([node] for node in others), *([others] if len(others) > 1 else [])]:
        texts = {id(node): after(place.text(node), site) for node in chosen}
        yield Place(place.found, place.node, {**place.chosen, **texts})


def after(text: str, site: Site) -> str:
    """Write what comes out in PyTorch's dtype."""
    return f"{as_primary(text)}.{_cast(site)}()"


def _is_other(place: Place, node: Node, dtype: str) -> bool:
    tensor = place.tensor(node)
    return tensor is not None and tensor.dtype != dtype


def _operands(place: Place) -> list[Node]:
    """Return what a step computes with."""
    node = place.node
    if isinstance(node, Operator):
        return list(node.operands)
    called = read_call(place, node)
    if called is None or not isinstance(node, Call):
        return []
    return [called.node, *(argument.node for argument in called.arguments)]
