"""Draws the pictures of shapes.md: how an index walks a 3-d tensor, and where what it finds lands.

Every picture is computed: the index is applied to a tensor that holds the number of each of its elements, so that the
result says which element each of its own came from. The pictures of losses.md and loss.md, which `mining_picture` and
`loss_pictures` draw, are written with them. Run it with ``make golden``; ``make check`` compares.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from pathlib import Path

import loss_pictures
import mining_picture
import numpy as np
import torch

from segcli.shapes import explain

CELL_W, CELL_H, SLANT, GAP = 34, 26, 10, 26
TOP, LEFT = 64, 24
# Of the font at the size of axis names.
LETTER_W = 7
# One for each position along the result's first axis; each has a contrast of 4 and more against white.
INKS = ("#c4005a", "#0050d8", "#007a00", "#a35200", "#8a1fd0", "#007a7a")
FILLS = ("#ffd6e8", "#d6e4ff", "#d5f2d5", "#ffe6cc", "#ecdcff", "#ccf0f0")

Place = tuple[int, ...]


@dataclass(frozen=True)
class Picture:
    """One picture: an index of a tensor ``src``, with what its names hold.

    Attributes:
        name: The file's name.
        expr: The expression.
        shape: The shape of ``src``.
        names: The values of the other names.
        library: Whose rules hold, ``torch`` or ``numpy``.
    """

    name: str
    expr: str
    shape: tuple[int, ...] = (3, 4, 5)
    names: tuple[tuple[str, object], ...] = ()
    library: str = "torch"


PICTURES = (
    Picture("integer", "src[1]"),
    Picture("slice", "src[:, 1:3, ::2]"),
    Picture("pairs", "src[a, b]", names=(("a", [0, 2, 1]), ("b", [3, 0, 2]))),
    Picture("outer", "src[a[:, None], b]", names=(("a", [0, 2]), ("b", [3, 0, 2]))),
    Picture("mask", "src[m]", names=(("m", [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]),)),
    Picture("apart", "src[a, :, b]", names=(("a", [0, 2]), ("b", [4, 1]))),
    Picture("integer-torch", "src[0, :, i]", names=(("i", [4, 1]),)),
    Picture("integer-numpy", "src[0, :, i]", names=(("i", [4, 1]),), library="numpy"),
)


def draw(picture: Picture) -> str:
    """Return a picture as SVG."""
    found = _find(picture)
    source = _Sheets(picture.shape, "src", LEFT)
    result = _Sheets(found.shape, "result", LEFT + source.width + 70)
    inks = {number: place[0] if place else 0 for place, number in _elements(found)}
    numbers = dict(_elements(np.arange(int(np.prod(picture.shape))).reshape(picture.shape)))
    height = TOP + max(source.height, result.height) + 26
    width = result.left + result.width + LEFT
    caption = _caption(picture, found)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(caption)}" font-family="ui-monospace, monospace" font-size="12">'
    )
    parts = [
        head,
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(LEFT, 24, caption, size=14, weight=600),
        _text(LEFT, 44, _values(picture), size=12, ink="#555555"),
        *source.drawn({place: (number, inks.get(number)) for place, number in numbers.items()}),
        _arrow(LEFT + source.width + 14, TOP + source.height / 2),
        *result.drawn({place: (number, inks[number]) for place, number in _elements(found)}),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _find(picture: Picture) -> np.ndarray:
    """Return the number of the element that each element of the result came from."""
    numbers = torch.arange(int(np.prod(picture.shape))).reshape(picture.shape)
    names: dict[str, torch.Tensor] = {"src": numbers}
    for name, values in picture.names:
        tensor = torch.tensor(values)
        names[name] = tensor.bool() if name == "m" else tensor
    arrays = {name: tensor.numpy() for name, tensor in names.items()}
    # Expressions that stand above.
    found = np.asarray(eval(picture.expr, {}, names if picture.library == "torch" else arrays))  # noqa: S307
    told = explain(picture.expr, _specs(picture), lead=picture.library).answer
    if told.shape != found.shape:
        message = f"{picture.expr}: segcli says {told.shape}, {picture.library} {found.shape}"
        raise ValueError(message)
    return found


def _specs(picture: Picture) -> dict[str, str]:
    kinds = {name: "bool:" if name == "m" else "" for name, _ in picture.names}
    shape = ",".join(map(str, picture.shape))
    return {"src": f"int64:{shape}", **{name: f"{kinds[name]}tensor({values})" for name, values in picture.names}}


def _elements(array: np.ndarray) -> list[tuple[Place, int]]:
    return [(place, int(array[place])) for place in product(*(range(size) for size in array.shape))]


def _caption(picture: Picture, found: np.ndarray) -> str:
    library = {"torch": "", "numpy": "   in NumPy"}[picture.library]
    return f"{picture.expr}   {picture.shape} -> {found.shape}{library}"


def _values(picture: Picture) -> str:
    shown = {
        name: str(values).replace("1", "T").replace("0", "F") if name == "m" else values
        for name, values in picture.names
    }
    return "   ".join(f"{name} = {values}" for name, values in shown.items())


def _text(
    x: float, y: float, words: str, *, size: int = 12, ink: str = "#1a1a1a", weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{ink}" '
        f'text-anchor="{anchor}" xml:space="preserve">{escape(words)}</text>'
    )


def _arrow(x: float, y: float) -> str:
    return (
        f'<path d="M{x:g} {y:g} h34 m-9 -6 l9 6 l-9 6" fill="none" stroke="#555555" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


class _Sheets:
    """A tensor as slanted sheets beside one another: its last two axes are rows and columns of a sheet."""

    def __init__(self, shape: Sequence[int], name: str, left: float) -> None:
        padded = (1,) * (3 - len(shape)) + tuple(shape)
        self.shape, self.name, self.left = tuple(shape), name, left
        self.sheets, self.rows, self.columns = padded
        self.sheet_width = self.columns * CELL_W + self.rows * SLANT
        self.width = max(self.sheets * self.sheet_width + (self.sheets - 1) * GAP, len(self._words()) * LETTER_W)
        self.height = self.rows * CELL_H + 18

    def drawn(self, cells: Mapping[Place, tuple[int, int | None]]) -> list[str]:
        parts = []
        # What is picked comes last, so that nothing covers its outline.
        for place, (number, ink) in sorted(cells.items(), key=lambda cell: cell[1][1] is not None):
            parts += self._cell((0,) * (3 - len(place)) + place, number, ink)
        return [*parts, *self._names()]

    def _corner(self, sheet: int, row: int) -> tuple[float, float]:
        x = self.left + sheet * (self.sheet_width + GAP) + (self.rows - row) * SLANT
        return x, TOP + row * CELL_H

    def _cell(self, place: Place, number: int, ink: int | None) -> list[str]:
        sheet, row, column = place
        x, y = self._corner(sheet, row)
        x += column * CELL_W
        fill = "#fafafa" if ink is None else FILLS[ink % len(FILLS)]
        stroke = "#d0d0d0" if ink is None else INKS[ink % len(INKS)]
        corners = f"{x:g},{y:g} {x + CELL_W:g},{y:g} {x + CELL_W - SLANT:g},{y + CELL_H:g} {x - SLANT:g},{y + CELL_H:g}"
        return [
            f'<polygon points="{corners}" fill="{fill}" stroke="{stroke}" stroke-width="{1 if ink is None else 1.5}"/>',
            _text(
                x + (CELL_W - SLANT) / 2,
                y + CELL_H / 2 + 4,
                str(number),
                ink="#9a9a9a" if ink is None else stroke,
                weight=400 if ink is None else 700,
                anchor="middle",
            ),
        ]

    def _words(self) -> str:
        """Say which axis the sheets, the rows and the columns are."""
        kinds = ["sheets", "rows", "columns"][3 - len(self.shape) :]
        return f"{self.name}: " + ", ".join(f"axis {axis} {kind}" for axis, kind in enumerate(kinds))

    def _names(self) -> list[str]:
        return [_text(self.left, TOP + self.height + 6, self._words(), size=11, ink="#555555")]


def main(folder: Path, *, check: bool) -> int:
    """Write every picture, or tell which differ from what is there."""
    stale = []
    texts = {picture.name: draw(picture) for picture in PICTURES} | {"ohem": mining_picture.draw()}
    drawn = {f"{name}.svg": text.encode() for name, text in texts.items()} | loss_pictures.draw()
    for name, content in drawn.items():
        file = folder / name
        if check and (not file.exists() or not loss_pictures.same(file.read_bytes(), content, name)):
            stale.append(name)
        elif not check:
            file.write_bytes(content)
    if stale:
        sys.stderr.write(f"these pictures are not what pictures.py draws: {', '.join(stale)}; run make golden\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent.parent / "pictures", check="--check" in sys.argv))
