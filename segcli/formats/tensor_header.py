"""What a file says of a tensor, without its values."""

from dataclasses import dataclass

# The parts of a layout that say that elements are not yet what they shall be.
LAZY = frozenset(["conj", "neg"])


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """A tensor in a file.

    Attributes:
        key: Its dotted path from the outermost object, such as ``state_dict.head.weight``; empty where it is that.
        shape: Its shape.
        dtype: Torch's name of its dtype.
        device: Where the file says that it was, such as ``cuda:0``.
        bytes: Elements times the size of one.
        storage: The record that holds its values; None where it has none of its own. Tensors with the same are aliases.
        offset: Its first element's place in the storage, in elements.
        stride: Elements between neighbours, an axis.
        layout: ``strided``, or what else it is; ``conj`` and ``neg`` where its elements are yet to be conjugated or
            negated.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    device: str
    bytes: int | None
    storage: str | None
    offset: int | None
    stride: tuple[int, ...] | None
    layout: str = "strided"

    def under(self, key: str) -> "TensorHeader":
        """Return the same under another key; a plain call, since ``replace`` takes thrice as long."""
        return TensorHeader(
            key,
            self.shape,
            self.dtype,
            self.device,
            self.bytes,
            self.storage,
            self.offset,
            self.stride,
            self.layout,
        )
