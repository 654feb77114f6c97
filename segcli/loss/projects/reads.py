"""The reads of the logits that the projects' losses are made of, each taken once and only if it is needed."""

from functools import cached_property
from typing import TYPE_CHECKING

from segcli.loss.projects.result import ProjectSettings
from segcli.nn.kernels.reading import Statistics, statistics

if TYPE_CHECKING:
    from torch import Tensor


class Reads:
    """Logits and labels with the sums over them, for one or more projects."""

    def __init__(self, logits: "Tensor", labels: "Tensor", settings: ProjectSettings) -> None:
        """Keep the tensors: (N, C, *S) and (N, *S) for multiclass, (N, *S) both for binary."""
        self.logits = logits
        self.labels = labels.long()
        self.settings = settings

    @property
    def multiclass(self) -> bool:
        """Whether there are classes, or foreground alone."""
        return self.settings.mode == "multiclass"

    @cached_property
    def found(self) -> Statistics:
        """Ours: a softmax, or for binary a sigmoid, of what is valid."""
        return self._read(self.labels, self.settings.ignore_index)

    @cached_property
    def sigmoids(self) -> Statistics:
        """A sigmoid for each class against the rest, of what is valid; for binary what `found` is."""
        if not self.multiclass:
            return self.found
        return statistics(
            self.logits,
            self._one_hot(valid_alone=True),
            mode="multilabel",
            ignore_index=255,
            gamma=self.settings.gamma,
            squares=True,
        )

    @cached_property
    def everywhere(self) -> Statistics:
        """As `found`, with ignored pixels as those of a class: the nearest to their label."""
        return self._read(self._clamped, None)

    @cached_property
    def sigmoids_everywhere(self) -> Statistics:
        """As `sigmoids`, with ignored pixels as those of no class, or the nearest to their label from above."""
        if not self.multiclass:
            return self.everywhere
        return statistics(
            self.logits, self._one_hot(valid_alone=False), mode="multilabel", ignore_index=None, squares=True
        )

    @cached_property
    def ignored(self) -> "Tensor":
        """Which pixels are ignored, of the labels' shape."""
        import torch

        if self.settings.ignore_index is None:
            return torch.zeros_like(self.labels, dtype=torch.bool)
        return self.labels == self.settings.ignore_index

    @cached_property
    def n_ignored(self) -> int:
        """How many are."""
        return int(self.ignored.sum())

    @property
    def n_pixels(self) -> int:
        """How many pixels there are, ignored ones too."""
        return self.labels.numel()

    @property
    def n_valid(self) -> int:
        """How many are valid."""
        return self.n_pixels - self.n_ignored

    @property
    def n_classes(self) -> int:
        """How many classes the logits have; 1 for binary."""
        return self.logits.shape[1] if self.multiclass else 1

    @cached_property
    def n_empty(self) -> int:
        """In how many images nothing is valid."""
        return int(self.ignored.flatten(1).all(1).sum())

    @property
    def n_images(self) -> int:
        """How many images there are."""
        return len(self.labels)

    @property
    def outside(self) -> bool:
        """Whether the label of ignored pixels is no class, and some are ignored."""
        index = self.settings.ignore_index
        return index is not None and self.n_ignored > 0 and not 0 <= index < max(self.n_classes, 2)

    @property
    def _clamped(self) -> "Tensor":
        return self.labels.clamp(0, max(self.n_classes, 2) - 1)

    def _read(self, labels: "Tensor", ignore_index: int | None) -> Statistics:
        settings = self.settings
        return statistics(
            self.logits,
            labels,
            mode=settings.mode,
            ignore_index=ignore_index,
            thresh=settings.thresh,
            gamma=settings.gamma,
            pixels=True,
            squares=True,
        )

    def _one_hot(self, *, valid_alone: bool) -> "Tensor":
        import torch

        one_hot = torch.zeros(self.logits.shape, dtype=torch.uint8, device=self.logits.device)
        one_hot.scatter_(1, self._clamped.unsqueeze(1), 1)
        beyond = (self.labels >= self.n_classes).unsqueeze(1)
        return one_hot.masked_fill_(self.ignored.unsqueeze(1), 255) if valid_alone else one_hot.masked_fill_(beyond, 0)
