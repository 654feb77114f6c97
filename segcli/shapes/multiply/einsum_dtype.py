"""The dtype of what ``torch.einsum`` gives: it hangs on which operands are multiplied first, and by which kernel."""

from segcli.shapes.multiply.contraction import Contraction
from segcli.shapes.multiply.product_kernels import Place, check_bmm
from segcli.shapes.operands import promote
from segcli.shapes.records import record
from segcli.shapes.symbols import product
from segcli.shapes.values import COMPLEX, FLOATING, Size


@record(frozen=True, slots=True)
class _Operand:
    """An operand on its way: the sizes of its labels other than 1."""

    dtype: str
    sizes: dict[str, Size]

    def summed(self, labels: list[str]) -> "_Operand":
        """Sum over labels, which makes integers int64."""
        if not labels:
            return self
        left = {label: size for label, size in self.sizes.items() if label not in labels}
        return _Operand(self.dtype if self.dtype in (*FLOATING, *COMPLEX) else "int64", left)


def einsum_dtype(made: Contraction, place: Place) -> str:
    """Return the result's dtype: operands are multiplied from the left, a pair at a time, and summed meanwhile.

    Args:
        made: The operands with their labels.
        place: Where an error points.

    Raises:
        RaisedError: As PyTorch would raise, where a kernel takes no such dtypes.
    """
    operands = [
        _Operand(tensor.dtype, {label: size for label, size in zip(labels, tensor.shape, strict=True) if size != 1})
        for labels, tensor in zip(made.labels, made.tensors, strict=True)
    ]
    if len(operands) == 1:
        return operands[0].summed(list(made.summed)).dtype
    counts = {label: sum(label in operand.sizes for operand in operands) for label in made.summed}
    first = operands[0]
    for other in operands[1:]:
        first = _multiplied(made, counts, first, other, place)
    return first.dtype


def _multiplied(made: Contraction, counts: dict[str, int], left: _Operand, right: _Operand, place: Place) -> _Operand:
    """Multiply two operands; over what no later one has, the products are summed."""
    together: list[str] = []
    alone: tuple[list[str], list[str]] = ([], [])
    for label in made.summed:
        if label in left.sizes and label in right.sizes:
            counts[label] -= 1
            if counts[label] == 1:
                together.append(label)
        elif counts[label] == 1 and (label in left.sizes or label in right.sizes):
            alone[label in right.sizes].append(label)
    left, right = left.summed(alone[0]), right.summed(alone[1])
    sizes = {label: size for label, size in {**right.sizes, **left.sizes}.items() if label not in together}
    if not together:
        return _Operand(promote(left.dtype, right.dtype, "torch"), sizes)
    if _is_swapped(made, left, right, together):
        left, right = right, left
    inner = product([left.sizes[label] for label in together])
    batch = product([size for label, size in sizes.items() if label in left.sizes and label in right.sizes])
    rows = product([size for label, size in sizes.items() if label not in right.sizes])
    columns = product([size for label, size in sizes.items() if label not in left.sizes])
    return _Operand(check_bmm(place, (batch, rows, inner), (batch, inner, columns), left.dtype, right.dtype), sizes)


def _is_swapped(made: Contraction, left: _Operand, right: _Operand, together: list[str]) -> bool:
    """Tell whether the second operand is multiplied from the left, as where all its own axes come first."""
    order = [label for label in (*made.output, *sorted(made.summed)) if label not in together]
    own = [place for place, label in enumerate(order) if label in left.sizes and label not in right.sizes]
    others = [place for place, label in enumerate(order) if label not in left.sizes]
    return bool(own) and bool(others) and own[0] > others[-1]
