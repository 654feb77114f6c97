"""Reads a sample, whole or in blocks, on the device."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import torch

from segcli.loss.measuring.batch import Batch, Needs, flat_pixels, read_batch
from segcli.loss.measuring.blocks import BLOCK_BYTES, blocks
from segcli.loss.measuring.levels import Scale, level_tally, levels_of, scale_for
from segcli.loss.measuring.whole import Whole
from segcli.loss.settings import KnownMode, LossSettings
from segcli.loss.sources.reading import logits_of
from segcli.loss.spreading.measured import add_into
from segcli.nn.kernels.reading import Statistics, whole_labels
from segcli.nn.losses.inputs import as_logits
from segcli.nn.losses.ohem_kept import rows_at

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.sources.sample import Sample

# Losses of pixels are kept in memory up to so many bytes; beyond, they go into the bins of a histogram.
PIXEL_BYTES = 2**30
_FLOAT_BYTES = 4


@dataclass(frozen=True, eq=False)
class Read:
    """What was read of a sample.

    Attributes:
        batch: Of all its images; without the losses of pixels where these are too many.
        levels: The tally of the losses of pixels by row and bin, where OHEM needs them and they are not in the batch.
    """

    batch: Batch
    levels: dict[str, "Tensor"]


def read_all(sample: "Sample", settings: LossSettings, needs: Needs, device: str) -> Read:
    """Read a sample, whole where it is small, else block by block.

    Raises:
        ValueError: For values that are none, and settings out of range.
    """
    if _bytes_of(sample) <= BLOCK_BYTES:
        return Read(read_batch(*loaded(sample, settings, device), sample.layout.mode, settings, needs), {})
    return _joined(sample, settings, needs, device)


def _bytes_of(sample: "Sample") -> int:
    """Return how many bytes the logits have in the layout's shape."""
    # What is resized becomes float32 at least.
    least = _FLOAT_BYTES if sample.resize_to else 1
    return math.prod(sample.layout.logits) * max(least, sample.logits.element_size())


def loaded(sample: "Sample", settings: LossSettings, device: str) -> tuple["Tensor", "Tensor"]:
    """Return logits and labels of the layout's shapes, on the device."""
    logits = logits_of(sample, 0, len(sample.logits))
    return _on_device(logits, sample.labels, settings, sample.layout.mode, device)


def _on_device(
    logits: "Tensor", labels: "Tensor", settings: LossSettings, mode: KnownMode, device: str
) -> tuple["Tensor", "Tensor"]:
    known = logits.to(device, non_blocking=True)
    return known if settings.from_logits else as_logits(known, mode), labels.to(device, non_blocking=True)


def _batches(sample: "Sample", settings: LossSettings, needs: Needs, device: str) -> Iterator[tuple[int, slice, Batch]]:
    mode = sample.layout.mode
    for image in range(len(sample.logits)):
        logits = logits_of(sample, image, image + 1)
        for rows, part, labels in blocks(logits, sample.labels[image : image + 1], mode, BLOCK_BYTES):
            yield image, rows, read_batch(*_on_device(part, labels, settings, mode, device), mode, settings, needs)


def _joined(sample: "Sample", settings: LossSettings, needs: Needs, device: str) -> Read:
    huge = needs.pixels and _FLOAT_BYTES * sample.labels.numel() > PIXEL_BYTES
    parts = _Parts(sample, keeps_pixels=needs.pixels and not huge, device=device)
    levels: dict[str, Tensor] = {}
    for image, rows, batch in _batches(sample, settings, needs, device):
        parts.add(image, rows, batch)
        if huge and needs.thresholds:
            add_into(levels, levels_of_pixels(batch.found))
    return Read(parts.batch(), levels)


class _Parts:
    """The blocks of a sample, put together as one batch."""

    def __init__(self, sample: "Sample", *, keeps_pixels: bool, device: str) -> None:
        self._axis = 2 if sample.layout.mode == "multilabel" else 1
        labels = whole_labels(sample.labels)
        self._labels = labels.to(device) if keeps_pixels else labels
        self._keeps_pixels = keeps_pixels
        self._found: Statistics | None = None
        self._sums: dict[tuple[str, float], Tensor] = {}
        self._pixels: Tensor | None = None
        self._confusion: Tensor | None = None

    def add(self, image: int, rows: slice, batch: Batch) -> None:
        """Add a block."""
        found = self._found = batch.found
        named = {("sums", 0.0): found.sums}
        named |= {("hard", thresh): part for thresh, part in batch.hard.items()}
        named |= {("focal", gamma): part for gamma, part in batch.focal.items()}
        for name, part in named.items():
            if name not in self._sums:
                self._sums[name] = part.new_zeros(len(self._labels), *part.shape[1:])
            self._sums[name][image] += part[0]
        if self._keeps_pixels and found.pixels is not None:
            if self._pixels is None:
                self._pixels = found.pixels.new_empty(self._labels.shape)
            place = self._pixels[image : image + 1].narrow(self._axis, rows.start, rows.stop - rows.start)
            place.copy_(found.pixels)
        if found.confusion is not None:
            self._confusion = found.confusion if self._confusion is None else self._confusion + found.confusion

    def batch(self) -> Batch:
        """Return what was added."""
        found = cast("Statistics", self._found)
        of = {kind: {x: part for (name, x), part in self._sums.items() if name == kind} for kind in ("hard", "focal")}
        joined = replace(
            found,
            labels=self._labels,
            sums=self._sums["sums", 0.0],
            pixels=self._pixels,
            confusion=self._confusion,
        )
        return Batch(joined, of["hard"], of["focal"])


def levels_of_pixels(found: Statistics, scale: Scale | None = None, name: str = "levels") -> dict[str, "Tensor"]:
    """Return the losses of the pixels by row and bin, as a tally."""
    n_rows = found.sums.shape[1]
    pixels = flat_pixels(found)
    places = (pixels >= 0).nonzero().flatten()
    rows = rows_at(found.labels, places, None if found.mode == "multiclass" else n_rows // 2)
    return level_tally(pixels[places], rows, n_rows, scale or scale_for(n_rows), name)


def levels_again(sample: "Sample", settings: LossSettings, device: str, scales: Sequence[Scale]) -> dict[str, "Tensor"]:
    """Read the losses of the pixels once more, into the bins of other scales; a tally by their number."""
    levels: dict[str, Tensor] = {}
    plain = Needs((), (), pixels=True, squares=False, confusion=False)
    with torch.inference_mode():
        for _, _, batch in _batches(sample, settings, plain, device):
            for i, scale in enumerate(scales):
                add_into(levels, levels_of_pixels(batch.found, scale, str(i)))
    return levels


def whole_of_file(sample: "Sample", settings: LossSettings, needs: Needs, device: str, read: Read) -> Whole:
    """Return a sample as one batch whose pixels are never in memory together."""

    def read_again(scales: Sequence[Scale]) -> list["Tensor"]:
        levels = levels_again(sample, settings, device, scales)
        return [levels_of(levels, n_rows, str(i)) for i in range(len(scales))]

    found = read.batch.found
    n_rows = found.sums.shape[1]
    return Whole(
        mode=sample.layout.mode,
        backend=found.backend,
        n_labels=sample.labels.numel(),
        needs=needs,
        sums=found.sums.sum(0),
        hard={thresh: part.sum(0) for thresh, part in read.batch.hard.items()},
        focal={gamma: part.sum(0) for gamma, part in read.batch.focal.items()},
        levels=levels_of(read.levels, n_rows) if read.levels else None,
        read_again=read_again,
    )
