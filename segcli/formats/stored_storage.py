"""A storage that a checkpoint holds: what is said of it, and where its bytes are."""

from dataclasses import dataclass

from segcli.formats.payload import Stretch


@dataclass(frozen=True, slots=True)
class StoredStorage:
    """A storage that a checkpoint names.

    Attributes:
        key: Its name in the checkpoint.
        dtype: Torch's name of its elements' dtype; ``uint8`` where only bytes are counted.
        location: The device tag.
        bytes: What its elements take.
        data: Where they are; at least ``bytes`` long.
    """

    key: str
    dtype: str
    location: str
    bytes: int
    data: Stretch

    @property
    def elements(self) -> Stretch:
        """The bytes of its elements, of which its record may have more."""
        data = self.data
        return data if data.size == self.bytes else Stretch(data.source, data.start, self.bytes)
