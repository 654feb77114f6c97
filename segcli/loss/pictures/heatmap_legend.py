"""What stands below a heatmap: what it shows, in words and numbers, and what its colours mean."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.loss.pictures.heatmap_paint import IGNORED, N_LEVELS, level_of, paint
from segcli.units import format_count, format_number, format_size

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

_PAPER, _INK, _FAINT_INK = (250, 250, 250), (24, 24, 28), (104, 104, 112)
# Probabilities of the true class that are marked below the colours.
_TICKS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03, 0.01, 0.001)
_MIDDLE_GREY = 128


@dataclass(frozen=True)
class Facts:
    """What the legend says of a picture.

    Attributes:
        name: Of the picture.
        remark: What else is to be said; may be empty.
        shape: Of the pixels.
        threshold: The loss above which a pixel is hard.
        n_valid: Pixels that are not ignored.
        n_kept: Those that were kept.
        n_ignored: Those that are.
        mean: Of the valid pixels' losses.
        largest: Of them.
    """

    name: str
    remark: str
    shape: tuple[int, ...]
    threshold: float
    n_valid: int
    n_kept: int
    n_ignored: int
    mean: float
    largest: float


def draw_legend(facts: Facts, width: int, *, over_picture: bool) -> "Image":
    """Return a strip of ``width`` pixels."""
    from PIL import Image, ImageDraw

    # About 50 letters of text are as wide as the narrowest picture; on a large one more fit.
    size = max(14, width // 80)
    fonts = (_font(size), _font(round(size * 0.8)))
    lines = _lines(facts)
    strip = Image.new("RGB", (width, round(size * (1.45 * len(lines) + 6.2))), _PAPER)
    draw = ImageDraw.Draw(strip)
    top = size * 0.7
    for line, ink in lines:
        draw.text((size, top), _fitting(line, fonts[0], width - 2 * size), fill=ink, font=fonts[0])
        top += 1.45 * size
    _draw_scale(strip, draw, facts, round(top + 0.5 * size), fonts, over_picture=over_picture)
    return strip


def draw_labels(painted: "Image", labels: list[tuple[str, tuple[int, int]]]) -> None:
    """Write words into a picture, at rows and columns of their upper left corners."""
    from PIL import ImageDraw

    draw, size = ImageDraw.Draw(painted), max(14, painted.width // 80)
    font = _font(size)
    for word, (row, column) in labels:
        place = (column + size // 3, row + size // 6)
        draw.text(place, word, fill=_PAPER, font=font, stroke_width=max(1, size // 7), stroke_fill=_INK)


def _lines(facts: Facts) -> list[tuple[str, tuple[int, int, int]]]:
    if not facts.n_valid:
        return [(_titled(facts), _INK), ("every pixel is ignored", _INK)]
    share = f" ({100 * facts.n_kept / facts.n_valid:.3g} %)"
    p, loss = format_number(math.exp(-facts.threshold)), f"{abs(facts.threshold):.3g}"
    ignored = f", {format_count(facts.n_ignored)} ignored" if facts.n_ignored else ""
    lines = [
        (_titled(facts), _INK),
        (f"kept {format_count(facts.n_kept)} of {format_count(facts.n_valid)} valid pixels{share}{ignored}", _INK),
        (f"threshold: p {p}, loss {loss}.  losses: mean {facts.mean:.3g}, largest {facts.largest:.3g}", _FAINT_INK),
    ]
    return [*lines, (_ascii(facts.remark), _FAINT_INK)] if facts.remark else lines


def _titled(facts: Facts) -> str:
    return f"{_ascii(facts.name)}   {format_size(facts.shape)}"


def _draw_scale(
    strip: "Image",
    draw: "ImageDraw",
    facts: Facts,
    top: int,
    fonts: "tuple[FreeTypeFont | ImageFont, FreeTypeFont | ImageFont]",
    *,
    over_picture: bool,
) -> None:
    """Draw the colours of kept pixels and of others, probabilities and losses below, and the hatch at the right."""
    import numpy as np
    from PIL import Image

    size = max(14, strip.width // 80)
    left, right = round(5.2 * size), strip.width - round(7.5 * size)
    height, gap = round(0.9 * size), round(0.25 * size)
    ramp = np.linspace(0, N_LEVELS - 1, right - left).astype(np.uint16)[None].repeat(height, axis=0)
    rows = {"kept": top, "others": top + height + gap, "p": top + 2 * (height + gap), "loss": 0}
    rows["loss"] = rows["p"] + round(1.2 * size)
    strip.paste(Image.fromarray(paint(ramp + np.uint16(N_LEVELS), None)), (left, rows["kept"]))
    strip.paste(
        Image.fromarray(paint(ramp, np.full_like(ramp, _MIDDLE_GREY, np.uint8) if over_picture else None)),
        (left, rows["others"]),
    )
    for word, row in rows.items():
        draw.text((size, row - 0.1 * size), word, fill=_FAINT_INK, font=fonts[1])
    _draw_ticks(draw, facts.threshold, (left, right), rows, size, fonts[1])
    hatch = np.full((height, 2 * height), IGNORED, np.uint16)
    stripe = max(2, strip.width // 200)
    hatched = paint(hatch, np.full_like(hatch, _MIDDLE_GREY, np.uint8) if over_picture else None, stripe=stripe)
    strip.paste(Image.fromarray(hatched), (right + size, rows["kept"]))
    draw.text((right + size + 2.5 * height, rows["kept"] - 0.1 * size), "ignored", fill=_FAINT_INK, font=fonts[1])


def _draw_ticks(
    draw: "ImageDraw",
    threshold: float,
    ends: tuple[int, int],
    rows: dict[str, int],
    size: int,
    font: "FreeTypeFont | ImageFont",
) -> None:
    left, right = ends
    for p in _TICKS:
        loss = abs(-math.log(p))
        x = left + level_of(loss) / (N_LEVELS - 1) * (right - left - 1)
        draw.line((x, rows["p"] - 0.15 * size, x, rows["p"]), fill=_FAINT_INK, width=max(1, size // 14))
        words = {"p": f"{p:g}", "loss": f"{loss:.2g}"}
        for row, word in words.items():
            draw.text((x - font.getlength(word) / 2, rows[row]), word, fill=_INK, font=font)
    x = left + level_of(abs(threshold)) / (N_LEVELS - 1) * (right - left - 1)
    thick = max(2, size // 7)
    box = (x - thick, rows["kept"] - 0.3 * size, x + thick, rows["p"])
    draw.rectangle(box, fill=_PAPER, outline=_INK, width=max(1, thick // 2))


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _ascii(text: str) -> str:
    """Spell out what the font that comes with Pillow has no letters for."""
    return text.encode("ascii", "backslashreplace").decode()


def _fitting(text: str, font: "FreeTypeFont | ImageFont", width: int) -> str:
    """Shorten, from its beginning, what is too long for a line: names end in what tells them apart."""
    if font.getlength(text) <= width:
        return text
    # Halving finds the place in few steps, however long a name is.
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        if font.getlength("..." + text[middle:]) <= width:
            high = middle
        else:
            low = middle + 1
    return "..." + text[low:]
