"""What PyTorch 2.13 refuses of a pooling by a window, in its order (``aten/src/ATen/native/Pool.h``)."""

from segcli.shapes.calls import Call
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import Window, bracketed
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.values import Item, RaisedError, Shape, Size, Tensor


@record(frozen=True, slots=True)
class Pool:
    """A pooling.

    Attributes:
        call: The call.
        name: ``max_pool2d`` or ``avg_pool2d``.
        input: What it reads.
        windows: How its window walks height and width.
        ceil: Whether the last window may reach beyond the padding.
        given: The arguments, for the places to point to.
        kernel: What the trace shows for each axis.
        include: Whether an average counts the padding.
        divisor: What an average divides by, 0 for the positions that it counts.
    """

    call: Call
    name: str
    input: Item
    windows: tuple[Window, Window]
    ceil: bool
    given: dict[str, Given]
    kernel: tuple[Item, ...]
    include: bool = True
    divisor: Size = 0

    @property
    def source(self) -> Tensor:
        """What it reads."""
        return as_tensor(self.input)

    def fail(self, *, at: str, words: str, axis: int | None = None) -> RaisedError:
        """Return a RuntimeError at an argument."""
        span = self.given[at].item.span if at in self.given else self.call.span
        return RaisedError(span, "RuntimeError", words, axis)


def check_window(pool: Pool, window: Window) -> None:
    """Refuse a window by itself.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    kernel, padding, dilation = window.kernel, window.padding, window.dilation
    if window.stride == 0:
        raise pool.fail(at="stride" if "stride" in pool.given else "kernel_size", words="stride should not be zero")
    if isinstance(padding, int) and padding < 0:
        raise pool.fail(at="padding", words=f"pad must be non-negative, but got pad: {padding}")
    if not (isinstance(kernel, int) and isinstance(padding, int) and isinstance(dilation, int)):
        return
    # C++ rounds towards zero.
    reach = (kernel - 1) * dilation + 1
    half = abs(reach) // 2 * (1 if reach >= 0 else -1)
    if padding > half:
        words = (
            f"pad should be at most half of effective kernel size, but got pad={padding}, kernel_size={kernel} and "
            f"dilation={dilation}"
        )
        raise pool.fail(at="padding" if "padding" in pool.given else "kernel_size", words=words)


def check_shape(pool: Pool, spatial: Shape) -> None:
    """Refuse windows that do not fit the input.

    Args:
        pool: The pooling.
        spatial: The last two sizes of the result.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    shape, (first, second) = pool.source.shape, pool.windows
    for what, at, one, other, name in (
        ("kernel size", "kernel_size", first.kernel, second.kernel, "k"),
        ("stride", "stride", first.stride, second.stride, "d"),
        ("dilation", "dilation", first.dilation, second.dilation, "dilation"),
    ):
        if any(isinstance(size, int) and size < 1 for size in (one, other)):
            words = f"{what} should be greater than zero, but got {name}H: {one} {name}W: {other}"
            raise pool.fail(at=at if at in pool.given else "kernel_size", words=words)
    if 0 in shape[-3:] or len(shape) > 4:  # noqa: PLR2004 - a batch of images
        words = (
            "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{bracketed(shape)}"
        )
        axis = next((axis for axis in range(-3, 0) if shape[axis] == 0), None)
        raise pool.fail(at="input", words=words, axis=None if axis is None else axis + len(shape))
    _check_half(pool)
    small = [place for place, size in enumerate(spatial) if isinstance(size, int) and size < 1]
    if small:
        given, found = (f"({shape[-3]}x{'x'.join(map(str, sizes))})" for sizes in (shape[-2:], spatial))
        words = f"Given input size: {given}. Calculated output size: {found}. Output size is too small"
        raise pool.fail(at="input", words=words, axis=len(shape) - 2 + small[0])


def _check_half(pool: Pool) -> None:
    """Refuse more padding than half a kernel, its dilation not counted: a second check, narrower than the first."""
    first, second = pool.windows
    if any(
        isinstance(window.padding, int) and isinstance(window.kernel, int) and window.padding > window.kernel // 2
        for window in pool.windows
    ):
        words = (
            "pad should be smaller than or equal to half of kernel size, but got "
            f"padW = {second.padding}, padH = {first.padding}, kW = {second.kernel}, kH = {first.kernel}"
        )
        raise pool.fail(at="padding", words=words)
