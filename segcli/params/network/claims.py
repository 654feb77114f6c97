"""Checks what a paper or a README says of a network against its counts, and looks for the slip behind a difference."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import prod
from typing import NamedTuple

from segcli.counting.result import ByMode, Network
from segcli.errors import SegcliError
from segcli.units import format_size

QUANTITIES = ("params", "macs", "flops")
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
# Height and width.
Size = tuple[int, int]
_CLAIM = re.compile(
    rf"\s*({'|'.join(QUANTITIES)})\s*=\s*([0-9][0-9_,]{{0,20}})(\.[0-9]{{1,9}})?\s*([kmgbt]?)\s*", re.IGNORECASE
)
# The sizes for which papers print figures: ImageNet's, and those of segmentation's data sets and their crops.
_SIZES = (
    (224, 224), (256, 256), (299, 299), (320, 320), (384, 384), (448, 448), (480, 480), (512, 512), (640, 640),
    (1024, 1024), (360, 640), (352, 640), (360, 480), (720, 960), (480, 640), (480, 854), (512, 1024), (768, 1536),
    (1024, 2048), (640, 1280), (720, 1280), (1080, 1920), (713, 713), (769, 769),
)  # fmt: skip
# A size that nobody named is less likely than two other slips.
_SLIPS_OF_SIZE = 3
_BYTES = (("float32", 4), ("float16", 2))
_MEBI = Decimal(2**20) / 10**6
# A reading that is no further off explains a claim where none fits: versions of one network differ by as much.
_NEAR = 0.2
# What is further off than by half is told as a multiple.
_HALF = 0.5
_MAX_READINGS = 5
_MAX_NEAR = 3
_MAX_NAMED = 3


@dataclass(frozen=True)
class Claim:
    """A number that somebody printed.

    Attributes:
        text: As it was given.
        quantity: ``params``, ``macs`` or ``flops``.
        value: The number.
        digit: What one more in its last printed digit is.
    """

    text: str
    quantity: str
    value: Decimal
    digit: Decimal

    def fits(self, number: Decimal) -> bool:
        """Tell whether a number is the claim's to its printed digits, rounded or cut off."""
        return -self.digit / 2 <= number - self.value < self.digit


