"""Draws the picture of losses.md: what ``thresh`` and ``n_min`` mean, on the sorted losses of 32 pixels.

Every bar is a loss that torch computed, and every line and number what segcli's OHEM chose.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segcli.nn import OhemCrossEntropyLoss, OhemSelection

N_PIXELS = 32
THRESH, N_MIN = 0.7, 8

BAR, GAP, PANEL_GAP = 8, 2, 64
TOP, HEIGHT, LEFT = 132, 200, 52
# The height of a panel as a loss.
MOST = 2.5
HARD, TAKEN, EASY = "#c4005a", "#a35200", "#d0d0d0"
LINE, INK, GREY = "#0050d8", "#1a1a1a", "#555555"


@dataclass(frozen=True)
class Panel:
    """A network at one time of its training.

    Attributes:
        title: When.
        lead: By how much the logit of the label leads, on average.
    """

    title: str
    lead: float


PANELS = (Panel("Early in training", 0.9), Panel("Late in training", 2.8))


def draw() -> str:
    """Return the picture as SVG."""
    panel_width = N_PIXELS * (BAR + GAP)
    width, height = LEFT + 2 * panel_width + PANEL_GAP + 24, TOP + HEIGHT + 106
    caption = f"OHEM with thresh = {THRESH:g} and n_min = {N_MIN}: the losses of {N_PIXELS} pixels, hardest first"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{caption}" font-family="ui-monospace, monospace" font-size="12">'
    )
    parts = [
        head,
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(24, 28, caption, size=14, weight=600),
    ]
    for place, panel in enumerate(PANELS):
        parts += _panel(panel, LEFT + place * (panel_width + PANEL_GAP), panel_width)
    legend = ((HARD, "kept: above the line of thresh"), (TAKEN, "kept: to make up n_min"), (EASY, "left out"))
    x = LEFT
    for fill, words in legend:
        parts.append(f'<rect x="{x}" y="{height - 30}" width="12" height="12" fill="{fill}"/>')
        parts.append(_text(x + 18, height - 20, words, ink=GREY))
        x += 18 + 7.3 * len(words) + 34
    return "\n".join([*parts, "</svg>"]) + "\n"


def pixels(panel: Panel) -> tuple[Tensor, Tensor]:
    """Return binary logits and labels (1, 32), spread evenly about the lead and out of order."""
    place = torch.arange(N_PIXELS, dtype=torch.float64)
    spread = (place * 13 % N_PIXELS) / (N_PIXELS - 1) - 0.5
    labels = (place % 3 == 0).long()
    lead = panel.lead + 5.2 * spread
    return torch.where(labels == 1, lead, -lead).unsqueeze(0), labels.unsqueeze(0)


def _panel(panel: Panel, left: float, width: float) -> list[str]:
    logits, labels = pixels(panel)
    chosen = OhemCrossEntropyLoss(THRESH, N_MIN, mode="binary").select(logits, labels)
    losses = functional.binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none").flatten()
    order = losses.argsort(descending=True)
    parts = [_text(left, 58, panel.title, size=13, weight=600), *_told(left, chosen)]
    kept = chosen.share.flatten()
    for place, pixel in enumerate(order.tolist()):
        loss = losses[pixel].item()
        fill = EASY if not kept[pixel] else HARD if loss > -math.log(THRESH) else TAKEN
        x, y = left + place * (BAR + GAP), _y(loss)
        parts.append(f'<rect x="{x:g}" y="{y:.1f}" width="{BAR}" height="{TOP + HEIGHT - y:.1f}" fill="{fill}"/>')
    return parts + _axes(left, width) + _thresh(left, width) + _n_min(left, losses[order[N_MIN - 1]].item(), chosen)


def _told(left: float, chosen: OhemSelection) -> list[str]:
    enough = chosen.branch == "hard"
    first = f"{chosen.n_hard} hard {'≥' if enough else '&lt;'} n_min {N_MIN}: {'thresh' if enough else 'n_min'} decides"
    second = f"{chosen.n_kept} kept, loss {chosen.loss.item():.3f}"
    return [_text(left, 78, first, ink=GREY), _text(left, 96, second, ink=GREY)]


def _axes(left: float, width: float) -> list[str]:
    base = TOP + HEIGHT
    ticks = [
        part
        for loss in range(int(MOST) + 1)
        for part in (
            f'<path d="M{left - 8:g} {_y(loss):.1f} h5" stroke="{GREY}"/>',
            _text(left - 14, _y(loss) + 4, f"{loss}", ink=GREY, anchor="end"),
        )
    ]
    return [
        f'<path d="M{left - 3:g} {TOP} V{base} H{left + width:g}" fill="none" stroke="{GREY}"/>',
        *ticks,
        _text(left + width, base + 18, "pixels, hardest first", ink=GREY, anchor="end"),
        _text(left - 14, TOP - 12, "loss", ink=GREY, anchor="middle"),
    ]


def _thresh(left: float, width: float) -> list[str]:
    bound = -math.log(THRESH)
    y = _y(bound)
    return [
        f'<path d="M{left - 3:g} {y:.1f} h{width + 3:g}" stroke="{LINE}" stroke-width="1.5" stroke-dasharray="6 4"/>',
        _text(left + width, y - 8, f"-log(thresh) = {bound:.3f}", ink=LINE, anchor="end"),
    ]


def _n_min(left: float, loss: float, chosen: OhemSelection) -> list[str]:
    x, base = left + N_MIN * (BAR + GAP) - GAP / 2, TOP + HEIGHT
    words = f"loss in place n_min: {loss:.3f}"
    side = "above the line" if chosen.branch == "hard" else f"so the effective thresh is {chosen.threshold:.3f}"
    return [
        f'<path d="M{x:g} {TOP + 14} V{base + 28}" stroke="{INK}" stroke-width="1.5"/>',
        _text(x + 8, TOP + 24, words),
        _text(x + 8, TOP + 42, side),
        _text(x, base + 42, f"n_min = {N_MIN}", anchor="middle"),
    ]


def _y(loss: float) -> float:
    return TOP + HEIGHT * (1 - min(loss, MOST) / MOST)


def _text(
    x: float, y: float, words: str, *, size: int = 12, ink: str = INK, weight: int = 400, anchor: str = "start"
) -> str:
    """Return a line of text; ``words`` are escaped already."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{ink}" '
        f'text-anchor="{anchor}" xml:space="preserve">{words}</text>'
    )
