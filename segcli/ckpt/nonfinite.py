"""Which tensors of a checkpoint have elements that are NaN or infinite."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from segcli.ckpt.tensors import holdings
from segcli.ckpt.views import view_of
from segcli.elements.counting import count_nonfinite
from segcli.formats.checkpoint import Checkpoint

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Nonfinite:
    """A tensor that has elements which are no finite numbers.

    Attributes:
        key: Its key.
        elements: How many elements it has.
        nan: How many are NaN.
        infinite: How many are infinite.
        same_as: The key under which the same elements were counted before; None for the first.
    """

    key: str
    elements: int
    nan: int
    infinite: int
    same_as: str | None = None


def find_nonfinite(checkpoint: Checkpoint, advance: Advance) -> Iterator[Nonfinite]:
    """Yield every tensor that has NaN or infinite elements; aliases are read once.

    Args:
        checkpoint: The open checkpoint.
        advance: Told of bytes as they are done with.

    Raises:
        SegcliError: For tensors that reach beyond their storage.

    Examples:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> from segcli.formats.checkpoint import open_checkpoint
        >>> path = Path(tempfile.mkdtemp()) / "model.pth"
        >>> torch.save({"good": torch.ones(3), "bad": torch.tensor([1.0, float("nan")])}, path)
        >>> with open_checkpoint(path) as checkpoint:
        ...     [(found.key, found.nan) for found in find_nonfinite(checkpoint, lambda _: None)]
        [('bad', 1)]
    """
    done: dict[tuple[object, ...], tuple[str, int, int]] = {}
    for key, tensor in holdings(checkpoint).tensors.items():
        for part in tensor.parts:
            view = view_of(checkpoint, key, part)
            place = part.storage, part.dtype, part.offset, part.shape, part.stride
            same_as = done[place][0] if place in done else None
            if place not in done:
                done[place] = (key, *count_nonfinite(view, advance))
            _, nan, infinite = done[place]
            if nan or infinite:
                yield Nonfinite(key, view.count, nan, infinite, same_as)
