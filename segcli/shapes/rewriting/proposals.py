"""Goes through the ways to write a step, the plainest first; whether both libraries take one, the caller asks."""

from collections.abc import Callable, Iterator

from segcli.shapes.rewriting import arranged, casts, chosen, indices, joined, layers, picked, pointed, reduced
from segcli.shapes.rewriting.place import Called, Place, Proposal, read_call
from segcli.shapes.rewriting.steps import Site
from segcli.shapes.text.nodes import Assign, Attribute, Call, Subscript
from segcli.shapes.values import Pair, Parts

_WAYS: dict[str, Callable[[Called], Iterator[Proposal]]] = {
    **arranged.WAYS,
    **reduced.WAYS,
    **joined.WAYS,
    **chosen.WAYS,
    **pointed.WAYS,
}


def propose(place: Place, site: Site) -> Iterator[Proposal]:
    """Go through the ways to write a step; whether both libraries take one, the caller asks.

    Args:
        place: The step, with the texts of those before it.
        site: What both libraries make of it.
    """
    yield from _ways(place, site)
    if casts.are_apart(site):
        if not site.numpy.state.lacking:
            yield from casts.propose(place, site)
        for cast in casts.before(place, site):
            yield from _ways(cast, site)
        for proposal in _ways(place, site):
            # One tensor comes out, so that there is one text.
            yield casts.after(str(proposal), site)


def _ways(place: Place, site: Site) -> Iterator[Proposal]:
    node = place.node
    match node:
        case Subscript(base) if isinstance(place.found.values.get(id(base)), Pair | Parts):
            yield from picked.from_index(place, node)
        case Attribute(base) if isinstance(place.found.values.get(id(base)), Pair):
            yield from picked.from_attribute(place, node)
        case Subscript():
            yield from indices.propose(place, node, site)
        case Assign():
            yield from indices.assigned(place, node, site)
        case Call():
            called = read_call(place, node)
            if called is not None and called.name in _WAYS:
                yield from _WAYS[called.name](called)
            yield from layers.propose(place, node)
            yield from joined.make(place, node)
        case _:
            pass
