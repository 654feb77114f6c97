"""Lovász losses: the Jaccard index itself, made piecewise linear between the corners where it is defined."""

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from segcli.nn.kernels.checks import Mode, check_inputs, refuse_unsound
from segcli.nn.kernels.operators import UnsoundError
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.processes import total_over
from segcli.nn.kernels.reading import rows_of_pixels, whole_labels
from segcli.nn.losses.inputs import Weights, as_logits, checked_weights, class_weights
from segcli.nn.losses.lovasz_extension import lovasz
from segcli.nn.losses.region import check_name
from segcli.nn.losses.sums import ratio

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Classes = Literal["present", "all"]
Reduce = Literal["image", "batch"]


def lovasz_softmax_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    classes: Classes = "present",
    reduce: Reduce = "image",
    weight: Weights = None,
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    validate: bool = True,
) -> Tensor:
    """Return the mean over the classes of the Jaccard loss's Lovász extension at the errors of the softmax.

    The error of a pixel for class c is 1 - p_c where c is its label, and p_c elsewhere. Where every p is 0 or 1 the
    loss is the mean of 1 - IoU. Images in which nothing counts are not in the mean; where nothing counts at all the
    loss is 0, with a graph. Of errors that tie the first comes first, so that the gradient is always the same.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype.
        classes: ``present``: those that a label names, in the image or the batch. ``all``: the others too, whose loss
            is their largest error.
        reduce: ``image``: errors of each image are sorted, the mean over its classes, then over images. ``batch``:
            those of the whole batch, the mean over classes.
        weight: One a class, of its part in the mean over classes.
        ignore_index: The label of pixels that do not count; None where all do.
        from_logits: Whether ``logits`` are such; else probabilities, which sum to 1 over the classes.
        process_group: Ranks whose images make one mean, under ``reduce="image"``: the errors of a batch on several
            ranks would have to be sorted together.
        validate: Refuse NaN, infinities and labels out of range first; on CUDA this waits for the device.

    Shape:
        logits (N, C, *S) with C of 2 or more, labels (N, *S), result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Berman et al. 2018, The Lovász-Softmax loss, equations 9 to 11 and algorithm 1.

    Examples:
        >>> p = torch.tensor([[[0.1, 0.8, 0.4], [0.9, 0.2, 0.6]]])
        >>> lovasz_softmax_loss(p, torch.tensor([[0, 0, 1]]), from_logits=False)
        tensor(0.6167)
    """
    return _mean(
        logits,
        labels,
        hinge=False,
        mode="multiclass",
        classes=classes,
        reduce=reduce,
        weight=weight,
        ignore_index=ignore_index,
        from_logits=from_logits,
        process_group=process_group,
        validate=validate,
    )


def lovasz_hinge_loss(  # noqa: PLR0913 - as above
    logits: Tensor,
    labels: Tensor,
    *,
    mode: Mode = "binary",
    classes: Classes = "all",
    reduce: Reduce = "image",
    weight: Weights = None,
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    validate: bool = True,
) -> Tensor:
    """Return the Lovász extension of the Jaccard loss at the hinge losses, for labels of 0 and 1.

    The error of an element is max(0, 1 - x) for label 1 and max(0, 1 + x) for label 0. Everything else is as in
    `lovasz_softmax_loss`, class by class for multilabel. By default an image without label 1 counts, with its
    largest error.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: 0 and 1 in any dtype.
        mode: ``binary`` or ``multilabel``.
        classes: ``present``: only those (for binary, only images) with a label 1. ``all``: the others too.
        reduce: As there.
        weight: As there.
        ignore_index: The label of elements that do not count; None where all do.
        from_logits: Whether ``logits`` are such; else sigmoids, whose logits are taken.
        process_group: As there.
        validate: As there.

    Shape:
        logits and labels (N, *S) for binary, (N, C, *S) for multilabel; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Berman et al. 2018, The Lovász-Softmax loss, section 3.1; Yu and Blaschko 2015, The Lovász Hinge.

    Examples:
        >>> lovasz_hinge_loss(torch.tensor([[2.0, -0.5, -3.0]]), torch.tensor([[1, 1, 0]]))
        tensor(0.7500)
    """
    check_mode(mode)
    return _mean(
        logits,
        labels,
        hinge=True,
        mode=mode,
        classes=classes,
        reduce=reduce,
        weight=weight,
        ignore_index=ignore_index,
        from_logits=from_logits,
        process_group=process_group,
        validate=validate,
    )


