"""OHEM as other projects have it, defects included: whoever trained with one of them gets its numbers again.

Written from what their code does, at the versions named below. The rules work on the loss l of every pixel, or on
p = exp(-l), the probability of the label, as each project does: p rounds to 1 where l is still above 0, so that the
two tell pixels apart at different places. Pixels that tie for the last places share them, where a sort or topk takes
some of them by chance; the value of the loss is the same.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from segcli.nn.kernels.selection import Branch, Choice, kth_largest, least_kept, loss_bound, shares

Semantics = Literal["exact", "notes", "bisenet", "mmseg", "hrnet", "paddle", "torchseg"]

SEMANTICS: tuple[Semantics, ...] = get_args(Semantics)
# Those of which the project has class weights.
WEIGHTED: tuple[Semantics, ...] = ("exact", "mmseg", "hrnet", "torchseg")
# Those that divide by the sum of the weights of what is kept, as cross-entropy does.
BY_WEIGHTS: tuple[Semantics, ...] = ("exact", "torchseg")

# PaddleSeg's guard against dividing by 0; it is in the value of every loss.
_PADDLE_EPS = 1e-5

_Mined = tuple[Tensor, float, Choice]


def check_semantics(semantics: Semantics, *, weighted: bool = False, grouped: bool = False) -> None:
    """Refuse an unknown rule, and what the project does not have.

    Args:
        semantics: The name of the rule.
        weighted: Whether class weights are given.
        grouped: Whether there is a group of processes.

    Raises:
        ValueError: Naming what else there is.

    Examples:
        >>> check_semantics("notes", weighted=True)
        Traceback (most recent call last):
        ValueError: semantics 'notes' has no class weights; exact, mmseg, hrnet, torchseg have
    """
    if semantics not in SEMANTICS:
        message = f"semantics is {semantics!r}, expected {', '.join(SEMANTICS)}"
        raise ValueError(message)
    if weighted and semantics not in WEIGHTED:
        message = f"semantics {semantics!r} has no class weights; {', '.join(WEIGHTED)} have"
        raise ValueError(message)
    if grouped and semantics != "exact":
        message = f"semantics {semantics!r} chooses in each process by itself; process_group goes with 'exact'"
        raise ValueError(message)


def mine(semantics: Semantics, pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """Choose pixels as a project does.

    Args:
        semantics: Which; not ``exact``.
        pixels: Losses (N, *S), or of elements (N, C, *S); below 0 where ignored.
        thresh: As a probability.
        n_min: A count, or a share of the valid pixels, as `segcli.nn.kernels.selection.as_ints` gives it.

    Returns:
        Which part of each pixel is kept, flat; what the sum of the losses kept is divided by; and the counts. The
        branch is ``none`` where nothing is kept.

    Raises:
        IndexError: Where the project's own code raises it.

    Examples:
        >>> share, divisor, choice = mine("paddle", torch.tensor([[3.0, 2.0, 1.0, -1.0]]), 0.9, [2])
        >>> share, choice.n_kept, round(divisor, 5)
        (tensor([1., 1., 1., 0.]), 3, 3.00004)
    """
    return _RULES[semantics](pixels, thresh, n_min)


def _notes(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """CoinCheung/BiSeNet, ``loss.py``, and the notes: sort all losses, look at that in place ``n_min``.

    ``n_min`` is a count for each process. Defects: ignored pixels, whose loss is 0, fill the places that valid ones
    leave; IndexError where there is no place ``n_min``; NaN where ``n_min`` is 0 and nothing is hard.
    """
    count = _count(pixels, n_min)
    if count >= pixels.numel():
        message = f"semantics 'notes' looks at the loss in place {count}, counted from 0, of {pixels.numel()} pixels"
        raise IndexError(message)
    n_hard = _n_hard(pixels, thresh)
    return _by_loss(pixels, thresh, count, hard=n_hard > count)


def _bisenet(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """CoinCheung/BiSeNet, ``lib/ohem_ce_loss.py``: all hard pixels, or the ``n_min`` largest of all losses.

    Its ``n_min`` is always a sixteenth of the valid pixels of the call, as None is here. Defects: NaN where that is 0
    and nothing is hard, so also where nothing is valid; a larger count may take ignored pixels, and raises
    IndexError (there, topk's RuntimeError) above the number of all pixels.
    """
    count = _count(pixels, n_min)
    if count > pixels.numel():
        message = f"semantics 'bisenet' takes the {count} largest losses of {pixels.numel()} pixels"
        raise IndexError(message)
    return _by_loss(pixels, thresh, count, hard=_n_hard(pixels, thresh) >= count)


def _mmseg(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """open-mmlab/mmsegmentation 1.x, ``ohem_pixel_sampler.py`` with its cross-entropy: p below that in place n_min.

    A count is for an image: it is multiplied by the batch size. Defects: the pixel in place ``n_min`` is compared with
    itself, so that where few are hard those equal to it are left out, all of them where all tie, and the easiest
    where ``n_min`` is the number of valid pixels or more; the mean is over **all** pixels, ignored and not kept
    included, so that it shrinks with what is chosen.
    """
    count = n_min[0] * len(pixels) if len(n_min) == 1 else _count(pixels, n_min)
    return _below_place(pixels, thresh, count, float(pixels.numel()))


def _hrnet(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """HRNet-Semantic-Segmentation, ``lib/core/criterion.py``, and mmseg's ``ohem_cross_entropy_loss.py``.

    ``n_min`` is a count for each process, 1 at least. The rule is mmseg's sampler's, with the same pixels left out;
    the mean is over those kept. Class weights scale the losses, and are not in the divisor. Defects: NaN where all tie
    and none is hard; IndexError where nothing is valid (mmseg's copy returns a 0 without a graph).
    """
    if not bool((pixels >= 0).any()):
        message = "semantics 'hrnet' looks at the last of the valid pixels, and none is valid"
        raise IndexError(message)
    return _below_place(pixels, thresh, max(1, _count(pixels, n_min)), None)


def _below_place(pixels: Tensor, thresh: float, count: int, divisor: float | None) -> _Mined:
    """Keep p strictly below the larger of ``thresh`` and the p in place ``count``, counted from 0."""
    p, n_valid = _probabilities(pixels)
    place = min(count, n_valid - 1)
    bound = max(_in_place(p, place, n_valid), thresh) if n_valid else thresh
    kept = (p >= 0) & (p < bound)
    return _mined(pixels, kept, thresh, count, float(kept.sum()) if divisor is None else divisor, bound)


def _paddle(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """PaddleSeg 2.x, ``ohem_cross_entropy_loss.py``: p strictly below the ``n_min``-th smallest, or ``thresh``.

    ``n_min`` is a count for each process; 0 switches mining off and keeps all that is valid, as does a count of the
    valid pixels or more. Defects: where few are hard, ``n_min - 1`` are kept, fewer where pixels tie, none where all
    do, for a loss of 0; the divisor is larger than what is kept by 0.00001 of all pixels.
    """
    p, n_valid = _probabilities(pixels)
    count, kept, bound = _count(pixels, n_min), p >= 0, thresh
    if 0 < count < n_valid:
        bound = max(_in_place(p, count - 1, n_valid), thresh)
        kept = kept & (p < bound)
    return _mined(pixels, kept, thresh, count, float(kept.sum()) + _PADDLE_EPS * pixels.numel(), bound)


def _torchseg(pixels: Tensor, thresh: float, n_min: list[int]) -> _Mined:
    """TorchSeg, ``furnace/seg_opr/loss_opr.py``: p up to the ``n_min``-th smallest, or ``thresh``, itself included.

    ``n_min`` is a count for each process; 0 switches mining off and keeps all that is valid, as does one above the
    number of valid pixels. Defects: all that tie with the ``n_min``-th are kept; NaN where nothing is valid.
    """
    p, n_valid = _probabilities(pixels)
    count, kept, bound = _count(pixels, n_min), p >= 0, thresh
    if 0 < count <= n_valid:
        bound = max(_in_place(p, count - 1, n_valid), thresh)
        kept = kept & (p <= bound)
    return _mined(pixels, kept, thresh, count, float(kept.sum()), bound)


_RULES: dict[str, Callable[[Tensor, float, list[int]], _Mined]] = {
    "notes": _notes,
    "bisenet": _bisenet,
    "mmseg": _mmseg,
    "hrnet": _hrnet,
    "paddle": _paddle,
    "torchseg": _torchseg,
}


def _count(pixels: Tensor, n_min: list[int]) -> int:
    """Return a count as it is given, and a share as one of the valid pixels."""
    return n_min[0] if len(n_min) == 1 else least_kept(n_min, int((pixels >= 0).sum()))


def _n_hard(pixels: Tensor, thresh: float) -> int:
    return int(((pixels > loss_bound(thresh)) & (pixels >= 0)).sum())


def _probabilities(pixels: Tensor) -> tuple[Tensor, int]:
    """Return p of the label, -1 where ignored, flat; and how many are valid."""
    flat = pixels.reshape(-1)
    valid = flat >= 0
    return torch.exp(-flat).masked_fill_(~valid, -1), int(valid.sum())


def _in_place(p: Tensor, place: int, n_valid: int) -> float:
    """Return the p in ``place`` from the smallest, counted from 0."""
    return kth_largest(p, n_valid - place)[0]


def _by_loss(pixels: Tensor, thresh: float, count: int, *, hard: bool) -> _Mined:
    """Keep the losses above ``-log(thresh)``, or the ``count`` largest of all, ignored pixels' zeros among them."""
    losses, bound, part = pixels.reshape(-1).clamp_min(0), loss_bound(thresh), 0.0
    n_hard, n_valid = _n_hard(pixels, thresh), int((pixels >= 0).sum())
    n_kept = n_hard if hard else count
    if not hard and count:
        bound, n_above, n_level = kth_largest(losses, count)
        part = (count - n_above) / n_level
    kept = shares(losses, bound, part) if n_kept else torch.zeros_like(losses)
    choice = Choice(n_valid, n_hard, count, n_kept, bound, part, _branch(n_kept, n_hard, n_valid, hard=hard))
    return kept, float(n_kept), choice


def _mined(pixels: Tensor, kept: Tensor, thresh: float, count: int, divisor: float, bound: float) -> _Mined:
    n_valid, n_kept, n_hard = int((pixels >= 0).sum()), int(kept.sum()), _n_hard(pixels, thresh)
    branch = _branch(n_kept, n_hard, n_valid, hard=bound == thresh)
    choice = Choice(n_valid, n_hard, count, n_kept, loss_bound(bound), 0.0, branch)
    return kept.to(pixels.dtype), divisor, choice


def _branch(n_kept: int, n_hard: int, n_valid: int, *, hard: bool) -> Branch:
    if not n_kept:
        return "none"
    if hard and n_kept == n_hard:
        return "hard"
    return "all" if n_kept >= n_valid else "top-k"
