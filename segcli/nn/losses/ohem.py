"""Online hard example mining: cross-entropy over the hard pixels, and over the hardest where few are hard."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.kernels.selection import (
    Branch,
    Choice,
    NMin,
    check_n_min,
    check_thresh,
    loss_bound,
    shares,
)
from segcli.nn.losses.inputs import Weights, checked_weights, read
from segcli.nn.losses.means import label_weights
from segcli.nn.losses.ohem_kept import Kept, kept_of
from segcli.nn.losses.ohem_semantics import BY_WEIGHTS, Semantics, check_semantics
from segcli.nn.losses.sums import ratio

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


@dataclass(frozen=True, eq=False)
class OhemSelection:
    """What OHEM chose, and the loss over it; over all ranks where there are several, but for ``share``.

    Attributes:
        loss: The loss, a scalar with its graph.
        n_valid: Pixels that are not ignored.
        n_hard: Those whose loss is above ``-log(thresh)``.
        n_min: How many are kept at least, as a count; never more than ``n_valid`` under ``exact``.
        n_kept: How many were kept: the larger of ``n_min`` and ``n_hard`` under ``exact``.
        threshold: The ``thresh`` that was effective, a probability of the true class: ``thresh`` itself on the
            branch ``hard``, that of the easiest kept pixel on ``top-k`` and ``all``.
        loss_threshold: The same as a loss, ``-log(threshold)``.
        branch: ``hard``: every hard pixel, as there are ``n_min`` or more. ``top-k``: the ``n_min`` hardest, as fewer
            are hard. ``all``: the ``n_min`` hardest are all that is valid. ``none``: nothing is valid, or
            nothing is hard and ``n_min`` is 0; the loss is 0.
        share: Which part of each pixel was kept, of the labels' shape: 1, 0, or between for pixels that tie for the
            last places.
    """

    loss: Tensor
    n_valid: int
    n_hard: int
    n_min: int
    n_kept: int
    threshold: float
    loss_threshold: float
    branch: Branch
    share: Tensor


@dataclass(frozen=True, eq=False)
class OhemParts:
    """What `ohem_of` returns, with sums by label: (C,) for multiclass, else (C, 2), of labels 0 and 1.

    Attributes:
        loss: The loss, () with its graph, in the accumulator's dtype.
        losses: The sums of the losses kept, with a graph; over all ranks.
        kept: How many are kept, with fractions of those that tie; over all ranks.
        of: What was kept, as the operator says it.
    """

    loss: Tensor
    losses: Tensor
    kept: Tensor
    of: Kept

    @property
    def choice(self) -> Choice:
        """The counts and the level, as numbers; this waits for the device."""
        return self.of.choice


def ohem_cross_entropy_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    thresh: float = 0.7,
    n_min: NMin = None,
    weight: Weights = None,
    semantics: Semantics = "exact",
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean cross-entropy over the hard pixels, or over the ``n_min`` hardest where fewer are hard.

    The same as `ohem_selection(...).loss`, where the rule is described.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        thresh: A pixel is hard where its label has a probability below this; 0 leaves ``n_min`` alone to choose.
        n_min: The least number of pixels to keep: a count (int), or a share of the valid pixels (float or Fraction of
            at most 1, rounded down); None for 1/16. Mind 1, a pixel, and 1.0, all of them.
        weight: One a class; for binary two, of label 0 and of label 1. Pixels are chosen by their plain loss, so that
            ``thresh`` stays a probability; the mean over the kept ones is weighted as cross-entropy's.
        semantics: ``exact`` for the rule above; else the project whose results are wanted, with its defects:
            ``notes``, ``bisenet``, ``mmseg``, ``hrnet``, ``paddle`` or ``torchseg``, each described in
            `segcli.nn.losses.ohem_semantics`. What a count means differs: for ``mmseg`` it is multiplied by the batch
            size, for ``paddle`` and ``torchseg`` 0 switches mining off. A share is one of the valid pixels for all.
        mode: ``multiclass``, or ``multilabel`` and ``binary``, whose elements are chosen from by their binary
            cross-entropy.
        ignore_index: The label of pixels that do not count; None where all do.
        from_logits: Whether logits are given, or the probabilities themselves.
        process_group: Whose ranks' pixels are chosen from as one batch, exactly; see
            `segcli.nn.kernels.processes.total_over`. Goes with ``exact`` alone.
        backend: As in `segcli.nn.kernels.statistics`.
        validate: Refuse what is not finite, and labels that are none.

    Shape:
        logits (N, C, *S) with C of 2 or more and labels (N, *S) for multiclass, labels like logits (N, C, *S) for
        multilabel and (N, *S) for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.
        IndexError: Under semantics other than ``exact``, where the project's own code raises it.

    Source:
        CoinCheung/BiSeNet, ``loss.py``, where that is defined and keeps no ignored pixel.

    Examples:
        >>> import torch
        >>> p = torch.tensor([[0.2, 0.6, 0.9, 0.95]])  # of label 0
        >>> logits = torch.stack([p.log(), (1 - p).log()], dim=1)
        >>> ohem_cross_entropy_loss(logits, torch.zeros(1, 4, dtype=torch.int64), thresh=0.7)
        tensor(1.0601)
    """
    check_n_min(n_min)
    check_semantics(semantics, weighted=weight is not None, grouped=process_group is not None)
    found = read(
        logits,
        labels,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        backend=backend,
        validate=validate,
        thresh=thresh,
        pixels=True,
    )
    parts = ohem_of(found, n_min=n_min, weight=weight, semantics=semantics, process_group=process_group)
    return parts.loss.to(compute_dtype(logits.dtype))


