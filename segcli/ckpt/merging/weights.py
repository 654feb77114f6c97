"""What each checkpoint weighs in an average."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from segcli.errors import SegcliError


@dataclass(frozen=True)
class Weights:
    """What each of several files weighs, what their sum is divided by, and how that is called."""

    each: tuple[float, ...]
    total: float
    how: str = "average"


def parse_weights(text: str) -> tuple[float, ...]:
    """Read numbers with commas between; none for an empty text.

    Raises:
        SegcliError: Where a part is no number.

    Examples:
        >>> parse_weights("0.5, 0.5")
        (0.5, 0.5)
    """
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        message = f"--weights is {text!r}, expected numbers with commas between, such as 0.25,0.75"
        raise SegcliError(message) from error


def average_weights(count: int, weights: Sequence[float] = ()) -> Weights:
    """Return equal weights, or those that are given, whose sum need not be 1.

    Raises:
        SegcliError: Where there are not as many as files, or they are not finite, or their sum is 0.

    Examples:
        >>> average_weights(2, [3, 1])
        Weights(each=(3.0, 1.0), total=4.0, how='average')
    """
    if not weights:
        return Weights((1.0,) * count, float(count))
    if len(weights) != count:
        message = f"--weights has {len(weights)} numbers, expected {count}, one for each file"
        raise SegcliError(message)
    total = math.fsum(weights)
    if not all(map(math.isfinite, weights)) or total == 0:
        message = (
            f"--weights are {', '.join(f'{one:g}' for one in weights)}, expected finite numbers that do not sum to 0"
        )
        raise SegcliError(message)
    return Weights(tuple(map(float, weights)), total)


def ema_weights(count: int, decay: float) -> Weights:
    """Return the weights of an exponential moving average that starts at the first file.

    It is ``decay * average + (1 - decay) * file`` for each further file.

    Raises:
        SegcliError: Where the decay does not lie between 0 and 1.

    Examples:
        >>> ema_weights(3, 0.5)
        Weights(each=(0.25, 0.25, 0.5), total=1.0, how='ema')
    """
    if not 0 < decay < 1:
        message = f"--ema is {decay:g}, expected a decay between 0 and 1"
        raise SegcliError(message, hint="0.999 keeps much of what was before; --average weighs all files alike")
    powers = [decay**power for power in range(count - 1, -1, -1)]
    return Weights((powers[0], *(after - before for before, after in pairwise(powers))), 1.0, "ema")
