"""What ``F.cross_entropy`` makes of class numbers: ``nll_loss`` of PyTorch 2.13, for every number of axes."""

from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.records import record
from segcli.shapes.symbols import equal, product
from segcli.shapes.values import FLOATING, Item, RaisedError, Shape, Size, Tensor

_ROWS, _PICTURE = 2, 4


@record(frozen=True, slots=True)
class Targets:
    """Scores with class numbers.

    Attributes:
        input: The scores.
        target: The class numbers.
        weight: A factor a class.
        reduction: ``none``, ``mean`` or ``sum``.
        ignored: The class number that does not count.
        smooths: Whether some of every target goes to all classes.
        dtype: The dtype of the logarithms.
    """

    input: Item
    target: Item
    weight: Item | None
    reduction: str
    ignored: Size
    smooths: bool
    dtype: str

    @property
    def x(self) -> Shape:
        """The shape of the scores."""
        return as_tensor(self.input).shape

    @property
    def y(self) -> Tensor:
        """The class numbers."""
        return as_tensor(self.target)

    def error(self, words: str, axis: int | None = None, kind: str = "RuntimeError") -> RaisedError:
        """Return an error at the target."""
        return RaisedError(self.target.span, kind, words, axis)


def check_targets(targets: Targets) -> tuple[Shape, tuple[str, ...]]:
    """Check class numbers against scores.

    Returns:
        The shape of the losses, and what must hold of sizes that are not known.

    Raises:
        RaisedError: As PyTorch raises.
    """
    x, y = targets.x, targets.y.shape
    needs: list[str] = []
    if len(x) != 1:
        size = y[0] if y else 0
        if not _match(x[0], size, needs):
            words = f"Expected input batch_size ({x[0]}) to match target batch_size ({size})."
            raise targets.error(words, 0, "ValueError")
    if len(x) <= _ROWS:
        shape = _check_rows(targets, needs)
    elif len(x) == _PICTURE:
        shape = _check_picture(targets, x, y, needs)
    else:
        shape = _check_many(targets, needs)
    _check_values(targets)
    if targets.smooths:
        _check_smoothed(targets, shape)
    return shape, tuple(needs)


def _match(size: Size, other: Size, needs: list[str]) -> bool:
    if isinstance(size, int) and isinstance(other, int):
        return size == other
    if size != other:
        needs.append(equal(size, other))
    return True


def _check_rows(targets: Targets, needs: list[str]) -> Shape:
    x, y = targets.x, targets.y.shape
    if len(y) > 1:
        raise targets.error(words="0D or 1D target tensor expected, multi-target not supported")
    _check_whole(targets)
    if len(x) > 1 and not y:
        raise targets.error(words="Dimension specified as 0 but tensor has no dimensions", kind="IndexError")
    if len(x) == 1 and y and not _match(y[0], 1, needs):
        words = f"For 1D input, 1D target must have size 1, but got target size: {y[0]}"
        raise targets.error(words, 0, "ValueError")
    if targets.weight is not None:
        weight = as_tensor(targets.weight).shape
        if len(weight) != 1 or not _match(weight[0], x[-1], needs):
            words = (
                f"weight tensor should be defined either for all {x[-1]} classes or no classes but got weight tensor "
                f"of shape: {bracketed(weight)}"
            )
            raise RaisedError(targets.weight.span, "RuntimeError", words)
    _check_dtypes(targets, "nll_loss_out_frame")
    return x[:-1]


def _check_many(targets: Targets, needs: list[str]) -> Shape:
    """Check what PyTorch folds into pictures of one row."""
    x, y = targets.x, targets.y.shape
    expected = (x[0], *x[2:])
    if not y:
        raise targets.error(words="ArrayRef: invalid slice, N = 1; size = 0")
    fits = len(y) == len(expected) and all(
        _match(size, other, needs) for size, other in zip(y[1:], expected[1:], strict=True)
    )
    if not fits:
        words = f"Expected target size {bracketed(expected)}, got {bracketed(y)}"
        wrong = next((a for a, pair in enumerate(zip(y, expected, strict=False)) if pair[0] != pair[1]), None)
        raise targets.error(words, wrong if len(y) == len(expected) else None)
    folded = (1, product(x[2:])) if 0 not in x else (0, 0)
    flat = (y[0], 1, product(y[1:])) if 0 not in y else (y[0], 0, 0)
    # Sizes that fit still fit when they are folded, unless there are no classes.
    _check_picture(targets, (*x[:2], *folded), flat, [])
    return expected


