from fractions import Fraction
from typing import Any

import pytest

from segcli.errors import SegcliError
from segcli.loss.cases import Case, cases_of, losses_that_apply, points_of
from segcli.loss.settings import LossSettings
from segcli.loss.sweep import check_swept, parse_sweep


@pytest.mark.parametrize(
    ("texts", "axes"),
    [
        (["thresh=0.5:0.95:0.05"], {"thresh": (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)}),
        (["n_min=1/64,1/16,1000"], {"n_min": (Fraction(1, 64), Fraction(1, 16), 1000)}),
        (["gamma=2,0,2", "smooth=1e-5"], {"gamma": (2.0, 0.0), "smooth": (1e-5,)}),
        (["THRESH=0.9:0.5:-0.2"], {"thresh": (0.9, 0.7, 0.5)}),
        (["n-min=100:300:100"], {"n_min": (100, 200, 300)}),
        (["gamma=0:1:0.3,5"], {"gamma": (0.0, 0.3, 0.6, 0.9, 5.0)}),
        (["gamma=1:1:1"], {"gamma": (1.0,)}),
        ([], {}),
    ],
)
def test_axes(texts: list[str], axes: dict[str, Any]) -> None:
    assert parse_sweep(texts) == axes


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["thresh"], "names no values"),
        (["thresh="], "names no values"),
        (["tresh=0.5"], "'tresh' is no parameter that can be swept"),
        (["thresh=0.5", "thresh=0.6"], "thresh is given twice"),
        (["thresh=a"], "has 'a', expected a number"),
        (["thresh=nan"], "has 'nan', expected a finite number"),
        (["thresh=1e999"], "has '1e999', expected a finite number"),
        (["thresh=0:1"], "has '0:1', expected FIRST:LAST:STEP"),
        (["thresh=0:1:0"], "whose step of 0 leads away from 1"),
        (["thresh=0:1:-0.1"], "whose step of -0.1 leads away from 1"),
        (["thresh=0:1:1e-9"], "has 1000000001 values, expected at most 10000"),
        (["thresh=0:1:0.001", "gamma=0:1:0.01"], "asks for 101101 points, expected at most 10000"),
        (["n_min=1.5"], "is neither a count nor a share"),
    ],
)
def test_what_is_no_grid_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        parse_sweep(texts)


def test_an_axis_that_changes_nothing_is_refused() -> None:
    with pytest.raises(SegcliError, match="--sweep thresh changes none of ce, dice") as caught:
        check_swept({"thresh": (0.5,)}, ["ce", "dice"])
    assert caught.value.hint == "evaluate one that has it: --loss ohem"


def test_each_loss_is_evaluated_at_the_points_that_change_it() -> None:
    axes = {"thresh": (0.5, 0.6), "n_min": (10, 20), "gamma": (1.0,)}
    cases = cases_of(LossSettings(), "multiclass", ("ce", "ohem", "focal"), axes)
    assert [case.key for case in cases] == [
        "ce",
        "ohem",
        "focal",
        "ohem thresh=0.5 n_min=10",
        "ohem thresh=0.5 n_min=20",
        "ohem thresh=0.6 n_min=10",
        "ohem thresh=0.6 n_min=20",
        "focal gamma=1.0",
    ]
    assert cases[4].parameters["thresh"] == 0.5
    assert cases[4].parameters["n_min"] == 20
    assert points_of("ce", axes) == []


def test_parameters_that_are_none_are_left_to_the_loss() -> None:
    dice, generalized = cases_of(LossSettings(), "multiclass", ("dice", "generalized-dice"), {})
    assert generalized.parameters["smooth"] == 0
    assert dice == Case("dice", (), {"squared": False, "smooth": 1.0, "reduce": "image", "absent": "skip"})


def test_the_only_class_of_binary_has_no_weight_in_a_region_loss() -> None:
    settings = LossSettings(class_weights=(1.0, 2.0))
    bce, dice = cases_of(settings, "binary", ("bce", "dice"), {})
    assert bce.parameters["weight"] == (1.0, 2.0)
    assert "weight" not in dice.parameters


def test_losses_go_by_the_mode() -> None:
    usual = LossSettings()
    assert losses_that_apply(usual, "multiclass", "x.pt") == ("ce", "ohem", "dice", "focal")
    assert losses_that_apply(usual, "binary", "x.pt") == ("ohem", "dice", "focal", "bce")
    named = LossSettings(losses=("lovasz", "lovasz-softmax"), all_that_apply=False)
    assert losses_that_apply(named, "multiclass", "x.pt") == ("lovasz-softmax",)
    with pytest.raises(SegcliError, match=r"lovasz-softmax does not apply to x.pt, whose logits are binary"):
        losses_that_apply(named, "binary", "x.pt")
