"""Sums of losses: the grammar, and that one read gives what the losses give alone."""

import copy
import io
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from segcli import nn
from segcli.nn import CombinedLoss, combined_loss
from segcli.nn.losses import combined
from segcli.nn.losses.expression import NAMES, Term, parse
from segcli.nn.losses.inputs import read

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 5, 4, dtype=torch.float64, generator=GENERATOR)
LABELS = torch.randint(0, 3, (2, 5, 4), generator=GENERATOR)
LABELS[0, 0] = 255
MASKS = torch.randint(0, 2, (2, 3, 5, 4), generator=GENERATOR)
MASKS[1, :, 0] = 255

# Of all parts, settings that are not the default.
SETTINGS: dict[str, dict[str, Any]] = {
    "ce": {"weight": [1.0, 2.0, 0.5], "mean": "valid"},
    "ohem": {"thresh": 0.4, "n_min": 3},
    "bce": {"pos_weight": 2.0},
    "focal": {"gamma": 1.5, "alpha": 0.25},
    "dice": {"squared": True, "smooth": 0.5, "reduce": "batch"},
    "generalized-dice": {"smooth": 0.1},
    "jaccard": {"smooth": 0.0},
    "tversky": {"alpha": 0.4, "absent": "count"},
    "focal-tversky": {"gamma": 0.5},
    "lovasz-softmax": {"classes": "all", "reduce": "batch"},
    "lovasz-hinge": {"weight": [1.0, 0.0, 2.0]},
}