@dataclass(frozen=True)
class Reading:
    """What a claim might mean.

    Attributes:
        words: In words.
        value: What would then have been printed.
        off: By what part of it the claim is above (or, negative, below).
        fits: Whether it agrees to the printed digits.
        slips: How many things would have to be mistaken for others; 0 as stated. A size that is one of many counts as
            three: it explains almost anything.
    """

    words: str
    value: float
    off: float
    fits: bool
    slips: int


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        network: Which network it is of.
        claim: As it was given.
        counted: The count that is nearest to it, as stated.
        holds: Whether it agrees with a count to its printed digits, as stated: in training or in evaluation.
        readings: The count, then the readings that explain the claim, the likeliest first.
        words: The verdict in a sentence.
    """

    network: str
    claim: str
    counted: int | None
    holds: bool
    readings: tuple[Reading, ...]
    words: str


def parse_claim(text: str) -> Claim:
    """Read a claim.

    Raises:
        SegcliError: For anything but ``params=``, ``macs=`` or ``flops=`` and a number such as ``49M`` or ``21.15G``.

    Examples:
        >>> parse_claim("flops=21.15G").value, parse_claim("params=49M").digit
        (Decimal('21150000000.00'), Decimal('1000000'))
    """
    match = _CLAIM.fullmatch(text)
    if match is None:
        message = f"--claim {text!r} is no claim, expected {'=, '.join(QUANTITIES)}= and a number"
        raise SegcliError(message, hint="--claim params=49M --claim flops=21.15G")
    quantity, whole, decimals, suffix = match.groups(default="")
    scale = _SCALES[suffix.lower()]
    digits = max(0, len(decimals) - 1)
    value = Decimal(re.sub("[_,]", "", whole) + decimals) * scale
    return Claim(text.strip(), quantity.lower(), value, Decimal(scale).scaleb(-digits))


class _Meant(NamedTuple):
    """What may have been meant; one of so many that some one nearly fits anything explains nothing by being near."""

    value: Decimal
    words: str
    slips: int
    among_many: bool = False


def judge(claim: Claim, network: Network, published: Size | None = None) -> Verdict:
    """Hold a claim against a network's counts.

    A claim holds only as stated; a slip explains it, and it is wrong all the same.

    Args:
        claim: The claim.
        network: The counts.
        published: Height and width for which the network's figures are published, where that is known.
    """
    found = sorted(_readings(claim, network, published), key=lambda one: (one.slips, abs(one.off)))
    if not found:
        words = f"{claim.quantity} could not be counted"
        return Verdict(network.name, claim.text, None, holds=False, readings=(), words=words)
    stated = [one for one in found if not one.slips]
    fitting = [one for one in found if one.fits and one.slips]
    # One of many sizes is looked for where nothing better fits.
    likely = [one for one in fitting if one.slips < _SLIPS_OF_SIZE]
    near = [one for one in found if one.slips and abs(one.off) <= _NEAR][:_MAX_NEAR]
    holds = stated[0].fits
    explained = [] if holds else likely or fitting or near
    readings = (*stated, *explained)[: _MAX_READINGS + len(stated)]
    return Verdict(network.name, claim.text, round(stated[0].value), holds, readings, _words(stated[0], explained))


def _words(stated: Reading, explained: list[Reading]) -> str:
    if stated.fits:
        return f"holds: {stated.words}"
    off = f"does not hold: it is {_distance(stated.off)} the count"
    if not explained:
        return f"{off}, and no slip that is known explains it"
    first = explained[0]
    if first.fits:
        return f"{off}, and fits as {'; or as '.join(one.words for one in explained[:_MAX_NAMED])}"
    return f"{off}; nearest to it is {first.words}, which it is {_distance(first.off)}"


def _distance(off: float) -> str:
    """Say how far a claim lies from a number: in percent where it is near, as a multiple elsewhere."""
    if abs(off) > _HALF:
        return f"{1 + off:.3g} times"
    return f"{100 * abs(off):.2g}% {'above' if off > 0 else 'below'}"


def _readings(claim: Claim, network: Network, published: Size | None) -> Iterator[Reading]:
    counts = _of_params(network) if claim.quantity == "params" else _of_operations(claim.quantity, network, published)
    for one in counts:
        off = float((claim.value - one.value) / one.value) if one.value else 0.0
        fits = claim.fits(one.value)
        if fits or not one.among_many:
            yield Reading(one.words, float(one.value), off, fits, one.slips)


def _named(counts: ByMode) -> list[tuple[int, str]]:
    """Return the counts of both modes, in words; once where they are the same."""
    if counts.train == counts.eval or counts.train is None or counts.eval is None:
        return [] if counts.shown is None else [(counts.shown, "")]
    return [(counts.eval, " without auxiliary heads"), (counts.train, " with auxiliary heads")]


def _of_params(network: Network) -> Iterator[_Meant]:
    for count, heads in _named(network.params):
        for added, beside in [(0, ""), *([(network.buffers, " and buffers")] if network.buffers else [])]:
            total = Decimal(count + added)
            yield _Meant(total, f"parameters{beside}{heads}", int(bool(beside)))
            for dtype, size in _BYTES:
                of = f"of parameters{beside} in {dtype}{heads}"
                yield _Meant(total * size, f"megabytes {of}", 1 + bool(beside))
                yield _Meant(total * size / _MEBI, f"mebibytes {of}", 1 + bool(beside))
    if network.trainable != network.params.train:
        yield _Meant(Decimal(network.trainable), "trainable parameters alone", 1)


def _of_operations(quantity: str, network: Network, published: Size | None) -> Iterator[_Meant]:
    other = {"macs": "FLOPs", "flops": "MACs"}[quantity]
    stated = {"macs": "MACs", "flops": "FLOPs"}[quantity]
    for (count, heads), name in product(_named(network.macs), (stated, other)):
        total = Decimal(count * (2 if name == "FLOPs" else 1))
        mistaken = "" if name == stated else f", taken for {stated}"
        yield _Meant(total, f"{name}{heads}{mistaken}", int(bool(mistaken)))
        for size in _other_sizes(network.size, published):
            is_published = size == published
            at = f"{format_size(size)}{' (the size of its published figures)' if is_published else ''}"
            slips = (1 if is_published else _SLIPS_OF_SIZE) + bool(mistaken)
            elsewhere = total * prod(size) / prod(network.size)
            yield _Meant(elsewhere, f"{name}{heads} at {at}{mistaken}", slips, among_many=not is_published)


def _other_sizes(asked: Sequence[int], published: Size | None) -> list[Size]:
    """Return the sizes that may have been meant instead: that of a network's published figures, and the usual ones."""
    sizes = {*_SIZES, *([published] if published else [])}
    return [size for size in sorted(sizes) if len(asked) == len(size) and prod(size) != prod(asked)]
