"""The Lovász extension of the Jaccard loss, and its gradient, class by class: what both Lovász losses are made of."""

import math
from typing import Any

import torch
from torch import Tensor

from segcli.nn.kernels.operators import needs_operator, refuse
from segcli.nn.kernels.precision import accumulator, compute_dtype
from segcli.nn.kernels.tile import valid_labels

# No class: what a label becomes that does not count.
_NO_CLASS = -1


def lovasz(
    logits: Tensor,
    labels: Tensor,
    *,
    hinge: bool,
    present: bool,
    by_image: bool,
    ignore_index: int | None,
    validate: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the Lovász extension by group and class, with the graph of the logits.

    A group is an image, or under ``by_image=False`` the whole batch: there are G of them.

    Args:
        logits: (N, C, P).
        labels: (N, P), or (N, C, P) of 0 and 1 under ``hinge``.
        hinge: Whether errors are those of the hinge of each element, else of the softmax over C.
        present: Whether classes that no label names are left out (they are 0 then).
        by_image: Whether each image is a group of its own.
        ignore_index: The label that does not count.
        validate: Refuse logits that are not finite and labels that are none.

    Returns:
        The extension, how many pixels have the class, and how many are valid: (G, C), in the accumulator's dtype.

    Raises:
        UnsoundError: Under ``validate``.
    """
    wants_gradient = logits.requires_grad and torch.is_grad_enabled()
    extend = _lovasz if needs_operator(logits) else _lovasz_now
    values, labelled, valid, _ = extend(
        logits, labels, hinge, present, by_image, ignore_index, wants_gradient, validate
    )
    return values, labelled, valid


def _lovasz_now(
    logits: Tensor,
    labels: Tensor,
    hinge: bool,  # noqa: FBT001 - an operator of torch takes plain values, by position
    present: bool,  # noqa: FBT001
    by_image: bool,  # noqa: FBT001
    ignore_index: int | None,
    wants_gradient: bool,  # noqa: FBT001
    validate: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if validate:
        refuse(logits, labels, 2 if hinge else logits.shape[1], ignore_index)
    plain = logits.to(compute_dtype(logits.dtype)).contiguous()
    # Class by class, what a class was read from makes room for its slopes.
    scores = plain.clone() if hinge else plain.softmax(1)
    known = _known_labels(labels, 2 if hinge else logits.shape[1], ignore_index)
    shape = (len(logits) if by_image else 1, -1 if logits.numel() else 0)
    values, labelled, valid = [], [], []
    for place in range(logits.shape[1]):
        of_class = (known[:, place] if hinge else known).reshape(shape)
        foreground, counts = of_class == (1 if hinge else place), of_class != _NO_CLASS
        score = scores[:, place].reshape(shape)
        errors = (1 - torch.where(foreground, score, -score)) if hinge else torch.where(foreground, 1 - score, score)
        enters = counts & (errors > 0) if hinge else counts
        value, slopes = extension(errors, foreground, enters, present=present)
        values.append(value)
        labelled.append(_counts(foreground))
        valid.append(_counts(counts))
        if wants_gradient:
            scores[:, place] = torch.where(foreground, -slopes, slopes).view(scores[:, place].shape)
    exact = accumulator(logits)
    return (
        torch.stack(values, 1),
        torch.stack(labelled, 1).to(exact),
        torch.stack(valid, 1).to(exact),
        scores if wants_gradient else scores.new_empty(0),
    )


_lovasz = torch.library.custom_op("segcli::lovasz", _lovasz_now, mutates_args=())


@_lovasz.register_fake
def _(
    logits: Tensor,
    labels: Tensor,
    hinge: bool,  # noqa: FBT001
    present: bool,  # noqa: FBT001
    by_image: bool,  # noqa: FBT001
    ignore_index: int | None,
    wants_gradient: bool,  # noqa: FBT001
    validate: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    del labels, hinge, present, ignore_index, validate
    n_groups = logits.shape[0] if by_image else 1
    values = logits.new_empty((n_groups, logits.shape[1]), dtype=accumulator(logits))
    slopes = logits.new_empty(logits.shape if wants_gradient else (0,), dtype=compute_dtype(logits.dtype))
    return values, torch.empty_like(values), torch.empty_like(values), slopes


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401 - torch's own context
    ctx.save_for_backward(inputs[0], output[3])
    ctx.hinge = inputs[2]


def _gradient(ctx: Any, grad_values: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    logits, slopes = ctx.saved_tensors
    gradient = slopes * grad_values.unsqueeze(2).to(slopes.dtype)
    if not ctx.hinge:
        p = logits.to(slopes.dtype).softmax(1)
        gradient = p * (gradient - (p * gradient).sum(1, keepdim=True))
    return gradient.to(logits.dtype), None, None, None, None, None, None, None


_lovasz.register_autograd(_gradient, setup_context=_remember)


def _known_labels(labels: Tensor, n_labels: int, ignore_index: int | None) -> Tensor:
    """Return labels as int32, and `_NO_CLASS` for what does not count or is none."""
    whole = labels.to(torch.int64)
    counts, _ = valid_labels(whole, n_labels, ignore_index)
    return whole.masked_fill(~counts, _NO_CLASS).to(torch.int32)


def extension(errors: Tensor, foreground: Tensor, enters: Tensor, *, present: bool = True) -> tuple[Tensor, Tensor]:
    """Return the Lovász extension of the Jaccard loss at the errors of a class, and its slopes.

    The Jaccard loss of a set M of mistaken pixels is |M| / |foreground or M|. Its extension is piecewise linear: with
    the errors from the largest down, each times by how much its pixel raises the Jaccard loss of those before it.
    Of pixels that tie, the first comes first, which matters for slopes alone.

    Once all foreground is passed the loss is 1 and no pixel raises it. So only those are sorted whose error is no less
    than the least of the foreground: of a network that has learnt something, few.

    Args:
        errors: Of 0 or more wherever a pixel enters.
        foreground: Which pixels have the class.
        enters: Which pixels may be among the mistaken; the foreground counts in any case.
        present: Whether a group without foreground is left at 0. Else it is the largest error.

    Shape:
        (G, n) for each; the extension (G,), the slopes (G, n).

    Source:
        Berman et al. 2018, The Lovász-Softmax loss, equation 9 and algorithm 1.

    Examples:
        >>> errors, foreground = torch.tensor([[0.9, 0.2, 0.6]]), torch.tensor([[True, True, False]])
        >>> extension(errors, foreground, torch.ones_like(foreground))
        (tensor([0.6167], dtype=torch.float64), tensor([[0.5000, 0.3333, 0.1667]]))
    """
    exact, slopes = accumulator(errors), torch.zeros_like(errors)
    if not errors.numel():
        return errors.new_zeros(len(errors), dtype=exact), slopes
    n_foreground = _counts(foreground)
    least = errors.masked_fill(~foreground, math.inf).amin(1, keepdim=True)
    if not present:
        largest = errors.masked_fill(~enters, -math.inf).amax(1, keepdim=True)
        least = torch.where(n_foreground.unsqueeze(1) > 0, least, largest)
    kept = enters & (errors >= least)
    places = kept.flatten().nonzero().squeeze(1)
    known = errors.flatten()[places]
    group = None if len(errors) == 1 else places // errors.shape[1]
    order = _descending(known, group)
    places, known, group = places[order], known[order], None if group is None else group[order]
    n_kept = _counts(kept)
    starts = torch.stack([n_kept, _counts(kept & foreground)])
    rises = _rises(foreground.flatten()[places], group, n_foreground, starts.cumsum(1) - starts, exact)
    slopes.view(-1)[places] = rises.to(errors.dtype)
    # Not index_add, whose order on CUDA is that of chance.
    parts = torch.split_with_sizes(rises * known, n_kept.tolist())
    return torch.stack([part.sum() for part in parts]), slopes


def _counts(mask: Tensor) -> Tensor:
    """Count what is true in each row; by rows, as a sum along an axis makes a whole number of every element first."""
    return torch.stack([row.count_nonzero() for row in mask]) if len(mask) else mask.sum(1)


def _descending(errors: Tensor, group: Tensor | None) -> Tensor:
    """Return the order by group, and in it from the largest error down; those that tie in their own."""
    # Floats of one sign are ordered as their bits are, and torch sorts whole numbers by radix: six times faster.
    whole = torch.int64 if errors.dtype == torch.float64 else torch.int32
    order = (torch.iinfo(whole).max - errors.view(whole)).sort(stable=True).indices
    return order if group is None else order[group[order].sort(stable=True).indices]


def _rises(
    foreground: Tensor, group: Tensor | None, n_foreground: Tensor, starts: Tensor, exact: torch.dtype
) -> Tensor:
    """Return by how much each pixel raises the Jaccard loss of those before it in its group.

    With F pixels of foreground, f of which and b others stand before: the union is F + b, what is left to intersect
    F - f, and the loss 1 - (F - f) / (F + b). A pixel of the foreground raises it by 1 / (F + b), another by
    (F - f) / ((F + b) (F + b + 1)): these are no differences of nearly equal numbers.

    Args:
        foreground: Of the sorted pixels.
        group: Of the sorted pixels; None where there is one for all.
        n_foreground: F of each group.
        starts: How many pixels, and how many of foreground, the groups before each hold.
        exact: In which dtype.
    """
    ahead, left = (n_foreground - starts[0] + starts[1]).to(exact), (n_foreground + starts[1]).to(exact)
    if group is not None:
        ahead, left = ahead[group], left[group]
    # Both count the pixel itself.
    passed = foreground.cumsum(0, dtype=exact)
    union = torch.arange(1, len(passed) + 1, dtype=exact, device=passed.device) + ahead - passed
    rises = torch.where(foreground, 1 / union, (left - passed) / (union * (union - 1)))
    # The whole union, and where there is no foreground, the first mistake: 0 / 0 above.
    return rises.masked_fill_(union == 1, 1)
