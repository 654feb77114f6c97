"""A pair of files, by name, and what was read of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.loss.result import Source
from segcli.loss.sources.layout import Layout
from segcli.loss.sources.resizing import ResizeMode

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """Logits and labels that belong together.

    Attributes:
        name: What tells it from the others: the stem both share, or a manifest's name.
        logits: A reference of `segcli.tensorio.load_tensor`: a file, or ``file:key``.
        labels: Another.
        image: The picture that the network saw; empty where none is known.
    """

    name: str
    logits: str
    labels: str
    image: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """A pair as it is measured; memory-mapped where the file lets it.

    Attributes:
        pair: Where it is from.
        logits: (N, C, *S), or (N, *S) for binary; of another size than the layout's where ``resize_to`` is given: take
            them by `segcli.loss.sources.reading.logits_of`, an image at a time.
        labels: (N, *S), or the logits' shape for multilabel; uint8, int32 or int64, but for binary and multilabel what
            was saved as floats.
        layout: How the two belong together, once resized.
        sources: The tensors as they were saved, logits first.
        n_bytes: How many bytes of both were to be read; those of a PNG unpacked.
        resize_to: The size that logits are resized to as they are measured; empty where they have the right one.
        resize_mode: How.
    """

    pair: Pair
    logits: "Tensor"
    labels: "Tensor"
    layout: Layout
    sources: tuple[Source, Source]
    n_bytes: int
    resize_to: tuple[int, ...] = ()
    resize_mode: ResizeMode = "bilinear"