def ohem_of(
    found: Statistics,
    *,
    n_min: NMin = None,
    weight: Weights = None,
    semantics: Semantics = "exact",
    process_group: "ProcessGroup | None" = None,
) -> OhemParts:
    """Do what `ohem_cross_entropy_loss` does, of a read with ``pixels=True`` that several losses share.

    ``thresh`` is that of the read.

    Raises:
        ValueError: For settings out of range, and where the losses of pixels were not read.
        IndexError: Under semantics other than ``exact``, where the project's own code raises it.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 3, 4), torch.tensor([[0, 0, 1, 255]]), pixels=True)
        >>> ohem_of(found).kept
        tensor([2., 1., 0.], dtype=torch.float64)
    """
    check_n_min(n_min)
    check_semantics(semantics, weighted=weight is not None, grouped=process_group is not None)
    of = kept_of(found, n_min, semantics, process_group)
    losses, kept = (part if found.mode == "multiclass" else part.view(-1, 2) for part in of.sums.unbind(1))
    weights = label_weights(weight, found.cross_entropy, found.mode)
    above, below = (part.sum() if weights is None else (weights * part).sum() for part in (losses, kept.detach()))
    if semantics not in BY_WEIGHTS:
        below = of.divisor.to(below)
    loss = ratio(above, below)
    if semantics != "exact":
        # The mean of nothing, as torch has it; the gradient stays 0.
        loss = loss.masked_fill(below == 0, math.nan)
    return OhemParts(loss, losses, kept.detach(), of)


