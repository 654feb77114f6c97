"""What a reduction, or a function along an axis, gives."""

from segcli.shapes.indexing import Step
from segcli.shapes.records import record
from segcli.shapes.values import Shape


@record(frozen=True, slots=True)
class Reduced:
    """What a function gives.

    Attributes:
        shape: The result's shape.
        dtype: The result's dtype; of several results, the first one's.
        dims: Which axes are reduced, or walked along, in order.
        keepdim: Whether reduced axes stay, of size 1.
        flat: Whether the positions of ``argmax`` count the flattened source.
        pair: Whether there are two results, values and indices.
        step: The trace.
        needs: What must hold of sizes that are not known.
        rules: Names of the rules at work that the two libraries do not share.
        notes: What else a reader should know.
        form: How its formula is written: ``over`` the dims that are gone, or along one that stays, as ``rank``,
            ``place`` (the position of a rank), ``running``, ``softmax`` or ``log_softmax``; not at all where the
            elements are cast to a dtype that does not hold them: ``lossy``.
        words: How its formula writes what it gives; empty for the function's own words.
        scalar: Whether NumPy makes a scalar of a 0-d result.
    """

    shape: Shape
    dtype: str
    dims: tuple[int, ...]
    keepdim: bool
    flat: bool
    pair: bool
    step: Step
    needs: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    form: str = "over"
    words: str = ""
    scalar: bool = True
