"""What is kept of the files' own figures while they pass by: little, however many there are."""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from segcli.loss.comparing import Comparisons, add_comparisons
from segcli.loss.kinds import Kind, check_kind
from segcli.loss.result import ImageValue, Source
from segcli.loss.totals import Facts

# Notes are about the kind of data; so many different ones are shown.
_MOST_NOTES = 8
Line = Mapping[str, Any]


@dataclass
class Collector:
    """Takes the lines of files, in any order.

    Attributes:
        top: How many images are kept, those with the largest losses.
        ranked_by: The loss that tells which these are; the first of the first line by default.
        first: The line that all others must resemble.
        shapes: Of logits and labels, None where files differ.
        dtypes: Likewise.
        notes: How many files each remark is about, and the name of the first of them by the alphabet.
        comparisons: What other projects make of the files, by project and loss.
        n_images: How many images there were.
    """

    top: int = 10
    ranked_by: str = ""
    first: Line | None = None
    shapes: list[tuple[int, ...] | None] = field(default_factory=list)
    dtypes: list[str | None] = field(default_factory=list)
    notes: dict[str, tuple[int, str]] = field(default_factory=dict)
    comparisons: Comparisons = field(default_factory=dict)
    n_images: int = 0
    _worst: list[tuple[float, str, ImageValue]] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Take the line of one file.

        Raises:
            SegcliError: Where the file has other classes than those before.
        """
        if "mode" not in line:
            return
        shapes, dtypes = [tuple(shape) for shape in line["shapes"]], list(line["dtypes"])
        if self.first is None:
            self.first, self.shapes, self.dtypes = line, list(shapes), dtypes
            self.ranked_by = self.ranked_by or next(iter(line["losses"]), "")
        check_kind(_kind_of(line), _kind_of(self.first))
        self.shapes = [old if old == new else None for old, new in zip(self.shapes, shapes, strict=True)]
        self.dtypes = [old if old == new else None for old, new in zip(self.dtypes, dtypes, strict=True)]
        for note in line["notes"]:
            self._note(note, 1, line["name"])
        add_comparisons(self.comparisons, line.get("projects", ()))
        for image in images_of(line):
            self._keep(image)

    def _note(self, note: str, count: int, name: str) -> None:
        known, first = self.notes.get(note, (0, name))
        self.notes[note] = known + count, min(first, name)

    def _keep(self, image: ImageValue) -> None:
        self.n_images += 1
        if not self.top or not image.n_valid or self.ranked_by not in image.losses:
            return
        # Names break ties, so that what is kept depends on no order.
        entry = (_rank(image.losses[self.ranked_by]), image.name, image)
        if len(self._worst) < self.top:
            heapq.heappush(self._worst, entry)
        elif entry[:2] > self._worst[0][:2]:
            heapq.heapreplace(self._worst, entry)

    def merge(self, other: "Collector") -> None:
        """Take what another process collected.

        Raises:
            SegcliError: Where its files have other classes.
        """
        if other.first is None:
            return
        if self.first is None:
            self.first, self.shapes, self.dtypes = other.first, other.shapes, other.dtypes
            self.ranked_by = other.ranked_by
        check_kind(_kind_of(other.first), _kind_of(self.first))
        self.shapes = [old if old == new else None for old, new in zip(self.shapes, other.shapes, strict=True)]
        self.dtypes = [old if old == new else None for old, new in zip(self.dtypes, other.dtypes, strict=True)]
        for note, (count, name) in other.notes.items():
            self._note(note, count, name)
        for key, comparison in other.comparisons.items():
            if key in self.comparisons:
                self.comparisons[key].merge(comparison)
            else:
                self.comparisons[key] = comparison
        n_images = self.n_images + other.n_images
        for image in other.worst:
            self._keep(image)
        self.n_images = n_images

    @property
    def worst(self) -> tuple[ImageValue, ...]:
        """The images with the largest losses, the largest first."""
        return tuple(image for _, _, image in sorted(self._worst, key=lambda entry: (-entry[0], entry[1])))

    @property
    def facts(self) -> Facts:
        """What is the same of all files."""
        first = cast("Line", self.first)
        return Facts(first["mode"], first["backend"], first["n_classes"])

    def sources(self, logits: str, labels: str) -> tuple[Source, Source]:
        """Return what was read, under these names."""
        return Source(logits, self.shapes[0], self.dtypes[0]), Source(labels, self.shapes[1], self.dtypes[1])

    def remarks(self, n_files: int) -> list[str]:
        """Return the notes, with how many files each is about."""
        if n_files == 1:
            return list(self.notes)
        # In an order that does not depend on how many processes there were.
        shown = sorted(self.notes.items(), key=lambda entry: (-entry[1][0], entry[0]))[:_MOST_NOTES]
        return [f"{name}{_others(count - 1)}: {note}" for note, (count, name) in shown]


def _kind_of(line: Line) -> Kind:
    return Kind(line["logits"], line["mode"], line["n_classes"])


def _rank(loss: float | None) -> float:
    """Return where a loss stands among others: one that is no number is the worst."""
    return math.inf if loss is None else loss


def _others(count: int) -> str:
    return f" and {count} more" if count else ""


def images_of(line: Line) -> list[ImageValue]:
    """Return the images of a file, each with its losses."""
    drawn = line.get("heatmaps", ())
    if "images" not in line:
        losses = {name: loss["value"] for name, loss in line["losses"].items()}
        return [ImageValue(line["name"], line["n_valid"], losses, line.get("accuracy"), *drawn[:1])]
    images = []
    for i, image in enumerate(line["images"]):
        name, path = f"{line['name']}[{image['index']}]", drawn[i] if i < len(drawn) else ""
        images.append(ImageValue(name, image["n_valid"], image["losses"], image.get("accuracy"), path))
    return images
