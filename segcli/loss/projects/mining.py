"""OHEM by the rules of all projects, and where they leave ours."""

import math
from dataclasses import dataclass
from fractions import Fraction

from segcli.loss.projects.chain import Chain
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.region import many
from segcli.nn.losses.ohem import ohem_of
from segcli.nn.losses.ohem_kept import kept_of
from segcli.nn.losses.ohem_semantics import Semantics

NMin = int | Fraction


@dataclass(frozen=True)
class Mined:
    """What a project keeps.

    Attributes:
        chain: From our number to theirs.
        error: What it raises in place of a number.
    """

    chain: Chain
    error: str = ""


def mined(reads: Reads, semantics: Semantics) -> Mined:
    """Go from our rule to a project's: what ``n_min`` means, what is kept, what it is divided by."""
    chain = Chain(our_ohem(reads))
    n_min, words = _their_n_min(reads, semantics)
    chain = chain.then("n_min", words, _exact(reads, _as_exact(reads, semantics, n_min)))
    try:
        kept = kept_of(reads.found, n_min, semantics, None)
    except IndexError as error:
        reason = str(error).removeprefix(f"semantics '{semantics}' ")
        return Mined(chain.then("error", f"it {reason}", math.nan), "IndexError")
    losses, divisor = float(kept.sums[:, 0].sum()), float(kept.divisor)
    # Ignored pixels that are kept have no label to be counted by.
    n_kept = kept.choice.n_kept
    words = _selection_words(reads, semantics, n_kept, kept.choice.n_min)
    if not n_kept:
        return Mined(chain.then("selection", words, 0.0 if divisor else math.nan))
    chain = chain.then("selection", words, losses / n_kept)
    words = f"divided by all {many(reads.n_pixels, 'pixel')} and not by the {n_kept:,} kept"
    if semantics == "paddle":
        words = "0.00001 of all pixels is added to how many are kept"
    return Mined(chain.then("divisor", words, losses / divisor))


def our_ohem(reads: Reads) -> float:
    """Return ours."""
    return _exact(reads, reads.settings.n_min)


def _exact(reads: Reads, n_min: NMin) -> float:
    return ohem_of(reads.found, n_min=n_min).loss.item()


def _their_n_min(reads: Reads, semantics: Semantics) -> tuple[NMin, str]:
    """Return ``n_min`` as the project is given it; bisenet has its own."""
    asked = reads.settings.n_min
    if semantics == "bisenet":
        return Fraction(1, 16), "n_min is always 1/16 of the valid pixels"
    if semantics == "mmseg" and isinstance(asked, int):
        return asked, f"n_min {asked:,} is for each of {many(reads.n_images, 'image')}"
    if semantics == "hrnet":
        return asked, "n_min is 1 at least"
    return asked, "n_min 0 switches mining off: all that is valid is kept"


def _as_exact(reads: Reads, semantics: Semantics, n_min: NMin) -> NMin:
    """Return the same for our rule: the count that the project arrives at."""
    count = n_min if isinstance(n_min, int) else math.floor(n_min * reads.n_valid)
    if semantics == "mmseg" and isinstance(n_min, int):
        return n_min * reads.n_images
    if semantics == "hrnet":
        return max(1, count)
    return Fraction(1) if semantics in ("paddle", "torchseg") and not count else n_min


def _selection_words(reads: Reads, semantics: Semantics, n_kept: int, n_min: int) -> str:
    kept, n_valid = many(n_kept, "pixel"), reads.n_valid
    if not n_kept:
        return "nothing is kept" + (": nothing is valid" if not n_valid else "")
    if semantics in ("notes", "bisenet"):
        taken = many(n_kept - n_valid, "ignored pixel")
        return f"n_min {n_min:,} is above the {many(n_valid, 'valid pixel')}: {taken} with a loss of 0 kept too"
    if semantics == "torchseg":
        return f"what ties with the n_min-th pixel, or has a probability of exactly thresh, is kept too: {kept}"
    return f"what is not strictly below its bound is left out, the n_min-th pixel itself too: {kept} kept"
