"""What is written by a conversion, and from what."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segcli.formats.checkpoint import Checkpoint
from segcli.formats.copying import Advance
from segcli.formats.payload import Hollow, Payload, Stretch
from segcli.formats.stored_storage import StoredStorage

if TYPE_CHECKING:
    from segcli.ckpt.casting import Casting, Overflow


@dataclass(frozen=True)
class Request:
    """What shall be written.

    Attributes:
        checkpoint: The open source.
        new_tag: The device tag that each tag becomes.
        file: The descriptor of an empty file; where values are hollow, of one that takes anything.
        advance: Told of bytes as they are written.
        casting: The storages in another dtype; None where all stay as they are.
        hollow: Whether values are left out, to learn how large the file would be.
        allow_overflow: Whether numbers may become infinite in another dtype.
        overflows: Which did, where they were cast one tensor at a time.
    """

    checkpoint: Checkpoint
    new_tag: Callable[[str], str]
    file: int
    advance: Advance
    casting: "Casting | None" = None
    hollow: bool = False
    allow_overflow: bool = False
    overflows: "list[Overflow]" = field(default_factory=list)

    def stored(self, key: str) -> StoredStorage:
        """Return a storage as it shall be written."""
        return (self.casting.storages if self.casting else self.checkpoint.storages)[key]

    def is_cast(self, key: str) -> bool:
        """Say whether a storage's bytes are computed."""
        return self.casting is not None and not isinstance(self.casting.payloads[key], Stretch)

    def payload(self, key: str) -> Payload:
        """Return the bytes of a storage's elements as they are, of which its record may have more."""
        return self.data(self.checkpoint.storages[key].elements)

    def cast_payload(self, key: str) -> Payload:
        """Return the bytes of a storage's elements in another dtype."""
        return self.casting.payloads[key] if self.casting else self.payload(key)

    def data(self, payload: Payload) -> Payload:
        """Return what is written for a payload."""
        return Hollow(payload.size) if self.hollow else payload

    def tried(self, payload: Payload) -> Payload:
        """Return what is written for values in another dtype; where they are left out, they are computed all the same.

        Raises:
            SegcliError: For what writing them would be refused for.
        """
        if self.hollow:
            for _ in payload.pieces():
                pass
        return self.data(payload)