def _check_picture(targets: Targets, x: Shape, y: Shape, needs: list[str]) -> Shape:
    if len(y) != _PICTURE - 1:
        words = f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(y)}"
        raise targets.error(words)
    _check_whole(targets)
    _check_weight(targets, x)
    for axis in (1, 2):
        if not _match(x[axis + 1], y[axis], needs):
            words = f"size mismatch (got input: {bracketed(x)} , target: {bracketed(y)}"
            raise targets.error(words, axis)
    _check_dtypes(targets, "nll_loss2d_forward_out_frame")
    if targets.y.dtype == "uint8" and (0 not in y or targets.reduction == "none"):
        raise targets.error(words="expected scalar type Long but found Byte")
    return (x[0], *x[2:])


def _check_weight(targets: Targets, x: Shape) -> None:
    if targets.weight is None:
        return
    shape = as_tensor(targets.weight).shape
    count = 1
    for size in shape:
        if not isinstance(size, int):
            return
        count *= size
    if isinstance(x[1], int) and count != x[1]:
        words = "weight tensor should be defined either for all or no classes"
        raise RaisedError(targets.weight.span, "RuntimeError", words)


def _check_whole(targets: Targets) -> None:
    if targets.y.dtype not in ("int64", "uint8"):
        raise targets.error(words=f"expected target dtype to be Long or Byte, but got {SCALARS[targets.y.dtype]}")


def _check_dtypes(targets: Targets, kernel: str) -> None:
    if targets.dtype not in FLOATING:
        raise no_kernel(kernel, targets.dtype, targets.input.span)
    if targets.weight is not None and as_tensor(targets.weight).dtype != targets.dtype:
        words = f"expected scalar type {SCALARS[targets.dtype]} but found {SCALARS[as_tensor(targets.weight).dtype]}"
        raise RaisedError(targets.weight.span, "RuntimeError", words)


def _check_values(targets: Targets) -> None:
    """Check class numbers as far as they are known."""
    classes = targets.x[0 if len(targets.x) == 1 else 1]
    if not isinstance(classes, int) or not isinstance(targets.ignored, int) or 0 in targets.y.shape:
        return
    # Of no classes, every number is too large.
    values = targets.y.values if targets.y.values is not None else (0,) if classes == 0 else ()
    wrong = next((int(value) for value in values if value != targets.ignored and not 0 <= value < classes), None)
    if wrong is not None:
        raise targets.error(words=f"Target {wrong} is out of bounds.", kind="IndexError")


def _check_smoothed(targets: Targets, shape: Shape) -> None:
    """Check what smoothing does with target and weight."""
    if len(targets.y.shape) > len(shape):
        words = f"output with shape {bracketed(shape)} doesn't match the broadcast shape {bracketed(targets.y.shape)}"
        raise targets.error(words)
    if targets.weight is None:
        return
    weight = as_tensor(targets.weight).shape
    first = weight[0] if weight else None
    if first is None:
        words = "Dimension specified as 0 but tensor has no dimensions"
        raise RaisedError(targets.weight.span, "IndexError", words)
    if product(weight) != first:
        viewed = bracketed((1, first, *([1] * (len(targets.x) - 2))))
        words = f"shape '{viewed}' is invalid for input of size {product(weight)}"
        raise RaisedError(targets.weight.span, "RuntimeError", words)
    # Without a class number that counts, nothing is looked up.
    counts = targets.y.values is None or set(targets.y.values) - {targets.ignored}
    if targets.reduction != "mean" or 0 in targets.y.shape or not counts:
        return
    if targets.y.dtype == "uint8":
        raise targets.error(words="gather(): Expected dtype int32/int64 for index")
    if len(weight) != 1:
        words = "Index tensor must have the same number of dimensions as input tensor"
        raise RaisedError(targets.weight.span, "RuntimeError", words)