@pytest.mark.parametrize(
    ("expression", "terms"),
    [
        ("ce", [("ce", 1)]),
        ("ce + 0.5 * dice", [("ce", 1), ("dice", 0.5)]),
        ("dice*.5-2e-1*CE", [("dice", 0.5), ("ce", -0.2)]),
        ("- focal_tversky + 1. * lovasz-softmax", [("focal-tversky", -1), ("lovasz-softmax", 1)]),
        ("+ohem", [("ohem", 1)]),
    ],
)
def test_what_an_expression_means(expression: str, terms: list[tuple[str, float]]) -> None:
    assert parse(expression) == tuple(Term(*term) for term in terms)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", r"the loss '' has the end, expected a number or the name of a loss"),
        ("ce +", r"has the end, expected a number or the name of a loss"),
        ("ce 0.5", r"has '0.5' at character 4, expected \+, - or the end"),
        ("0.5 dice", r"has 'dice' at character 5, expected \* and the name of a loss"),
        ("2 * 3 * dice", r"has '3' at character 5, expected the name of a loss"),
        ("dice * ce", r"has 'ce' at character 8, expected a number"),
        ("ce + (dice)", r"has '\(' at character 6"),
        ("__import__('os')", r"has '_' at character 1"),
        ("ce + ce", r"has ce twice, expected once: add up the factors"),
        ("ce + dise", r"there is no loss 'dise', did you mean dice\? There are ce, ohem"),
        ("lovasz", r"there is no loss 'lovasz', did you mean lovasz-"),
        ("ce-dice", r"there is no loss 'ce-dice': set a minus apart, ce - dice"),
    ],
)
def test_what_is_no_expression_says_where(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(expression)


@given(
    st.lists(st.tuples(st.sampled_from([*NAMES]), st.floats(0, 1e6)), min_size=1, max_size=5, unique_by=lambda t: t[0])
)
def test_what_is_written_is_read(terms: list[tuple[str, float]]) -> None:
    written = " + ".join(f"{factor!r} * {name}" for name, factor in terms)
    assert parse(written) == tuple(Term(*term) for term in terms)


@given(st.text(alphabet="ce dice0.5*+-()_ohem\n", max_size=20))
def test_any_text_is_an_expression_or_refused_in_words(text: str) -> None:
    try:
        terms = parse(text)
    except ValueError as error:
        assert "loss" in str(error)  # noqa: PT017 - any of the errors
    else:
        assert terms


def names_of(mode: str) -> list[str]:
    return [
        name for name in NAMES if name not in (("bce", "lovasz-hinge") if mode == "multiclass" else ("lovasz-softmax",))
    ]


def alone(name: str, mode: str, **settings: Any) -> torch.nn.Module:  # noqa: ANN401 - settings of any loss
    kind = getattr(nn, NAMES[name][1])
    return kind(**settings, **({} if name == "lovasz-softmax" else {"mode": mode}))  # type: ignore[no-any-return]


@pytest.mark.parametrize("from_logits", [True, False], ids=["logits", "probabilities"])
@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_its_parts_are_the_losses_alone(mode: Any, *, from_logits: bool) -> None:  # noqa: ANN401 - one of the modes
    labels = LABELS if mode == "multiclass" else MASKS
    names = names_of(mode)
    given = LOGITS if from_logits else LOGITS.softmax(1) if mode == "multiclass" else LOGITS.sigmoid()
    own: dict[str, Any] = {name.replace("-", "_"): SETTINGS[name] for name in names}
    factors = [0.5 + n for n in range(len(names))]
    expression = " + ".join(f"{factor} * {name}" for factor, name in zip(factors, names, strict=True))
    criterion = CombinedLoss(expression, mode=mode, from_logits=from_logits, **own)
    x, y = LOGITS.clone().requires_grad_(), given.clone().requires_grad_()
    parts, total = criterion.parts(y, labels), criterion(y, labels)
    expected = {name: alone(name, mode, **SETTINGS[name])(x, labels) for name in names}
    torch.testing.assert_close(parts, expected)
    summed = torch.stack([factor * expected[name] for factor, name in zip(factors, names, strict=True)]).sum()
    torch.testing.assert_close(total, summed)
    if from_logits:
        torch.testing.assert_close(torch.autograd.grad(total, y), torch.autograd.grad(summed, x))
    torch.testing.assert_close(combined_loss(y, labels, expression, mode=mode, from_logits=from_logits, **own), total)


def test_binary_has_no_class_axis() -> None:
    x, y = LOGITS[:, 0], MASKS[:, 0]
    parts = CombinedLoss("bce + dice + lovasz-hinge", mode="binary").parts(x, y)
    assert parts["bce"] == nn.bce_with_logits_loss(x, y, mode="binary")
    assert parts["dice"] == nn.dice_loss(x, y, mode="binary")
    assert parts["lovasz-hinge"] == nn.lovasz_hinge_loss(x, y)


def test_all_but_lovasz_come_from_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def counted(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - handed on
        reads.append(settings)
        return read(*args, **settings)

    monkeypatch.setattr(combined, "read", counted)
    CombinedLoss(" + ".join(names_of("multiclass")))(LOGITS, LABELS)
    CombinedLoss("ce + focal", focal={"gamma": 0.5})(LOGITS, LABELS)
    CombinedLoss("lovasz-softmax")(LOGITS, LABELS)
    assert [(asked["pixels"], asked["squares"], asked["gamma"]) for asked in reads] == [
        (True, False, 2.0),
        (False, False, 0.5),
    ]


def test_a_factor_of_minus_one_takes_away() -> None:
    torch.testing.assert_close(
        combined_loss(LOGITS, LABELS, "ce - dice"),
        nn.cross_entropy_loss(LOGITS, LABELS) - nn.dice_loss(LOGITS, LABELS),
    )


@pytest.mark.parametrize("expression", ["ce + dice", "ce + lovasz-softmax", "lovasz-softmax"])
def test_bad_values_are_named_whatever_reads_first(expression: str) -> None:
    bad = LOGITS.clone()
    bad[1, 0, 2, 3] = torch.inf
    with pytest.raises(ValueError, match=r"logits hold inf at \(1, 0, 2, 3\), expected finite numbers"):
        combined_loss(bad, LABELS, expression)
    with pytest.raises(ValueError, match=r"labels hold 7 at \(1, 4, 3\)"):
        combined_loss(
            LOGITS, LABELS.index_put((torch.tensor(1), torch.tensor(4), torch.tensor(3)), torch.tensor(7)), expression
        )
    assert combined_loss(bad, LABELS, expression, validate=False).shape == ()


@pytest.mark.parametrize(
    ("expression", "settings", "words"),
    [
        ("ce", {"dice": {"smooth": 1}}, "settings are given for dice, expected those of ce: 'ce'"),
        ("ce", {"dise": {}}, "there is no loss 'dise', did you mean dice"),
        ("dice", {"dice": {"smoth": 1}}, "dice is given 'smoth', which is none of its settings, expected smooth, "),
        ("dice", {"dice": {"mode": "binary"}}, "dice is given 'mode', which is one for all parts"),
        ("ce", {"ce": {"from_logits": False}}, "ce is given 'from_logits', which is one for all parts"),
        ("dice", {"dice": {"smooth": -1}}, "smooth is -1, expected a finite number of 0 or more"),
        ("lovasz-softmax", {"mode": "binary"}, "mode is 'binary', expected multiclass for lovasz-softmax"),
        ("ce + bce", {}, "mode is 'multiclass', expected multilabel or binary"),
    ],
)
def test_settings_that_do_not_belong_are_refused(expression: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CombinedLoss(expression, **settings)


def test_it_keeps_weights_moves_them_and_has_no_state() -> None:
    criterion = CombinedLoss("ce + dice", ce={"weight": [1, 2, 3]}, dice={"weight": [1, 1, 0]})
    assert not criterion.state_dict()
    assert [name for name, _ in criterion.to(torch.float64).named_buffers()] == [
        "losses.ce.weight",
        "losses.dice.weight",
    ]
    stored = io.BytesIO()
    torch.save(criterion, stored)
    stored.seek(0)
    for again in (copy.deepcopy(criterion), torch.load(stored, weights_only=False)):
        assert again(LOGITS, LABELS) == criterion(LOGITS, LABELS)
    assert repr(criterion).startswith("CombinedLoss(\n  'ce + dice', mode='multiclass', ignore_index=255\n")


def test_it_is_one_graph_for_compile() -> None:
    criterion = CombinedLoss("ce + 0.5 * dice + ohem + 2 * lovasz-softmax")
    values: list[tuple[Tensor, Tensor]] = []
    for loss in (criterion, torch.compile(criterion, fullgraph=True, backend="aot_eager")):
        x = LOGITS.clone().requires_grad_()
        value = loss(x, LABELS)
        values.append((value.detach(), *torch.autograd.grad(value, x)))
    torch.testing.assert_close(values[1], values[0])
