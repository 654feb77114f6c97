"""Windows that walk an axis: what convolutions and poolings share."""

from segcli.shapes.integers import read_size, sizes_in
from segcli.shapes.layer.affine import Affine, add, floored, times
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.symbols import at_least, quotient
from segcli.shapes.values import Listed, Shape, Size


@record(frozen=True, slots=True)
class Window:
    """How a window walks one axis.

    Attributes:
        kernel: How many positions it reads.
        stride: How far it goes from one place to the next.
        padding: How many positions are put before the axis, and as many behind it.
        dilation: How far what it reads lies apart.
        surplus: How many more are put behind it than before it: ``padding='same'`` with an even kernel.
    """

    kernel: Size
    stride: Size = 1
    padding: Size = 0
    dilation: Size = 1
    surplus: Size = 0

    @property
    def reach(self) -> Size:
        """How many positions it spans."""
        return add((1, times(self.dilation, add((1, self.kernel), (-1, 1)).size)), (1, 1)).size

    def padded(self, size: Size) -> Size:
        """Return an axis' size with its padding."""
        return add((1, size), (2, self.padding), (1, self.surplus)).size

    def places(self, size: Size, *, ceil: bool = False) -> Size:
        """Return at how many places it stands, below 1 where it does not fit.

        Args:
            size: The axis' size.
            ceil: Whether the last may reach beyond the padding, where it starts before it.

        Examples:
            >>> Window(3, 2, 1).places(32), Window(3, 1, 1).places("H"), Window(3, 2, 1).places("H")
            (16, 'H', 'ceil(H / 2)')
            >>> Window(2, 2).places("H"), Window(2, 2).places("H", ceil=True), Window(11, 4, 2).places("H")
            ('H // 2', 'ceil(H / 2)', '(H - 3) // 4')
        """
        room = add((1, self.padded(size)), (-1, self.reach))
        if not isinstance(self.stride, int):
            if room.size == 0:
                return 1
            return f"{quotient(room.size, self.stride)} + 1"
        if not ceil:
            return _over(room, self.stride)
        count = add((1, _upwards(room.size, self.stride)), (1, 1)).size
        before = add((1, size), (1, self.padding)).size
        if _fits(add((1, self.padding), (1, self.stride), (-1, self.reach)).size):
            return count
        starts = _upwards(before, self.stride)
        return min(count, starts) if isinstance(count, int) and isinstance(starts, int) else f"min({count}, {starts})"

    def needs(self, size: Size, *, ceil: bool = False) -> list[str]:
        """Say how large an axis must be for the window to stand at any place, where that is not known."""
        beyond = add((1, self.stride), (-1, 1)).size if ceil else 0
        return need_at_least(add((1, self.padded(size)), (1, beyond)).size, self.reach)

    def spread(self, size: Size, more: Size) -> Size:
        """Return what size a transposed convolution gives: each position puts down a whole window.

        Examples:
            >>> Window(4, 2, 1).spread("H", 0), Window(3, 2, 1).spread(8, 1)
            ('2*H', 16)
        """
        steps = times(self.stride, add((1, size), (-1, 1)).size)
        return add((1, steps), (-2, self.padding), (1, self.reach), (1, more)).size


def _over(room: Affine, stride: int) -> Size:
    return floored(add((1, room.size), (1, stride)), stride).size


def _upwards(size: Size, stride: int) -> Size:
    """Divide and round up."""
    return floored(add((1, size), (1, stride - 1)), stride).size


def _fits(size: Size) -> bool:
    return isinstance(size, int) and size <= 0


def minus_windows(window: Window) -> str:
    """Write what a window takes off an axis, as PyTorch's documentation has it: ``1*(3 - 1)``."""
    return f"{window.dilation}*({window.kernel} - 1)"


def arithmetic(size: Size, window: Window, count: Size, *, ceil: bool = False) -> str:
    """Write how many places a window has, as PyTorch's documentation computes it.

    Examples:
        >>> arithmetic(32, Window(3, 2, 1), 16)
        '(32 + 2*1 - 1*(3 - 1) - 1) // 2 + 1 = 16'
    """
    pads = f"2*{window.padding}" if not window.surplus else str(add((2, window.padding), (1, window.surplus)).size)
    inner = f"{size} + {pads} - {minus_windows(window)} - 1"
    whole = f"ceil(({inner}) / {window.stride}) + 1" if ceil else f"({inner}) // {window.stride} + 1"
    if ceil and isinstance(count, int) and window.places(size, ceil=True) != _ceiled(size, window):
        return f"{whole} = {_ceiled(size, window)}, less one that starts in the padding: {count}"
    return f"{whole} = {count}"


def _ceiled(size: Size, window: Window) -> Size:
    room = add((1, window.padded(size)), (-1, window.reach)).size
    stride = window.stride if isinstance(window.stride, int) else 1
    return add((1, _upwards(room, stride)), (1, 1)).size


def spread_arithmetic(size: Size, window: Window, more: Size, result: Size) -> str:
    """Write what size a transposed convolution gives, as PyTorch's documentation computes it.

    Examples:
        >>> spread_arithmetic(8, Window(3, 2, 1), 1, 16)
        '(8 - 1)*2 - 2*1 + 1*(3 - 1) + 1 + 1 = 16'
    """
    return f"({size} - 1)*{window.stride} - 2*{window.padding} + {minus_windows(window)} + {more} + 1 = {result}"


def need_at_least(size: Size, count: Size) -> list[str]:
    """Say that a size must be ``count`` or more, where that is not known and not clear.

    Examples:
        >>> need_at_least("H", 3), need_at_least("H + 2", 3), need_at_least(5, 3), need_at_least("2*H - 2", 1)
        (['H >= 3'], [], [], ['H >= 2'])
        >>> need_at_least("H", "k")
        ['H >= k']
    """
    left = add((1, size), (-1, count))
    if len(left.terms) == 1 and left.terms[0][1] > 0:
        name, factor = left.terms[0]
        least = -(left.number // factor)
        return [at_least(name, least)] if least > 1 or " // " in name else []
    if not left.terms:
        return []
    if len(left.terms) == 1 and left.terms[0][1] == -1:
        return [f"{left.terms[0][0]} <= {left.number}"]
    more = [(factor, name) for name, factor in left.terms if factor > 0]
    less = [(-factor, name) for name, factor in left.terms if factor < 0]
    return [f"{add(*more, (1, max(left.number, 0))).size} >= {add(*less, (1, max(-left.number, 0))).size}"]


def read_sizes(function: str, name: str, given: Given, number: int) -> tuple[Size, ...]:
    """Return the ints of an argument that takes an int or a list of them; an int is ``number`` equal ones.

    Raises:
        RaisedError: The TypeError of PyTorch's parser for what is no int.
        SegcliError: For the value of a tensor, where it is not known.
    """
    if not isinstance(given.value, Listed):
        return (read_size(given.item),) * number
    return tuple(sizes_in(function, name, given))


def bracketed(shape: Shape) -> str:
    """Write a shape as PyTorch's messages do.

    Examples:
        >>> bracketed((4, 3))
        '[4, 3]'
    """
    return f"[{', '.join(map(str, shape))}]"
