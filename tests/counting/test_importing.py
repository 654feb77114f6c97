"""What a user names, and what is near to it."""

import pytest

from segcli.counting.importing import Wanted, find_named
from segcli.errors import SegcliError

FUNCTION = Wanted("function", "a function", "")


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("torch:softmaxx", "did you mean softmax?"),
        ("torch:nope", ""),
        ("colorsys:qqq", "known: "),
        ("segcli.bench.ceilings:nothing", ""),
    ],
    ids=["near", "none near of many", "few", "no names"],
)
def test_only_what_is_near_or_few_is_named(spec: str, hint: str) -> None:
    with pytest.raises(SegcliError, match="has no") as caught:
        find_named(spec, FUNCTION)
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)
