"""``F.affine_grid``: where each pixel of a picture is read that matrices turn and move. PyTorch 2.13's rules."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, no_kernel, python_shape, tensor_with
from segcli.shapes.layer.windows import bracketed, read_sizes
from segcli.shapes.symbols import equal
from segcli.shapes.values import FLOATING, Item, Listed, RaisedError, Shape, Size, check_elements, type_name

_FUNCTION = "theta, size, align_corners=None"
_INNER = "Tensor theta, ints size, bool align_corners"
_SPATIAL = {4: 2, 5: 3}
# Axes of a batch of matrices.
_MATRICES = 3
_ADVICE = "np.meshgrid of np.linspace gives the coordinates, to be multiplied by theta"


def affine_grid(call: Call) -> Computed:
    """Make a grid for ``grid_sample``.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_known(call, "affine_grid", _FUNCTION)
    theta, size = bound["theta"].item, bound["size"].item
    x = tensor_with(theta, "is_floating_point")
    if x.dtype not in FLOATING:
        words = f"Expected theta to have floating point type, but got torch.{x.dtype}"
        raise RaisedError(theta.span, "ValueError", words)
    if not isinstance(size.value, Listed):
        raise RaisedError(size.span, "TypeError", f"object of type '{type_name(size.value)}' has no len()")
    count = len(size.value.items)
    if count not in _SPATIAL:
        words = "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
        raise RaisedError(size.span, "NotImplementedError", f"{words}Got size {size.text}.")
    ndim = _SPATIAL[count]
    needs = _check_theta(theta, x.shape, ndim, size)
    asked = item_of(bound, "align_corners", None, call.span)
    _check_positive(size, asked, ndim)
    align = Item(value=False, text="False", span=asked.span) if asked.value is None else asked
    inner = bind_inner(call, "affine_grid_generator", _INNER, [theta, size, align])
    sizes = read_sizes("affine_grid_generator", "size", inner["size"], count)
    made = (sizes[0], *sizes[2:], ndim + 1)
    negative = next((each for each in made if isinstance(each, int) and each < 0), None)
    if negative is not None:
        words = f"Trying to create tensor with negative dimension {negative}: {bracketed(made)}"
        raise RaisedError(size.span, "RuntimeError", words)
    if x.dtype in ("float16", "bfloat16") and 1 in sizes[2:]:
        # Of one position, it makes a number, for which there is no code.
        raise no_kernel(kernel="tensor_cpu", dtype=x.dtype, span=size.span)
    if x.shape[0] != sizes[0]:
        needs += _check_batch(theta, x.shape[0], sizes[0], ndim)
    shape = (sizes[0], *sizes[2:], ndim)
    check_elements(shape, call.text)
    names = ("x, y", "x, y, z")[ndim - 2]
    axes = tuple(range(1, ndim + 1))
    steps = (
        Step(call.stage, theta.text, theta.span, "matrices", (0,), (0,), "one a picture"),
        Step(call.stage, theta.text, theta.span, "matrix", (1, 2), (ndim + 1,), f"gives {names}, in this order"),
        Step(call.stage, size.text, size.span, "places", (), axes, "a place for each pixel of the output"),
    )
    notes = ("without align_corners it is False, with a warning",) if asked.value is None else ()
    return Computed(call.make(shape, x.dtype), (theta,), steps, needs=tuple(needs), notes=notes)


def _check_theta(theta: Item, shape: Shape, ndim: int, size: Item) -> list[str]:
    fits = len(shape) == _MATRICES and all(
        isinstance(own, str) or own == wanted for own, wanted in zip(shape[1:], (ndim, ndim + 1), strict=True)
    )
    if not fits:
        words = f"Expected a batch of {ndim}D affine matrices of shape Nx{ndim}x{ndim + 1} for size {size.text}. "
        raise RaisedError(theta.span, "ValueError", f"{words}Got {python_shape(shape)}.")
    return [equal(own, wanted) for own, wanted in zip(shape[1:], (ndim, ndim + 1), strict=True) if own != wanted]


def _check_positive(size: Item, asked: Item, ndim: int) -> None:
    """Look at the numbers as Python does, before anything looks at their types."""
    items = size.value.items if isinstance(size.value, Listed) else ()
    numbers = [item.value for item in items if isinstance(item.value, int | float)]
    known = len(numbers) == len(items)
    if known and asked.value and min(numbers[-ndim:]) == 1:
        return
    if numbers and min(numbers) <= 0:
        raise RaisedError(size.span, "ValueError", f"Expected non-zero, positive output size. Got {size.text}")


def _check_batch(theta: Item, batch: Size, wanted: Size, ndim: int) -> list[str]:
    if isinstance(batch, str) or isinstance(wanted, str):
        return [equal(batch, wanted)]
    words = f"Expected size for first two dimensions of batch2 tensor to be: {bracketed((wanted, ndim + 1))} but got: "
    raise RaisedError(theta.span, "RuntimeError", f"{words}{bracketed((batch, ndim + 1))}.", 0)


OPERATIONS = {"affine_grid": Operation(affine_grid, None, _ADVICE)}
