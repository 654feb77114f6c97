from collections.abc import Sequence

import pytest

from segcli.shapes import explain
from segcli.shapes.flows import follow, styled_expression, styled_formula
from segcli.shapes.report import tables
from segcli.table import AXIS_STYLES, Style, Styled, Table

# One character a style, so that a line of them stands below the text that it colours.
MARKS: dict[Style, str] = {"": " ", "gone": "-", **{style: str(number) for number, style in enumerate(AXIS_STYLES)}}


def marks(parts: Sequence[tuple[str, Style]]) -> str:
    return "".join(MARKS[style] * len(text) for text, style in parts).rstrip()


@pytest.mark.parametrize(
    ("expr", "specs", "expected", "formula"),
    [
        (
            "src[a, b, :]",
            {"src": "8,16,3", "a": "4,5", "b": "4,5"},
            "    0  0  1",
            # result[i, j, k] = src[a[i, j], b[i, j], k]
            "       0  0  1          0  0     0  0   1",
        ),
        (
            "z[:, 0, :, i]",
            {"z": "2,3,4,5", "i": "6,"},
            "  0  -  1  2",
            # result[j, k, l] = z[j, 0, k, i[l]]
            "       0  1  2      0     1    2",
        ),
        # Moved to the front: the advanced axes are first now.
        ("z[:, i, :, i]", {"z": "2,3,4,5", "i": "6,"}, "  1  0  2  0", "       0  1  2      1    0   2    0"),
        ("x[None, ..., 1:]", {"x": "4,5"}, "  0000  111  22", "       0  1  2      1      2"),
        # An ellipsis that stands for axes of two colours has none of them.
        ("x[..., 0]", {"x": "2,3,4"}, "       -", "       0  1      0  1"),
        ("x.argmax(dim=1)", {"x": "2,3,4"}, " --------------", "       0  1        -         0  -  1"),
        ("x.max(1)[0]", {"x": "2,3"}, " -------", "       0             -      0  -"),
        ("x.sum(0)[1:].sum()", {"x": "2,3"}, " ------- -- ------", "                  -                 -"),
        # result[0, j] = max over i of x[m.nonzero()[i, 0], m.nonzero()[i, 1], j]
        (
            "x[m].amax(0, True)",
            {"x": "2,3,4", "m": "bool:2,3"},
            "  0 00000000000000",
            "          1             -                  -                  -      1",
        ),
        ("x[0][:, i]", {"x": "2,3,4", "i": "5,"}, "  -  0  1", "       0  1         0    1"),
    ],
)
def test_an_axis_keeps_its_colour(expr: str, specs: dict[str, str], expected: str, formula: str) -> None:
    explanation = explain(expr, specs)
    flows = follow(explanation)
    assert marks(styled_expression(explanation, flows)) == expected
    assert explanation.formula is not None
    assert marks(styled_formula(explanation.formula, explanation, flows).spans) == formula


def test_there_are_more_axes_than_colours() -> None:
    explanation = explain("x", {"x": "1,2,3,4,5,6,7,8"})
    flows = follow(explanation)
    assert [flows.result(axis) for axis in range(8)] == [*AXIS_STYLES, *AXIS_STYLES[:2]]


def test_an_error_has_no_colours() -> None:
    explanation = explain("x[:, 9]", {"x": "2,3"})
    assert marks(styled_expression(explanation, follow(explanation))) == ""


def test_styles_say_nothing_that_the_text_does_not() -> None:
    title = tables(explain("x[m, 0].max(dim=1)", {"x": "8,16,3", "m": "bool:8"}))[0].title
    assert isinstance(title, Styled)
    assert str(title) == "x[m, 0].max(dim=1)  ->  values (nonzero(m),) float32, indices (nonzero(m),) int64"


def styles_in(table: Table, column: int) -> list[str]:
    """Return the styles of a column's cells, as marks below their text."""
    cells = [row[column] for row in table.rows]
    return [marks(cell.spans) if isinstance(cell, Styled) else "" for cell in cells]


def test_the_broadcast_table_has_the_colours_of_the_axes() -> None:
    table = tables(explain("x + y", {"x": "4,1,6", "y": "5,6"}))[2]
    assert [styles_in(table, column) for column in (1, 2, 3)] == [["0", "", "0"], ["1", "1", "1"], ["2", "2", "2"]]


def test_both_libraries_have_the_colours_of_the_leading_one() -> None:
    assert styles_in(tables(explain("y[0, :, i]", {"y": "2,3,4", "i": "2,"}))[-1], 1) == [" 0  1", " 1  0"]
    # Which of two equal sizes is which, a shape does not say.
    assert styles_in(tables(explain("y[0, :, i]", {"y": "2,3,4", "i": "3,"}))[-1], 1) == [" 0  1", ""]
    assert styles_in(tables(explain("w[0, :, :, i]", {"w": "2,3,3,4", "i": "5,"}))[-1], 1) == [" 0  1  2", ""]
    two = tables(explain("x.max(1)", {"x": "4,5,6"}))[-1]
    assert styles_in(two, 1)[0] == "        0  1            0  1"
