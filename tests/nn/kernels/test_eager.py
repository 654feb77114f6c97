"""The tiles of plain torch, against the definitions in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segcli.nn.kernels import eager, softmax_tile
from segcli.nn.kernels.problem import Problem, Wanted
from tests.nn.kernels.agreement import Recipe, check_backward, check_forward, recipes, wanteds


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut drawn problems into several tiles, the last of them short."""
    monkeypatch.setattr(eager, "_CPU_TILE", 2**10)


@settings(max_examples=150)
@given(recipe=recipes(), wanted=wanteds())
def test_forward_is_what_the_definitions_say(recipe: Recipe, wanted: Wanted) -> None:
    check_forward(eager, recipe.problem(), wanted)


@settings(max_examples=150)
@given(recipe=recipes(), seed=st.integers(0, 2**16))
def test_backward_is_what_autograd_says(recipe: Recipe, seed: int) -> None:
    check_backward(eager, recipe.problem(), seed)


@settings(max_examples=50)
@given(data=st.data())
def test_argmax_is_torchs_with_ties_and_nan(data: st.DataObject) -> None:
    n, c, p = data.draw(st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(0, 300)))
    values = torch.tensor([0.0, 1.0, 2.0, float("nan"), float("inf"), -float("inf")])
    logits = values[torch.randint(6, (n, c, p), generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99))))]
    assert torch.equal(eager.argmax(logits), logits.argmax(1))


def test_what_is_not_finite_is_seen() -> None:
    problem = Recipe((1, 3, 8)).problem()
    assert eager.forward(problem, Wanted()).sound.tolist() == [True, True]
    for value in (float("nan"), float("inf"), -float("inf")):
        problem.logits[0, 1, 5] = value
        assert eager.forward(problem, Wanted()).sound.tolist() == [False, True]


def test_argmax_of_more_classes_than_a_byte_counts() -> None:
    logits = torch.randn(2, 300, 40)
    assert torch.equal(eager.argmax(logits), logits.argmax(1))


def test_another_device_is_asked_for_what_it_does_well() -> None:
    # Meta tensors go the way of a device that is not there.
    logits, labels = torch.empty(2, 3, 50, device="meta"), torch.empty(2, 50, device="meta", dtype=torch.uint8)
    problem = Problem(logits, labels, multiclass=True, ignore_index=None, gamma=2.0, bound=0.3)
    assert eager.argmax(logits).shape == (2, 50)
    tile = softmax_tile.read(problem, logits[0], labels[0])
    assert softmax_tile.sums(problem, tile, squares=True).shape == (3, 8)