def ohem_selection(  # noqa: PLR0913 - as above
    logits: Tensor,
    labels: Tensor,
    *,
    thresh: float = 0.7,
    n_min: NMin = None,
    weight: Weights = None,
    semantics: Semantics = "exact",
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> OhemSelection:
    """Choose the hard pixels and return the loss over them with what was chosen.

    With T = -log(thresh), over the valid pixels alone, m = max(min(n_min, n_valid), #{loss > T}); the loss is the sum
    of the m largest pixel losses over m. Nothing is sorted: hard pixels are counted, and only where they are fewer
    than ``n_min`` are the hardest looked for, by histograms of the bits of their losses. Pixels that tie for the last
    places share them, so value and gradient depend on no order. Where m is 0 the loss is 0, with a graph.

    On CUDA the device is waited for once to learn the counts, three times more on the branches ``top-k`` and ``all``,
    and once under ``validate``.

    The arguments are those of `ohem_cross_entropy_loss`.

    Shape:
        logits (N, C, *S) with C of 2 or more and labels (N, *S) for multiclass, labels like logits (N, C, *S) for
        multilabel and (N, *S) for binary.

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.
        IndexError: Under semantics other than ``exact``, where the project's own code raises it.

    Source:
        CoinCheung/BiSeNet, ``loss.py``; Shrivastava et al. 2016, Training Region-based Object Detectors with OHEM.

    Examples:
        >>> import torch
        >>> selection = ohem_selection(torch.zeros(1, 2, 4), torch.tensor([[0, 1, 1, 255]]), thresh=0.7)
        >>> selection.n_valid, selection.n_hard, selection.n_kept, selection.branch
        (3, 3, 3, 'hard')
    """
    module = OhemCrossEntropyLoss(
        thresh,
        n_min,
        ignore_index,
        weight=weight,
        semantics=semantics,
        mode=mode,
        from_logits=from_logits,
        process_group=process_group,
        backend=backend,
        validate=validate,
    )
    return module.select(logits, labels)


def effective_thresholds(thresh: float, choice: Choice) -> tuple[float, float]:
    """Return the probability and the loss that told kept pixels from others: those asked for, or the easiest kept's.

    Examples:
        >>> effective_thresholds(0.5, Choice(9, 1, 4, 4, level=0.0, part=1.0, branch="top-k"))
        (1.0, 0.0)
    """
    if choice.branch in ("hard", "none"):
        return thresh, loss_bound(thresh)
    return math.exp(-choice.level), choice.level


def _selection(loss: Tensor, thresh: float, choice: Choice, share: Tensor) -> OhemSelection:
    threshold, loss_threshold = effective_thresholds(thresh, choice)
    return OhemSelection(
        loss=loss,
        n_valid=choice.n_valid,
        n_hard=choice.n_hard,
        n_min=choice.n_min,
        n_kept=choice.n_kept,
        threshold=threshold,
        loss_threshold=loss_threshold,
        branch=choice.branch,
        share=share,
    )


class OhemCrossEntropyLoss(nn.Module):
    """`ohem_cross_entropy_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> OhemCrossEntropyLoss(thresh=0.7, n_min=2)(torch.zeros(3, 2), torch.tensor([0, 1, 255]))
        tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(  # noqa: PLR0913 - as the function
        self,
        thresh: float = 0.7,
        n_min: NMin = None,
        ignore_index: int | None = 255,
        *,
        weight: Weights = None,
        semantics: Semantics = "exact",
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `ohem_cross_entropy_loss`."""
        super().__init__()
        check_thresh(thresh)
        check_n_min(n_min)
        check_semantics(semantics, weighted=weight is not None, grouped=process_group is not None)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.thresh = thresh
        self.n_min = n_min
        self.semantics: Semantics = semantics
        self.ignore_index = ignore_index
        self.mode: Mode = mode
        self.from_logits = from_logits
        self.process_group = process_group
        self.backend: Backend = backend
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.of(self._read(logits, labels)).loss.to(compute_dtype(logits.dtype))

    def of(self, found: Statistics) -> OhemParts:
        """Return the loss of a read, with this ``thresh`` and ``pixels=True``, that several losses share."""
        return ohem_of(
            found, n_min=self.n_min, weight=self.weight, semantics=self.semantics, process_group=self.process_group
        )

    def select(self, logits: Tensor, labels: Tensor) -> OhemSelection:
        """Return the loss of a batch with what was chosen."""
        found = self._read(logits, labels)
        parts = self.of(found)
        choice, share = parts.choice, parts.of.share
        if found.pixels is not None and self.semantics == "exact":
            share = shares(found.pixels.detach(), choice.level, choice.part)
        return _selection(parts.loss.to(compute_dtype(logits.dtype)), self.thresh, choice, share.view(labels.shape))

    def _read(self, logits: Tensor, labels: Tensor) -> Statistics:
        return read(
            logits,
            labels,
            mode=self.mode,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            backend=self.backend,
            validate=self.validate,
            thresh=self.thresh,
            pixels=True,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"thresh={self.thresh}, n_min={self.n_min}, semantics={self.semantics!r}, mode={self.mode!r}, "
            f"ignore_index={self.ignore_index}"
        )
