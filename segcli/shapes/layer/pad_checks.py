"""What ``F.pad`` takes and refuses in PyTorch 2.13, and the shape that it gives."""

from segcli.shapes.layer.affine import add
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.records import record
from segcli.shapes.values import INTEGER, Item, RaisedError, Shape, Size, Tensor

_LIMITS = {
    "uint8": ("uint8_t", 0, 2**8 - 1),
    "int8": ("int8_t", -(2**7), 2**7 - 1),
    "int16": ("int16_t", -(2**15), 2**15 - 1),
    "int32": ("int", -(2**31), 2**31 - 1),
    "int64": ("int64_t", -(2**63), 2**63 - 1),
    "float16": ("c10::Half", -65504, 65504),
    "bfloat16": ("c10::BFloat16", -3.3895313892515355e38, 3.3895313892515355e38),
    "float32": ("float", -3.4028234663852886e38, 3.4028234663852886e38),
    "complex64": ("c10::complex<float>", -3.4028234663852886e38, 3.4028234663852886e38),
}
_MODES = ("constant", "reflect", "replicate", "circular")
_KERNELS = {"reflect": "reflection_pad", "replicate": "replication_pad"}
_LETTERS = "DHW"
_PICTURE = 2


@record(frozen=True, slots=True)
class Padding:
    """A call of ``F.pad``.

    Attributes:
        source: What is padded, as written.
        x: What is padded.
        item: The amounts as written.
        amounts: How much before and behind an axis, the last axis first.
        mode: ``constant``, ``reflect``, ``replicate`` or ``circular``.
        value: What a constant padding puts there; None for 0.
    """

    source: Item
    x: Tensor
    item: Item
    amounts: Shape
    mode: str
    value: Item

    @property
    def walked(self) -> tuple[int, ...]:
        """The axes that are padded, in order."""
        ndim = len(self.x.shape)
        return tuple(range(ndim - len(self.amounts) // 2, ndim))

    @property
    def least(self) -> int:
        """The least size that a padded axis may have."""
        return 1 if self.mode in _KERNELS else 0

    def pair(self, axis: int) -> tuple[Size, Size]:
        """Return how much is put before an axis, and how much behind it."""
        place = 2 * (len(self.x.shape) - 1 - axis)
        return self.amounts[place], self.amounts[place + 1]

    def padded(self, axis: int) -> Size:
        """Return an axis' size with its padding."""
        before, behind = self.pair(axis)
        return add((1, self.x.shape[axis]), (1, before), (1, behind)).size

    def error(self, words: str, axis: int | None = None, kind: str = "RuntimeError") -> RaisedError:
        """Return an error at the amounts."""
        return RaisedError(self.item.span, kind, words, axis)


def check_modes(mode: Item) -> str:
    """Return the mode.

    Raises:
        RaisedError: The NotImplementedError for one that there is not.
    """
    if mode.value not in _MODES:
        raise RaisedError(mode.span, "NotImplementedError", f"Unrecognised padding mode {mode.value}")
    return str(mode.value)


def check_padding(padding: Padding) -> Shape:
    """Return the shape that a padding gives.

    Raises:
        RaisedError: As PyTorch raises.
    """
    count, ndim = len(padding.amounts), len(padding.x.shape)
    if count % 2:
        raise padding.error(words="Padding length must be divisible by 2")
    if count > 2 * ndim:
        words = (
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{count} and input of dimension {ndim}"
        )
        raise padding.error(words)
    first = ndim - count // 2
    shape = (*padding.x.shape[:first], *(padding.padded(axis) for axis in range(first, ndim)))
    if padding.mode == "constant":
        _check_constant(padding)
        return shape
    if padding.value.value is not None and padding.value.value != 0:
        words = f'Padding mode "{padding.mode}" doesn\'t take in value argument'
        raise RaisedError(padding.value.span, "RuntimeError", words)
    axes = count // 2
    if axes not in (1, 2, 3) or ndim - axes not in (1, 2):
        words = f"Padding size {count} is not supported for {ndim}D input tensor."
        raise padding.error(words, kind="NotImplementedError")
    if padding.mode == "circular":
        _check_circular(padding, shape)
    else:
        _check_kernel(padding, shape)
    return shape


def _check_constant(padding: Padding) -> None:
    for axis in padding.walked:
        left = padding.x.shape[axis]
        for amount in padding.pair(axis):
            cut = isinstance(amount, int) and amount < 0
            left = add((1, left), (1, amount)).size if cut else left
            if isinstance(left, int) and left < 0:
                raise padding.error(words="narrow(): length must be non-negative.", axis=axis)
    fills = any(not isinstance(amount, int) or amount > 0 for amount in padding.amounts)
    value = padding.value.value
    if not fills or not isinstance(value, int | float) or padding.x.dtype not in _LIMITS:
        return
    name, least, most = _LIMITS[padding.x.dtype]
    number = float(value)
    endless = padding.x.dtype not in INTEGER and (number != number or abs(number) == float("inf"))  # noqa: PLR0124 - NaN
    if not endless and not least <= number <= most:
        words = f"value cannot be converted to type {name} without overflow"
        raise RaisedError(padding.value.span, "RuntimeError", words)


def _check_kernel(padding: Padding, shape: Shape) -> None:
    """Check what reflecting and replicating take."""
    x, first = padding.x.shape, padding.walked[0]
    axes = len(padding.walked)
    if 0 in x[len(x) - axes - 1 :]:
        words = (
            f"Expected {axes + 1}D or {axes + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {bracketed(x)}"
        )
        raise RaisedError(padding.source.span, "RuntimeError", words, x.index(0, len(x) - axes - 1))
    if padding.mode == "reflect":
        _check_reflections(padding)
    if all(_is_below(size, 1) for size in shape[first:]):
        after = " ".join(_lettered(shape[first:]))
        # As PyTorch sets its commas.
        before = " ".join(_lettered(x[first:])).replace(" W", ", W")
        before += " " * (axes == _PICTURE and padding.mode == "replicate")
        raise padding.error(words=f"input ({before}) is too small. Calculated output {after}", axis=first)
    # Of reflected pictures without a batch, PyTorch 2.13 does not look at sizes any more, and gives negative ones.
    looks = axes != _PICTURE or padding.mode == "replicate" or shape[0] != 0
    for axis in padding.walked:
        if looks and _is_below(shape[axis], 0):
            words = f"Trying to create tensor with negative dimension {shape[axis]}: {bracketed(shape)}"
            raise padding.error(words, axis)
    if padding.x.dtype == "bool":
        name = kernel_for(f"{_KERNELS[padding.mode]}{axes}d", padding.x)
        raise no_kernel(name, "bool", padding.source.span)


def _lettered(shape: Shape) -> list[str]:
    return [f"{letter}: {size}" for letter, size in zip(_LETTERS[-len(shape) :], shape, strict=True)]


def _check_reflections(padding: Padding) -> None:
    x = padding.x.shape
    for place, axis in enumerate(reversed(padding.walked)):
        before, behind = padding.pair(axis)
        if any(not _is_below(add((1, amount), (-1, x[axis])).size, 0, known=False) for amount in (before, behind)):
            words = (
                f"Argument #{4 + 2 * place}: Padding size should be less than the corresponding input dimension, but "
                f"got: padding ({before}, {behind}) at dimension {axis} of input {bracketed(x)}"
            )
            raise padding.error(words, axis)


def _check_circular(padding: Padding, shape: Shape) -> None:
    for axis in padding.walked:
        size = padding.x.shape[axis]
        if any(_is_below(add((1, size), (-1, amount)).size, 0) for amount in padding.pair(axis)):
            raise padding.error(words="Padding value causes wrapping around more than once.", axis=axis)
        if _is_below(shape[axis], 0):
            raise padding.error(words="Negative padding value is resulting in an empty dimension", axis=axis)
    for axis in padding.walked:
        size = padding.x.shape[axis]
        amounts = padding.pair(axis)
        if isinstance(size, int) and all(isinstance(each, int) for each in amounts) and _differ_in_sign(*amounts):
            _check_copies(padding, shape, axis, size)


def _differ_in_sign(before: Size, behind: Size) -> bool:
    return int(before) * int(behind) < 0


def _check_copies(padding: Padding, shape: Shape, axis: int, size: int) -> None:
    """Check an axis that is cut on one side and padded on the other, as PyTorch slices and copies it."""
    before, behind = (int(amount) for amount in padding.pair(axis))
    made = size + before + behind
    target = len(range(made)[max(before, 0) : made - max(behind, 0)])
    taken = len(range(size)[max(-before, 0) : size - max(-behind, 0)])
    if taken not in (1, target):
        words = (
            f"The size of tensor a ({target}) must match the size of tensor b ({taken}) at non-singleton dimension "
            f"{axis}"
        )
        raise padding.error(words, axis)
    wide, start = (before, made - before) if before > 0 else (behind, behind)
    if 2 * wide > made > wide and start != 0 and 0 not in shape and not set(shape[:axis]) - {1}:
        words = (
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory location. Please clone() the tensor before performing the operation."
        )
        raise padding.error(words, axis)


def _is_below(size: Size, least: int, *, known: bool = True) -> bool:
    """Tell whether a size is below a number; of one that is not known, what is asked for."""
    return size < least if isinstance(size, int) else not known
