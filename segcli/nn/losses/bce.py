"""Binary cross-entropy, for labels that do not exclude one another; of logits, and of probabilities."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode, check_inputs, refuse_unsound
from segcli.nn.kernels.precision import accumulator, compute_dtype
from segcli.nn.kernels.problem import COUNT, CROSS_ENTROPY, N_COLUMNS
from segcli.nn.kernels.reading import Statistics, rows_of_pixels
from segcli.nn.losses.inputs import Weights, as_logits, checked_weights, class_weights, read
from segcli.nn.losses.means import Mean, check_mean, weighted_mean

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def bce_with_logits_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    weight: Weights = None,
    pos_weight: float | Weights = None,
    mean: Mean = "weights",
    mode: Mode = "multilabel",
    ignore_index: int | None = 255,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean binary cross-entropy over the valid elements, weighted by class where asked.

    An element costs ``-(pos_weight y log p + (1 - y) log(1 - p))`` with p the sigmoid; the mean is
    ``sum(weight * cost) / sum(weight)``, and 0 with a graph when nothing is valid or all weights of what is valid
    are 0. ``pos_weight`` does not enter below.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: 0 and 1 in a whole-number dtype or bool: these are read by the kernel. Floats may lie between (soft
            labels), and take torch's own operations, at several times the cost.
        weight: One a class, along axis 1; one for binary.
        pos_weight: What label 1 counts against label 0: a number, or one a class along axis 1.
        mean: What the weighted sum is divided by. ``weights``: the weights of what is valid. ``valid``: how many are
            valid. ``all``: how many there are, so that what is ignored makes the loss smaller.
        mode: ``multilabel``, or ``binary`` where there is no class axis.
        ignore_index: The label of elements that do not count; None where all do.
        process_group: Whose ranks' elements are one batch; see `segcli.nn.kernels.processes.total_over`.
        backend: As in `segcli.nn.kernels.statistics`; for labels that are no floats.
        validate: Refuse NaN, infinities and labels out of range; on CUDA this waits for the device. Soft labels are not
            looked at inside a graph of torch.compile.

    Shape:
        logits and labels (N, C, *S) for multilabel, (N, *S) for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        ``torch.nn.functional.binary_cross_entropy_with_logits``, which is ``mean="valid"``: it divides by the count.

    Examples:
        >>> bce_with_logits_loss(torch.zeros(1, 3), torch.tensor([[0, 1, 255]]))
        tensor(0.6931)
    """
    check_mean(mean)
    check_mode(mode)
    reading = _read_soft if labels.is_floating_point() else read
    found = reading(logits, labels, mode=mode, ignore_index=ignore_index, backend=backend, validate=validate)
    loss = bce_of(found, weight=weight, pos_weight=pos_weight, mean=mean, process_group=process_group)
    return loss.to(compute_dtype(logits.dtype))


