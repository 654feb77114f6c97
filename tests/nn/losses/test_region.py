"""What holds for every region loss: Dice, Tversky, focal Tversky, Jaccard and generalized Dice."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn.losses.region import powered
from tests.nn.losses.regions import KINDS, MODES, agrees, draw, expected

CASES = [
    pytest.param(name, chosen, id=f"{name} {number}")
    for name, kind in KINDS.items()
    for number, chosen in enumerate(kind.settings)
]
SHAPES = {"NC": (4, 3), "NCL": (2, 3, 5), "NCHW": (2, 3, 3, 2), "NCDHW": (2, 3, 2, 1, 3)}


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    """Forget what was compiled: torch compiles one function for eight kinds of inputs at most."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@st.composite
def settings_of(draw_from: st.DrawFn, name: str, mode: str, n_classes: int) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "mode": mode,
        "reduce": draw_from(st.sampled_from(["image", "batch"])),
        "smooth": draw_from(st.sampled_from([0.0, 1e-6, 1.0])),
        "weight": draw_from(
            st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=n_classes, max_size=n_classes)
        ),
    }
    if name == "generalized dice":
        of_weights = st.sampled_from(["square", "simple", "uniform"])
        return chosen | {"weighting": draw_from(of_weights), "absent": draw_from(st.sampled_from(["skip", "count"]))}
    chosen["absent"] = draw_from(st.sampled_from(["skip", "zero", "count"]))
    if name in ("dice", "jaccard"):
        chosen["squared"] = draw_from(st.booleans())
    else:
        chosen["alpha"] = draw_from(st.sampled_from([0.0, 0.3, 1.0, 2.0]))
        chosen["beta"] = draw_from(st.sampled_from([0.5, 0.7]))
    if name == "focal tversky":
        chosen["gamma"] = draw_from(st.sampled_from([0.5, 0.75, 1.0, 2.0]))
    return chosen


@st.composite
def cases(draw_from: st.DrawFn) -> tuple[str, tuple[Tensor, Tensor], dict[str, Any]]:
    name, mode = draw_from(st.sampled_from(list(KINDS))), draw_from(st.sampled_from(MODES))
    shape = draw_from(st.tuples(st.integers(0, 3), st.integers(2, 4), st.integers(0, 12)))
    inputs = draw(
        mode,
        shape,
        ignored=draw_from(st.sampled_from([0.0, 0.3, 0.9])),
        classes=draw_from(st.integers(1, 4)),
        scale=draw_from(st.sampled_from([0.0, 1.0, 5.0, 1e4])),
        seed=draw_from(st.integers(0, 2**16)),
    )
    return name, inputs, draw_from(settings_of(name, mode, 1 if mode == "binary" else shape[1]))


@settings(max_examples=200)
@given(cases())
@example(("dice", draw(classes=1), {"absent": "count", "smooth": 0.0}))
@example(("generalized dice", draw("multilabel", classes=1), {"mode": "multilabel", "absent": "count"}))
@example(("generalized dice", draw(ignored=1.0), {"absent": "count", "smooth": 1.0}))
def test_it_is_what_its_definition_says(case: tuple[str, tuple[Tensor, Tensor], dict[str, Any]]) -> None:
    name, (logits, labels), chosen = case
    loss = KINDS[name].function(logits, labels, **chosen)
    assert loss.dtype == torch.float64
    # Half a power makes a square root of what rounding leaves of a loss of 0.
    assert agrees(loss.item(), expected(name, logits, labels, chosen), 1e-7 if "gamma" in chosen else 1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_gradients_are_those_of_finite_differences(name: str, chosen: dict[str, Any], reduce: str, mode: str) -> None:
    logits, labels = draw(mode, (2, 3, 3))
    weight = [1.0] if mode == "binary" else [1.0, 0.5, 2.0]

    def loss(x: Tensor) -> Tensor:
        return KINDS[name].function(x, labels, mode=mode, reduce=reduce, weight=weight, **chosen)

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())


