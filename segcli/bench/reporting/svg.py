"""SVG as text: elements whose names, values and words are escaped, and scales from numbers to places.

Colours are classes, which the page's style sheet gives for light, dark and print.
"""

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10


def element(name: str, /, *inside: str, **attributes: str | float) -> str:
    """Return an element; ``class_`` stands for class, ``_`` in other names for ``-``.

    Args:
        name: Of the element.
        inside: What is in it: elements, or text that `text` has escaped.
        attributes: Numbers are written with two decimals at most.

    Examples:
        >>> element("circle", cx=1.25, cy=2, class_="hot")
        '<circle cx="1.25" cy="2" class="hot"/>'
        >>> element("title", text("a < b"))
        '<title>a &lt; b</title>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def text(words: str) -> str:
    """Return words as they may stand between tags: whatever they hold, they stay words."""
    return escape(words)


def picture(width: float, height: float, label: str, *inside: str) -> str:
    """Return an image of a size in CSS pixels, which shrinks where there is less room."""
    return element(
        "svg", *inside, viewBox=f"0 0 {_value(width)} {_value(height)}", width=width, height=height, role="img",
        aria_label=label, class_="chart",
    )  # fmt: skip


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Scale:
    """Where numbers lie along an axis of a picture.

    Attributes:
        low: The number at ``start``.
        high: The number at ``end``.
        start: A place, in pixels.
        end: A place; vertical axes end above where they start.
        is_log: Whether equal ratios, not equal differences, are equally long.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = True

    def __call__(self, number: float) -> float:
        """Return a number's place, no further than the ends."""
        return self.start + self.share(number) * (self.end - self.start)

    def share(self, number: float) -> float:
        """Return how far along the axis a number is, 0 to 1."""
        if self.is_log:
            share = log10(number / self.low) / log10(self.high / self.low)
        else:
            share = (number - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)

    def powers(self) -> list[float]:
        """Return powers of ten within a logarithmic scale, and three times them where they are few.

        Examples:
            >>> Scale(5, 500, 0, 1).powers()
            [10.0, 30.0, 100.0, 300.0]
        """
        exponents = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        steps = (1.0, 3.0) if self.high / self.low < _FEW_DECADES else (1.0,)
        marks = [step * 10.0**exponent for exponent in exponents for step in steps]
        return [mark for mark in marks if self.low <= mark <= self.high]


_FEW_DECADES = 300
