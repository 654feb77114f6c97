from hypothesis import given
from hypothesis import strategies as st

from segcli.formats.pickle_memo import Memo

SMALL = st.integers(0, 6)


@given(st.lists(SMALL | st.sampled_from([-1, 10**9, 2**32 - 1]), max_size=20))
def test_it_is_a_dict(indices: list[int]) -> None:
    memo, expected = Memo(), dict[int, int]()
    for value, index in enumerate(indices):
        memo[index] = expected[index] = value
        assert len(memo) == len(expected)
        for asked in (*range(-2, 9), *expected):
            assert (asked in memo) == (asked in expected)
            assert memo.get(asked) == expected.get(asked)
            if asked in expected:
                assert memo[asked] == expected[asked]
