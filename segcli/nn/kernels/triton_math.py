"""What the Triton kernels share: formulas on a tile, in its own dtype (float32, or float64 for float64 logits).

Importing this needs Triton. Parameters that are `tl.constexpr` are compiled in.
"""

# mypy: disallow-untyped-decorators=False

import triton
import triton.language as tl

from segcli.nn.kernels import problem

# Triton lets kernels see no other globals.
COUNT = tl.constexpr(problem.COUNT)
CROSS_ENTROPY = tl.constexpr(problem.CROSS_ENTROPY)
FOCAL = tl.constexpr(problem.FOCAL)
N_HARD = tl.constexpr(problem.N_HARD)
HARD = tl.constexpr(problem.HARD)
OVERLAP = tl.constexpr(problem.OVERLAP)
PREDICTED = tl.constexpr(problem.PREDICTED)
SQUARES = tl.constexpr(problem.SQUARES)
N_COLUMNS = tl.constexpr(problem.N_COLUMNS)
IGNORED = tl.constexpr(problem.IGNORED)


@triton.jit
def log1p(t: tl.tensor) -> tl.tensor:
    """Return log(1 + t) for t in [0, 1], with no cancellation where t is small.

    Source: W. Kahan's, in N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 1.14.1:
    what 1 + t lost to rounding, log(u) / (u - 1) lost as well.
    """
    u = 1 + t
    return tl.where(u == 1, t, tl.log(u) * t / tl.where(u == 1, 1, u - 1))


@triton.jit
def doubt(ce: tl.tensor) -> tl.tensor:
    """Return 1 - p_t = -expm1(-ce) for ce >= 0: what the power of the focal loss is of; Kahan's as well."""
    u = tl.exp(-ce)
    middle = (u > 0.5) & (u < 1)  # noqa: PLR2004 - below it nothing cancels
    quotient = (1 - u) * ce / -tl.log(tl.where(middle, u, 0.5))
    return tl.where(middle, quotient, tl.where(u == 1, ce, 1 - u))


@triton.jit
def power(w: tl.tensor, gamma: tl.tensor, exponent: tl.constexpr) -> tl.tensor:
    """Return w^gamma for w > 0; ``exponent`` is gamma where it is 1 or 2, else -1."""
    if exponent == 1:
        result = w
    elif exponent == 2:  # noqa: PLR2004
        result = w * w
    else:
        result = tl.exp2(tl.full(w.shape, gamma, w.dtype) * tl.log2(w))
    return result


@triton.jit
def focal(ce: tl.tensor, gamma: tl.tensor, exponent: tl.constexpr) -> tl.tensor:
    """Return (1 - p_t)^gamma ce for gamma > 0; 0 where ce is 0."""
    sure = ce == 0
    return tl.where(sure, 0, power(tl.where(sure, 1, doubt(ce)), gamma, exponent) * ce)


@triton.jit
def focal_slope(ce: tl.tensor, p_t: tl.tensor, gamma: tl.tensor, exponent: tl.constexpr) -> tl.tensor:
    """Return the derivative of `focal` by ce; 0 where ce is 0, unless gamma is 0."""
    if exponent == 0:
        result = tl.full(ce.shape, 1, ce.dtype)
    else:
        sure = ce == 0
        w = tl.where(sure, 1, doubt(ce))
        slope = 1 + tl.full(w.shape, gamma, w.dtype) * p_t * (ce / w)
        result = tl.where(sure, 0, power(w, gamma, exponent) * slope)
    return result


@triton.jit
def read_labels(
    pointers: tl.tensor, inside: tl.tensor, ignore_index: tl.tensor, n_labels: tl.constexpr, ignores: tl.constexpr
) -> tl.tensor:
    """Return the labels, -1 where ignored, out of range or outside, and where they are out of range."""
    label = tl.load(pointers, mask=inside, other=0).to(tl.int64)
    known = (label >= 0) & (label < n_labels)
    counts = inside
    if ignores:
        counts = counts & (label != ignore_index)
    return tl.where(known & counts, label, -1).to(tl.int32), counts & (known == 0)


@triton.jit
def tiles_left(first: tl.tensor, n_pixels: tl.tensor, tiles: tl.constexpr, block: tl.constexpr) -> tl.tensor:
    """Return how many of a program's tiles have pixels in them."""
    return tl.minimum((n_pixels - first + block - 1) // block, tiles).to(tl.int32)


@triton.jit
def store_column(
    sums: tl.tensor, column: tl.constexpr, rows: tl.tensor, values: tl.tensor, n_rows: tl.constexpr
) -> None:
    """Store one column of a program's sums, which are (rows, columns)."""
    tl.store(sums + rows * N_COLUMNS + column, values, mask=rows < n_rows)


@triton.jit
def coefficients(grads: tl.tensor, column: tl.constexpr, rows: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """Return the gradients of one column of an image's sums at ``rows``; 0 where masked."""
    return tl.load(grads + rows * N_COLUMNS + column, mask=mask, other=0)
