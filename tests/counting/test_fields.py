"""Patterns of what positions see, without torch."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.counting.fields import PIXELS, Field, PeriodError, joined, nearest, reading, sliced, transposed, windowed


def test_a_pattern_goes_on_in_both_directions() -> None:
    field = nearest(PIXELS, Fraction(1, 2))
    assert [field.at(position)[0] for position in range(-3, 5)] == [-2, -1, -1, 0, 0, 1, 1, 2]


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_a_window_is_as_wide_as_its_dilated_kernel(kernel: int, stride: int, padding: int, dilation: int) -> None:
    field = windowed(PIXELS, kernel, stride, padding, dilation)
    assert (field.size, field.stride) == (dilation * (kernel - 1) + 1, Fraction(stride))
    assert field.at(5)[0] == 5 * stride - padding


def test_a_transposed_convolution_leaves_gaps_where_its_stride_is_the_larger() -> None:
    field = transposed(PIXELS, 1, stride=3)
    assert (field.size, field.stride) == (1, Fraction(1, 3))
    assert windowed(field, 2).size == 1
    assert windowed(field, 4).size == 2


def test_what_sees_nothing_has_no_extent() -> None:
    nothing = reading(PIXELS, 1, 1, lambda _: [])
    assert nothing.size == 0
    assert joined(frozenset((nothing, PIXELS)))[0].size == 1


def test_padding_and_slicing_move_positions() -> None:
    assert sliced(PIXELS, -2).at(2) == (0, 0)
    assert sliced(sliced(PIXELS, 1, 2), 3).at(0) == (7, 7)


def test_paths_of_one_stride_are_one() -> None:
    wide, narrow = windowed(PIXELS, 5, padding=2), windowed(PIXELS, 3, padding=1)
    assert joined(frozenset((wide, narrow))) == (wide,)
    assert [field.stride for field in joined(frozenset((wide, windowed(PIXELS, 1, 2))))] == [1, 2]


def test_patterns_that_get_too_long_are_given_up() -> None:
    one, two = (Field(tuple(range(period)), tuple(range(period)), period) for period in (67, 71))
    with pytest.raises(PeriodError, match=r"^$"):
        joined(frozenset((one, two)))
    with pytest.raises(PeriodError, match=r"^$"):
        nearest(PIXELS, Fraction(4096, 4097))