def bce_loss(  # noqa: PLR0913 - as above
    probabilities: Tensor,
    labels: Tensor,
    *,
    weight: Weights = None,
    pos_weight: float | Weights = None,
    mean: Mean = "weights",
    mode: Mode = "multilabel",
    ignore_index: int | None = 255,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Do what `bce_with_logits_loss` does, of probabilities.

    As in ``torch.nn.BCELoss`` a logarithm is -100 at least, so that a sure mistake costs 100. The gradient of a
    probability of exactly 0 or 1 is at most 1 for each element, where torch's is 1e12: the sigmoid that gave it has no
    slope to pass it on. Prefer logits where there are any: in float32 a probability within 3e-8 of 1 is 1 already.

    Args:
        probabilities: From 0 to 1; half types are computed, and answered, in float32.
        labels: As there.
        weight: As there.
        pos_weight: As there.
        mean: As there.
        mode: As there.
        ignore_index: As there.
        process_group: As there.
        backend: As there.
        validate: As there, and refuse what is no probability (not inside a graph of torch.compile).

    Shape:
        probabilities and labels (N, C, *S) for multilabel, (N, *S) for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        ``torch.nn.functional.binary_cross_entropy``.

    Examples:
        >>> bce_loss(torch.tensor([[0.5, 0.0]]), torch.tensor([[1, 0]]))
        tensor(0.3466)
        >>> bce_loss(torch.tensor([[0.0]]), torch.tensor([[1]]))
        tensor(100.)
    """
    check_mode(mode)
    return bce_with_logits_loss(
        as_logits(probabilities, mode, validate=validate),
        labels,
        weight=weight,
        pos_weight=pos_weight,
        mean=mean,
        mode=mode,
        ignore_index=ignore_index,
        process_group=process_group,
        backend=backend,
        validate=validate,
    )


def bce_of(
    found: Statistics,
    *,
    weight: Weights = None,
    pos_weight: float | Weights = None,
    mean: Mean = "weights",
    process_group: "ProcessGroup | None" = None,
) -> Tensor:
    """Do what `bce_with_logits_loss` does, of a read that several losses share; in the accumulator's dtype.

    Raises:
        ValueError: For settings out of range, and for a read of classes that exclude one another.

    Examples:
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2), torch.tensor([[0, 1]]), mode="multilabel")
        >>> bce_of(found, pos_weight=3)
        tensor(1.3863, dtype=torch.float64)
    """
    check_mean(mean)
    check_mode(found.mode)
    losses = found.cross_entropy
    of_positive = _of_classes(pos_weight, losses, "pos_weight")
    if of_positive is not None:
        losses = losses * torch.cat([torch.ones_like(of_positive), of_positive], 1)
    weights = _of_classes(weight, losses, "weight")
    return weighted_mean(losses, found, weights=weights, mean=mean, process_group=process_group)


def _of_classes(weight: float | Weights, like: Tensor, name: str) -> Tensor | None:
    """Return weights that broadcast along the classes of (N, C, 2): (C, 1), or (1, 1) of one for all."""
    if weight is None:
        return None
    weights = torch.as_tensor(weight, dtype=like.dtype, device=like.device).flatten()
    checked = weights if len(weights) == 1 else class_weights(weights, like.shape[1], like, name)
    return None if checked is None else checked.unsqueeze(1)


def _read_soft(
    logits: Tensor, labels: Tensor, *, mode: Mode, ignore_index: int | None, backend: Backend, validate: bool
) -> Statistics:
    """Read labels between 0 and 1: an element of label y is y of label 1, and 1 - y of label 0."""
    del backend
    check_inputs(logits, labels, mode)
    if validate and not torch.compiler.is_compiling():
        refuse_unsound(logits, labels, 2, ignore_index, soft=True)
    valid = torch.ones_like(labels, dtype=torch.bool) if ignore_index is None else labels != ignore_index
    known = logits.to(compute_dtype(logits.dtype))
    x, y, valid = (rows_of_pixels(part, mode) for part in (known, labels.to(known.dtype), valid))
    exact, sums = accumulator(logits), []
    for share, z in ((1 - y, -x), (y, x)):
        kept = share.masked_fill(~valid, 0)
        columns = [torch.zeros(x.shape[:2], dtype=exact, device=x.device)] * N_COLUMNS
        columns[COUNT] = kept.sum(2, dtype=exact)
        columns[CROSS_ENTROPY] = -(kept * functional.logsigmoid(z)).masked_fill(~valid, 0).sum(2, dtype=exact)
        sums.append(torch.stack(columns, 2))
    return Statistics(mode=mode, backend="eager", labels=labels, thresh=0.0, sums=torch.stack(sums, 2).flatten(1, 2))


def check_mode(mode: Mode) -> None:
    """Refuse the mode whose cross-entropy is not binary.

    Raises:
        ValueError: For ``multiclass``.
    """
    if mode == "multiclass":
        message = "mode is 'multiclass', expected multilabel or binary: cross_entropy_loss is that of multiclass logits"
        raise ValueError(message)


class BCEWithLogitsLoss(nn.Module):
    """`bce_with_logits_loss` as a module; weights move with it from device to device.

    Examples:
        >>> BCEWithLogitsLoss(pos_weight=3)(torch.zeros(1, 2), torch.tensor([[0, 1]]))
        tensor(1.3863)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Weights = None,
        pos_weight: float | Weights = None,
        ignore_index: int | None = 255,
        *,
        mean: Mean = "weights",
        mode: Mode = "multilabel",
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `bce_with_logits_loss`."""
        super().__init__()
        check_mean(mean)
        check_mode(mode)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        of_positive = [pos_weight] if isinstance(pos_weight, float | int) else pos_weight
        self.register_buffer("pos_weight", checked_weights(of_positive, "pos_weight"), persistent=False)
        self.ignore_index = ignore_index
        self.mean: Mean = mean
        self.mode: Mode = mode
        self.process_group = process_group
        self.backend: Backend = backend
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return bce_with_logits_loss(
            logits,
            labels,
            weight=self.weight,
            pos_weight=self.pos_weight,
            mean=self.mean,
            mode=self.mode,
            ignore_index=self.ignore_index,
            process_group=self.process_group,
            backend=self.backend,
            validate=self.validate,
        )

    def of(self, found: Statistics) -> Tensor:
        """Return the loss of a read that several losses share."""
        return bce_of(
            found,
            weight=self.weight,
            pos_weight=self.pos_weight,
            mean=self.mean,
            process_group=self.process_group,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"mean={self.mean!r}, mode={self.mode!r}, ignore_index={self.ignore_index}"


class BCELoss(BCEWithLogitsLoss):
    """`bce_loss` as a module, of probabilities; weights move with it from device to device.

    Examples:
        >>> BCELoss()(torch.tensor([[0.5, 0.5]]), torch.tensor([[0, 1]]))
        tensor(0.6931)
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch of probabilities."""
        return super().forward(as_logits(logits, self.mode, validate=self.validate), labels)
