"""The losses OHEM keeps, added up by label: an operator of torch, with a gradient and without a break in a graph."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from segcli.nn.kernels.operators import needs_operator
from segcli.nn.kernels.problem import COUNT, CROSS_ENTROPY, HARD, N_HARD
from segcli.nn.kernels.processes import all_reduce, name_of
from segcli.nn.kernels.reading import Statistics
from segcli.nn.kernels.rows import sum_by_row
from segcli.nn.kernels.selection import BRANCHES, Branch, Choice, NMin, as_ints, choose, loss_bound, shares
from segcli.nn.losses.ohem_semantics import Semantics, mine

# What `Kept.facts` holds.
_N_FACTS = 8
# Columns of the sums that stand for whole branches: there is nothing to look up in the pixels.
_COLUMNS: dict[Branch, tuple[int, int]] = {"hard": (HARD, N_HARD), "all": (CROSS_ENTROPY, COUNT)}
# Where more than this part of the pixels has a gradient, picking them out costs a backend more than taking all.
_FEW = 1 / 4


@dataclass(frozen=True, eq=False)
class Kept:
    """What was kept, and of how many.

    Attributes:
        sums: (rows, 2), by label as `segcli.nn.kernels.problem` numbers rows: the sum of the losses kept, with a
            graph, and how many they are, with fractions of those that tie; over all ranks.
        facts: (8,), float64 on the CPU; `choice` and `divisor` are made of them.
        share: Which part of each pixel was kept, flat; empty under ``exact``, where `choice` tells it.
    """

    sums: Tensor
    facts: Tensor
    share: Tensor

    @property
    def choice(self) -> Choice:
        """The counts and the level, as numbers; in a graph of torch.compile this is a break."""
        n_valid, n_hard, n_min, n_kept, level, part, branch, _ = self.facts.tolist()
        counts = int(n_valid), int(n_hard), int(n_min), int(n_kept)
        return Choice(*counts, level, part, BRANCHES[int(branch)])

    @property
    def divisor(self) -> Tensor:
        """What a project divides by where that is no sum of weights; () in float64 on the CPU."""
        return self.facts[-1]


def kept_of(found: Statistics, n_min: NMin, semantics: Semantics, group: Any) -> Kept:  # noqa: ANN401 - an optional group of ranks
    """Choose pixels by one project's rule, and add up what they lose.

    Raises:
        ValueError: Where ``found`` has no losses of pixels.
        IndexError: Where the project's own code raises it.
    """
    if found.pixels is None:
        message = "found has no losses of pixels, which OHEM chooses from: read with pixels=True"
        raise ValueError(message)
    settings = (found.mode == "multiclass", float(found.thresh), as_ints(n_min), semantics, name_of(group))
    keep_now = _kept if needs_operator(found.sums, found.pixels) else _kept_now
    return Kept(*keep_now(found.sums, found.pixels, found.labels, *settings))


def _kept_now(
    sums: Tensor,
    pixels: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001 - an operator of torch takes plain values, by position
    thresh: float,
    n_min: list[int],
    semantics: str,
    group: str,
) -> tuple[Tensor, Tensor, Tensor]:
    if semantics == "exact":
        share, divisor = pixels.new_empty(0), 0.0
        counts = torch.stack([sums[:, :, COUNT].sum(), sums[:, :, N_HARD].sum()])
        choice = choose(pixels, counts, loss_bound(thresh), n_min, group)
    else:
        share, divisor, choice = mine(cast("Semantics", semantics), pixels, thresh, n_min)
    if semantics == "exact" and choice.branch in _COLUMNS:
        by_label = sums[:, :, list(_COLUMNS[choice.branch])].sum(0)
    else:
        places, parts = _places(pixels, share, choice)
        rows = rows_at(labels, places, None if multiclass else sums.shape[1] // 2)
        columns = ((parts * pixels.reshape(-1)[places]).to(sums.dtype), parts.to(sums.dtype))
        by_label = torch.stack([sum_by_row(column, rows, sums.shape[1]) for column in columns], 1).to(sums.dtype)
    numbers = (choice.n_valid, choice.n_hard, choice.n_min, choice.n_kept, choice.level, choice.part)
    facts = torch.tensor([*numbers, BRANCHES.index(choice.branch), divisor], dtype=torch.float64)
    return all_reduce(by_label, group), facts, share


_kept = torch.library.custom_op("segcli::ohem_kept", _kept_now, mutates_args=())


@_kept.register_fake
def _(
    sums: Tensor,
    pixels: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001
    thresh: float,
    n_min: list[int],
    semantics: str,
    group: str,
) -> tuple[Tensor, Tensor, Tensor]:
    del labels, multiclass, thresh, n_min, group
    share = pixels.new_empty(0 if semantics == "exact" else pixels.numel())
    return sums.new_empty(sums.shape[1], 2), torch.empty(_N_FACTS, dtype=torch.float64), share


@torch.library.custom_op("segcli::ohem_kept_backward", mutates_args=())
def _kept_backward(
    slopes: Tensor,
    facts: Tensor,
    share: Tensor,
    pixels: Tensor,
    labels: Tensor,
    n_images: int,
    n_columns: int,
    multiclass: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    of_sums = slopes.new_zeros(n_images, len(slopes), n_columns)
    of_pixels = torch.zeros_like(pixels)
    choice = Kept(slopes, facts, share).choice
    # Of the whole branch where the kernel takes all pixels anyway, of single pixels where it can leave most aside.
    if not len(share) and choice.branch in _COLUMNS and choice.n_kept > _FEW * choice.n_valid:
        of_sums[:, :, _COLUMNS[choice.branch][0]] = slopes[:, 0]
    else:
        places, parts = _places(pixels, share, choice)
        rows = rows_at(labels, places, None if multiclass else len(slopes) // 2)
        of_pixels.view(-1)[places] = parts * slopes[:, 0].to(pixels.dtype)[rows]
    return of_sums, of_pixels


@_kept_backward.register_fake
def _(
    slopes: Tensor,
    facts: Tensor,
    share: Tensor,
    pixels: Tensor,
    labels: Tensor,
    n_images: int,
    n_columns: int,
    multiclass: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    del facts, share, labels, multiclass
    return slopes.new_empty(n_images, len(slopes), n_columns), torch.empty_like(pixels)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:  # noqa: ANN401 - torch's own
    sums, pixels, labels, multiclass, *_ = inputs
    ctx.save_for_backward(output[1], output[2], pixels, labels)
    ctx.settings = (sums.shape[0], sums.shape[2], multiclass)


def _gradient(ctx: Any, slopes: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    return *_kept_backward(slopes, *ctx.saved_tensors, *ctx.settings), None, None, None, None, None, None


_kept.register_autograd(_gradient, setup_context=_remember)


def _places(pixels: Tensor, share: Tensor, choice: Choice) -> tuple[Tensor, Tensor]:
    """Return the places of the kept pixels in the flat tensor, and which part of each is kept."""
    flat = pixels.reshape(-1)
    if len(share):
        # A project may keep ignored pixels: those lose nothing.
        places = ((share > 0) & (flat >= 0)).nonzero().squeeze(1)
        return places, share[places]
    places = (flat >= choice.level if choice.part else flat > choice.level).nonzero().squeeze(1)
    return places, shares(flat[places], choice.level, choice.part)


def rows_at(labels: Tensor, places: Tensor, n_classes: int | None) -> Tensor:
    """Return the rows of the sums that the labels at flat ``places`` belong to; two a class with sigmoids.

    Args:
        labels: (N, *S), or (N, C, *S) with sigmoids.
        places: Into what is flat.
        n_classes: C with sigmoids, None for multiclass.

    Examples:
        >>> rows_at(torch.tensor([[[0, 1], [1, 0]]]), torch.arange(4), 2)
        tensor([0, 1, 3, 2])
    """
    found = labels.reshape(-1)[places].to(torch.int64)
    if n_classes is None:
        return found
    n_pixels = max(1, labels.numel() // max(1, len(labels) * n_classes))
    return 2 * (places // n_pixels % n_classes) + found
