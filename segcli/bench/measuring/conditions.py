"""Under what conditions a call is timed: in which caches its data lie, and by whose clock."""

from dataclasses import dataclass
from enum import Enum


class Caches(Enum):
    """Where a call finds its data."""

    HOT = "hot"
    """Where its last call has left them: as in a loop over the same tensors."""
    COLD = "cold"
    """In memory: the caches were filled with something else, as between the layers of a large network."""


class Span(Enum):
    """What a time spans."""

    HOST = "host"
    """From the call on the host until the device is done, what it takes to launch kernels included."""
    DEVICE = "device"
    """From the first kernel's start on the device to the last one's end; on a GPU alone."""


@dataclass(frozen=True)
class Condition:
    """One way to time a call."""

    caches: Caches = Caches.HOT
    span: Span = Span.HOST
