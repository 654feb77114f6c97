"""Sizes times scale factors, as PyTorch computes them: in double precision, what is behind the point cut off."""

from fractions import Fraction

from segcli.shapes.layer.affine import add, floored
from segcli.shapes.symbols import product
from segcli.shapes.values import Item, RaisedError, Size, Symbol

# Of a size that is not known, the product with a factor of fewer binary digits is exact for every size there is.
_MAX_PART = 2**20


def scaled(size: Size, scale: float | Symbol) -> Size | float:
    """Multiply a size and a scale factor: a float where both are known, else a size.

    Examples:
        >>> scaled(33, 0.5), scaled("H", 2), scaled("H", 0.5), scaled("H", 1.5), scaled("H", 0.3)
        (16.5, '2*H', 'H // 2', '(3*H) // 2', 'floor(H * 0.3)')
    """
    if isinstance(scale, Symbol):
        return product([size, scale.size])
    if isinstance(size, int):
        return float(size) * float(scale)
    if scale < 0:
        return f"-{_grouped(str(scaled(size, -scale)))}"
    ratio = Fraction(scale) if scale < _MAX_PART else Fraction(1, _MAX_PART)
    if ratio.denominator < _MAX_PART and scale < _MAX_PART:
        return floored(add((ratio.numerator, size)), ratio.denominator).size
    return f"floor({size} * {scale})"


def _grouped(size: str) -> str:
    return size if size.isidentifier() else f"({size})"


def truncated(value: float, at: Item) -> int:
    """Cut off what is behind the point, as Python does.

    Raises:
        RaisedError: For what is no number.
    """
    try:
        return int(value)
    except (OverflowError, ValueError) as error:
        raise RaisedError(at.span, type(error).__name__, str(error)) from error


def halved(scale: float | Symbol) -> int | None:
    """Return how often a factor below 1 goes into 1, None where it does not go evenly.

    Examples:
        >>> halved(0.5), halved(0.3), halved(2)
        (2, None, None)
    """
    if isinstance(scale, Symbol) or not 0 < scale < 1:
        return None
    ratio = Fraction(scale)
    return ratio.denominator if ratio.numerator == 1 else None