def _mean(  # noqa: PLR0913 - those of both
    logits: Tensor,
    labels: Tensor,
    *,
    hinge: bool,
    mode: Mode,
    classes: Classes,
    reduce: Reduce,
    weight: Weights,
    ignore_index: int | None,
    from_logits: bool,
    process_group: "ProcessGroup | None",
    validate: bool,
) -> Tensor:
    check_settings(classes, reduce, process_group)
    check_inputs(logits, labels, mode)
    known = logits if from_logits else as_logits(logits, mode, validate=validate)
    rows = rows_of_pixels(known, mode)
    try:
        values, labelled, valid = lovasz(
            rows,
            whole_labels(rows_of_pixels(labels, mode, labels=True)),
            hinge=hinge,
            present=classes == "present",
            by_image=reduce == "image",
            ignore_index=ignore_index,
            validate=validate,
        )
    except UnsoundError:
        # Once more with the places and values as they were given.
        refuse_unsound(known, labels, 2 if hinge else known.shape[1], ignore_index)
        raise
    part = ((labelled if classes == "present" else valid) > 0).to(values.dtype)
    weights = class_weights(weight, rows.shape[1], values)
    part = part if weights is None else part * weights
    of_images = ratio((values * part).sum(1), part.sum(1))
    above, below = total_over(torch.stack([of_images.sum(), (part.sum(1) > 0).sum()]), process_group).unbind()
    return ratio(above, below).to(compute_dtype(logits.dtype))


def check_settings(classes: Classes, reduce: Reduce, process_group: "ProcessGroup | None" = None) -> None:
    """Refuse settings that are none.

    Raises:
        ValueError: For an unknown name, and for ranks that would have to sort together.
    """
    check_name("classes", classes, get_args(Classes))
    check_name("reduce", reduce, get_args(Reduce))
    if process_group is not None and reduce == "batch":
        message = "process_group is given and reduce is 'batch': a Lovász loss sorts the errors of one process"
        message += ", expected reduce='image', whose mean is exact across ranks"
        raise ValueError(message)


def check_mode(mode: Mode) -> None:
    """Refuse the mode that has a Lovász loss of its own.

    Raises:
        ValueError: For ``multiclass``.
    """
    if mode == "multiclass":
        message = (
            "mode is 'multiclass', expected binary or multilabel: lovasz_softmax_loss is that of multiclass logits"
        )
        raise ValueError(message)


class LovaszSoftmaxLoss(nn.Module):
    """`lovasz_softmax_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> LovaszSoftmaxLoss()(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.5000)
    """

    weight: Tensor | None

    def __init__(
        self,
        classes: Classes = "present",
        reduce: Reduce = "image",
        ignore_index: int | None = 255,
        *,
        weight: Weights = None,
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `lovasz_softmax_loss`."""
        super().__init__()
        check_settings(classes, reduce, process_group)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.classes: Classes = classes
        self.reduce: Reduce = reduce
        self.ignore_index = ignore_index
        self.from_logits = from_logits
        self.process_group = process_group
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return lovasz_softmax_loss(
            logits,
            labels,
            classes=self.classes,
            reduce=self.reduce,
            weight=self.weight,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            process_group=self.process_group,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"classes={self.classes!r}, reduce={self.reduce!r}, ignore_index={self.ignore_index}"


class LovaszHingeLoss(nn.Module):
    """`lovasz_hinge_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> LovaszHingeLoss()(torch.zeros(1, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(1.)
    """

    weight: Tensor | None

    def __init__(
        self,
        classes: Classes = "all",
        reduce: Reduce = "image",
        ignore_index: int | None = 255,
        *,
        mode: Mode = "binary",
        weight: Weights = None,
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `lovasz_hinge_loss`."""
        super().__init__()
        check_settings(classes, reduce, process_group)
        check_mode(mode)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.classes: Classes = classes
        self.reduce: Reduce = reduce
        self.ignore_index = ignore_index
        self.mode: Mode = mode
        self.from_logits = from_logits
        self.process_group = process_group
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return lovasz_hinge_loss(
            logits,
            labels,
            mode=self.mode,
            classes=self.classes,
            reduce=self.reduce,
            weight=self.weight,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            process_group=self.process_group,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"classes={self.classes!r}, reduce={self.reduce!r}, mode={self.mode!r}, ignore_index={self.ignore_index}"
