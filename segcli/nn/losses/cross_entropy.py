"""Cross-entropy over the valid pixels."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, checked_weights, read
from segcli.nn.losses.means import Mean, check_mean, label_weights, weighted_mean

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def cross_entropy_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    weight: Weights = None,
    mean: Mean = "weights",
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean of -log p(label) over the valid pixels, weighted by class where asked.

    ``sum(weight[label] * -log p) / sum(weight[label])``, torch's own mean; 0 with a graph, where torch gives NaN,
    when nothing is valid or all weights of what is valid are 0. p is the softmax for ``multiclass`` and the sigmoid of
    each element for the others, whose cross-entropy is the binary one.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        weight: One a class; for binary two, of label 0 and of label 1.
        mean: What the weighted sum is divided by. ``weights``: the weights of what is valid, as torch has it.
            ``valid``: how many are valid. ``all``: how many there are, so that what is ignored makes the loss smaller.
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        ignore_index: The label of pixels that do not count; None where all do.
        from_logits: Whether logits are given, or the probabilities themselves.
        process_group: Whose ranks' pixels are one batch; see `segcli.nn.kernels.processes.total_over`.
        backend: As in `segcli.nn.kernels.statistics`.
        validate: Refuse what is not finite, and labels that are none; on CUDA this waits for the device.

    Shape:
        logits (N, C, *S) with C of 2 or more and labels (N, *S) for multiclass, labels like logits (N, C, *S) for
        multilabel and (N, *S) for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        ``torch.nn.functional.cross_entropy`` and ``binary_cross_entropy_with_logits``.

    Examples:
        >>> import torch
        >>> cross_entropy_loss(torch.zeros(1, 2, 2), torch.tensor([[0, 255]]))
        tensor(0.6931)
        >>> cross_entropy_loss(torch.zeros(1, 2, 2), torch.tensor([[0, 255]]), mean="all")
        tensor(0.3466)
    """
    check_mean(mean)
    found = read(
        logits,
        labels,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        backend=backend,
        validate=validate,
    )
    loss = cross_entropy_of(found, weight=weight, mean=mean, process_group=process_group)
    return loss.to(compute_dtype(logits.dtype))


def cross_entropy_of(
    found: Statistics,
    *,
    weight: Weights = None,
    mean: Mean = "weights",
    process_group: "ProcessGroup | None" = None,
) -> Tensor:
    """Do what `cross_entropy_loss` does, of a read that several losses share; in the accumulator's dtype.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> cross_entropy_of(kernels.statistics(torch.zeros(1, 4, 2), torch.tensor([[0, 3]])))
        tensor(1.3863, dtype=torch.float64)
    """
    check_mean(mean)
    losses = found.cross_entropy
    weights = label_weights(weight, losses, found.mode)
    return weighted_mean(losses, found, weights=weights, mean=mean, process_group=process_group)


class CrossEntropyLoss(nn.Module):
    """`cross_entropy_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> CrossEntropyLoss(weight=[1, 3])(torch.zeros(2, 2), torch.tensor([0, 1]))
        tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Weights = None,
        ignore_index: int | None = 255,
        *,
        mean: Mean = "weights",
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `cross_entropy_loss`."""
        super().__init__()
        check_mean(mean)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.ignore_index = ignore_index
        self.mean: Mean = mean
        self.mode: Mode = mode
        self.from_logits = from_logits
        self.process_group = process_group
        self.backend: Backend = backend
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return cross_entropy_loss(
            logits,
            labels,
            weight=self.weight,
            mean=self.mean,
            mode=self.mode,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            process_group=self.process_group,
            backend=self.backend,
            validate=self.validate,
        )

    def of(self, found: Statistics) -> Tensor:
        """Return the loss of a read that several losses share."""
        return cross_entropy_of(found, weight=self.weight, mean=self.mean, process_group=self.process_group)

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"mean={self.mean!r}, mode={self.mode!r}, ignore_index={self.ignore_index}"