@pytest.mark.parametrize("absent", ["skip", "count"])
@pytest.mark.parametrize("name", KINDS)
def test_gradients_beside_an_absent_class_too(name: str, absent: str) -> None:
    logits, labels = draw(classes=2)
    function = KINDS[name].function
    assert torch.autograd.gradcheck(lambda x: function(x, labels, absent=absent), logits.requires_grad_())


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_pixels_may_lie_in_one_two_or_three_dimensions(name: str, chosen: dict[str, Any], layout: str) -> None:
    logits, labels = draw(shape=SHAPES[layout])
    value = KINDS[name].function(logits, labels, **chosen)
    assert agrees(value.item(), expected(name, logits, labels, chosen), 1e-12)
    last = logits.movedim(1, -1).contiguous().movedim(-1, 1)
    torch.testing.assert_close(KINDS[name].function(last, labels, **chosen), value)


@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_the_batch_of_one_image_is_that_image(name: str, chosen: dict[str, Any]) -> None:
    logits, labels = draw(shape=(1, 3, 20))
    function = KINDS[name].function
    assert function(logits, labels, reduce="batch", **chosen) == function(logits, labels, reduce="image", **chosen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_lower_precision_is_computed_in_float32(name: str, chosen: dict[str, Any], dtype: torch.dtype) -> None:
    logits, labels = draw(shape=(2, 3, 40, 50))
    rounded = logits.to(dtype).requires_grad_()
    value = KINDS[name].function(rounded, labels, **chosen)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.dtype == torch.float32
    assert agrees(value.item(), expected(name, rounded.detach().double(), labels, chosen), 2e-6)
    assert rounded.grad is not None
    assert rounded.grad.dtype == dtype
    assert rounded.grad.isfinite().all()


@pytest.mark.parametrize("mode", ["multiclass", "binary"])
@pytest.mark.parametrize("name", KINDS)
def test_half_precision_of_a_large_image_is_finite_and_right(name: str, mode: str) -> None:
    # The sums of 300 x 300 pixels do not fit float16.
    logits, labels = draw(mode, (1, 2, 300, 300))
    half = logits.half().requires_grad_()
    value = KINDS[name].function(half, labels, mode=mode)
    value.backward()  # type: ignore[no-untyped-call]
    want = expected(name, half.detach().double(), labels, {"mode": mode})
    assert agrees(value.item(), want, 1e-6)
    assert half.grad is not None
    assert half.grad.isfinite().all()


DEGENERATE = {
    "nothing valid": ((2, 3, 4), 1.0),
    "empty batch": ((0, 3, 4), 0.0),
    "no pixels": ((2, 3, 0), 0.0),
    "one pixel": ((1, 3), 1.0),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_with_nothing_to_learn_from_it_is_zero_with_a_graph(
    name: str, chosen: dict[str, Any], reduce: str, mode: str, case: str
) -> None:
    shape, ignored = DEGENERATE[case]
    logits, labels = draw(mode, shape, ignored=ignored)
    logits.requires_grad_()
    value = KINDS[name].function(logits, labels, mode=mode, reduce=reduce, **chosen)
    value.backward()  # type: ignore[no-untyped-call]
    assert (value.item(), value.shape) == (0.0, ())
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("absent", ["skip", "count"])
@pytest.mark.parametrize("size", [95.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_saturated_logits_have_finite_gradients(
    name: str, chosen: dict[str, Any], dtype: torch.dtype, size: float, absent: str
) -> None:
    # Class 2 is not there, and its probability is next to nothing: 1 over it does not fit a float32.
    logits = torch.tensor([[[size, 0, -size], [-size, 0, size], [-size, -size, -size]]], dtype=dtype)
    for labels in ([[0, 0, 1]], [[1, 1, 0]], [[0, 1, 0]]):
        x = logits.clone().requires_grad_()
        loss = KINDS[name].function(x, torch.tensor(labels), **(chosen | {"smooth": 0.0, "absent": absent}))
        loss.backward()  # type: ignore[no-untyped-call]
        assert 0 <= loss.item() <= 1
        assert x.grad is not None
        assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", KINDS)
def test_where_nothing_is_wrong_loss_and_gradient_are_zero(name: str) -> None:
    labels = torch.tensor([[0, 1, 2, 1]])
    logits = (torch.nn.functional.one_hot(labels, 3).movedim(-1, 1) * 1e4).float().requires_grad_()
    loss = KINDS[name].function(logits, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    # The gradients of the sums cancel, in float32.
    assert logits.grad.abs().max() < 1e-7


@pytest.mark.parametrize("name", KINDS)
def test_where_all_weights_are_zero_it_is_zero(name: str) -> None:
    logits, labels = draw()
    assert KINDS[name].function(logits.requires_grad_(), labels, weight=[0.0] * 3).item() == 0


@pytest.mark.parametrize("name", KINDS)
def test_weights_must_be_one_a_class(name: str) -> None:
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), expected \(3,\): one a class"):
        KINDS[name].function(*draw(), weight=[1, 2])
    with pytest.raises(ValueError, match=r"weight is \[1.0, -1.0\], expected finite numbers of 0 or more"):
        KINDS[name].module(weight=[1, -1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_probabilities_may_stand_for_logits(name: str, mode: str) -> None:
    logits, labels = draw(mode)
    one, two = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    probabilities = two.softmax(1) if mode == "multiclass" else two.sigmoid()
    ours = KINDS[name].function(one, labels, mode=mode)
    theirs = KINDS[name].function(probabilities, labels, mode=mode, from_logits=False)
    torch.testing.assert_close(theirs, ours)
    torch.testing.assert_close(torch.autograd.grad(theirs, two), torch.autograd.grad(ours, one))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_the_module_is_the_function(name: str, chosen: dict[str, Any], mode: str) -> None:
    logits, labels = draw(mode)
    shared: dict[str, Any] = {"mode": mode, "reduce": "batch", "ignore_index": 255, "backend": "eager"}
    shared["weight"] = [2.0] if mode == "binary" else [1.0, 2.0, 0.0]
    module = KINDS[name].module(**shared, **chosen)
    assert module(logits, labels) == KINDS[name].function(logits, labels, **shared, **chosen)
    assert module.to(torch.float64).weight.dtype == torch.float64  # type: ignore[union-attr]
    assert not module.state_dict()
    parts = module.parts(logits, labels)
    assert parts.loss == module(logits, labels)
    assert parts.losses.shape == parts.counted.shape
    assert len(parts.losses) == 1


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_it_compiles_into_one_graph(name: str, mode: str) -> None:
    logits, labels = draw(mode)
    weight = torch.tensor([1.0]) if mode == "binary" else torch.tensor([1.0, 2.0, 0.5])
    module = KINDS[name].module(mode=mode, weight=weight)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    one, two = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    ours, theirs = module(one, labels), compiled(two, labels)
    assert ours == theirs
    assert torch.equal(*torch.autograd.grad(ours, one), *torch.autograd.grad(theirs, two))


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_the_function_compiles_too_on_probabilities(name: str, chosen: dict[str, Any]) -> None:
    logits, labels = draw()
    function = torch.compile(KINDS[name].function, fullgraph=True, backend="aot_eager")
    value = function(logits.softmax(1), labels, from_logits=False, weight=[1.0, 2.0, 0.5], **chosen)
    torch.testing.assert_close(value, KINDS[name].function(logits, labels, weight=[1.0, 2.0, 0.5], **chosen))


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"smooth": -1.0}, "smooth is -1, expected a finite number of 0 or more"),
        ({"smooth": math.nan}, "smooth is nan"),
        ({"reduce": "sample"}, "reduce is 'sample', expected image or batch"),
        ({"absent": "ignore"}, "absent is 'ignore', expected skip or "),
    ],
)
@pytest.mark.parametrize("name", KINDS)
def test_settings_out_of_range_are_refused(name: str, chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KINDS[name].module(**chosen)
    with pytest.raises(ValueError, match=words):
        KINDS[name].function(*draw(), **chosen)


@pytest.mark.parametrize("name", KINDS)
def test_bad_inputs_name_the_first_bad_place(name: str) -> None:
    logits, labels = draw(ignored=0)
    labels[1, 3] = 7
    with pytest.raises(ValueError, match=r"labels hold 7 at \(1, 3\), expected 0 to 2, or ignore_index 255"):
        KINDS[name].function(logits, labels)
    assert KINDS[name].function(logits, labels, validate=False).isfinite()


@pytest.mark.parametrize("gamma", [0.1, 0.75, 1.0, 2.0])
def test_a_power_of_nothing_has_no_slope(gamma: float) -> None:
    losses = torch.tensor([0.0, -1e-17, 0.25], dtype=torch.float64, requires_grad=True)
    raised = powered(losses, gamma)
    (gradient,) = torch.autograd.grad(raised.sum(), losses)
    assert raised[2].item() == 0.25**gamma
    assert gradient.isfinite().all()
    assert (gamma == 1) == bool(gradient[:2].any())
