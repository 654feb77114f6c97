"""What losses must move and compute, by formula."""

from collections.abc import Callable

from segcli.bench.kernel import INDEX_BYTES, Case, Cost

Costs = tuple[Callable[[Case], Cost], Callable[[Case], Cost]]
"""Of the forward, and what gradients add."""


def forward_cost(a_class: int, a_pixel: int, target_bytes: int = INDEX_BYTES) -> Callable[[Case], Cost]:
    """Read the logits and the targets once; FLOPs a class and a pixel."""

    def cost(case: Case) -> Cost:
        flops = case.pixels * (a_class * case.channels + a_pixel)
        return Cost(case.numel * case.item_bytes + case.pixels * target_bytes, flops)

    return cost


def backward_cost(a_class: int, a_pixel: int, target_bytes: int = INDEX_BYTES) -> Callable[[Case], Cost]:
    """Read logits and targets again, write gradients; a float32 a pixel is kept, written and read back."""

    def cost(case: Case) -> Cost:
        flops = case.pixels * (a_class * case.channels + a_pixel)
        return Cost(2 * case.numel * case.item_bytes + case.pixels * (target_bytes + 8), flops)

    return cost


CROSS_ENTROPY: Costs = forward_cost(4, 4), backward_cost(3, 1)
"""Maximum, subtract, exp, add a class; log, add, subtract and the mean's sum a pixel. Backward: subtract, exp,
multiply a class; the label's own subtraction a pixel."""

OHEM: Costs = forward_cost(4, 5), backward_cost(3, 2)
"""Cross-entropy, and a comparison more a pixel, whatever the selection does."""

FOCAL: Costs = forward_cost(4, 9), backward_cost(3, 8)
"""Cross-entropy, then negate, exp, subtract, square, multiply a pixel; backward the slope of that."""

REGION: Costs = forward_cost(6, 3), backward_cost(8, 2)
"""Dice and its kin. The softmax's division, and a sum a class; two sums a pixel. Backward: p again, then its product
with the gradient, their sum, and p (gradient - sum)."""

CROSS_ENTROPY_AND_DICE: Costs = forward_cost(6, 7), backward_cost(9, 3)
"""One softmax for both, and the sums of both; backward one more addition a class."""

LOVASZ: Costs = forward_cost(9, 2), backward_cost(9, 2)
"""The softmax, then a class: the error, the running sum of the labels, the Jaccard index's step and its product with
the error; sorting, like all selecting, is none. Backward: the product with the error's sign, and the softmax's."""


def bce_cost(case: Case) -> Cost:
    """max(z, 0) - z y + log(1 + exp(-|z|)), and the mean's sum: 9 FLOPs an element, a byte a target."""
    return forward_cost(9, 0, target_bytes=case.channels)(case)


def bce_backward_cost(case: Case) -> Cost:
    """(sigmoid(z) - y) / n: 6 FLOPs an element; nothing is kept."""
    return Cost(case.numel * (2 * case.item_bytes + 1), 6 * case.numel)


BCE: Costs = bce_cost, bce_backward_cost
"""Sigmoid cross-entropy of every class by itself."""
