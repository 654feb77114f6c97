"""Layers that normalize, beside real PyTorch."""

from itertools import product

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.oracle import ask_torch
from tests.shapes.sampling_cases import made, refused

_NO_MEAN = (
    "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long"
)


def near(expr: str, spec: str, formula: str, over: tuple[int, ...], groups: int = 0) -> None:
    """Assert a formula, and that it says what PyTorch does with means and variances taken as it says."""
    explanation = explain(expr, {"x": spec})
    assert explanation.formula == formula
    x = made({"x": spec})["x"]
    result = ask_torch(expr, {"x": x}).value
    held = x.reshape(x.shape[0], groups, -1) if groups else x
    dims = (2,) if groups else over
    mean, var = held.mean(dims), held.var(dims, correction=0)
    learned = torch.ones(x.shape[-2:] if "(4, 5)" in expr else 9), torch.zeros(x.shape[-2:] if "(4, 5)" in expr else 9)
    names = {"x": x, "mean": mean, "var": var, "weight": learned[0], "bias": learned[1], "sqrt": torch.sqrt}
    left, right = formula.split(" = ")
    letters = left[len("result[") : -1].split(", ")
    for place in product(*(range(size) for size in x.shape)):
        at = dict(zip(letters, place, strict=True))
        # Only formulas that segcli wrote are evaluated here.
        assert float(eval(right, names | at)) == pytest.approx(result[place].item(), abs=1e-3)  # noqa: S307 - see above


def test_formulas() -> None:
    element = "(x[i, j, k, l] - mean[{0}]) / sqrt(var[{0}] + {1})"
    scaled = f"result[i, j, k, l] = {element} * weight[{{2}}] + bias[{{2}}]"
    near("nn.BatchNorm2d(3)(x)", "2,3,4,5", scaled.format("j", "1e-05", "j"), (0, 2, 3))
    near(
        "nn.BatchNorm2d(3, eps=1, bias=False)(x)",
        "2,3,4,5",
        f"result[i, j, k, l] = {element} * weight[j]".format("j", 1),
        (0, 2, 3),
    )
    plain = f"result[i, j, k, l] = {element}"
    near("nn.InstanceNorm2d(3)(x)", "2,3,4,5", plain.format("i, j", "1e-05"), (2, 3))
    near("nn.InstanceNorm3d(2)(x)", "2,3,4,5", plain.format("i", "1e-05"), (1, 2, 3))
    near("nn.LayerNorm((4, 5))(x)", "2,3,4,5", scaled.format("i, j", "1e-05", "k, l"), (2, 3))
    near("nn.GroupNorm(2, 4)(x)", "2,4,3,2", scaled.format("i, j // 2", "1e-05", "j"), (), 2)
    near("nn.GroupNorm(4, 4)(x)", "2,4,3,2", scaled.format("i, j", "1e-05", "j"), (), 4)


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs"),
    [
        ("nn.BatchNorm2d(3)(x)", "2,3,4,5", (2, 3, 4, 5), ()),
        ("nn.BatchNorm2d(19)(x)", "N,C,H,W", ("N", "C", "H", "W"), ("N*H*W >= 2", "C == 19")),
        ("nn.BatchNorm1d(3)(x)", "N,3", ("N", 3), ("N >= 2",)),
        ("nn.BatchNorm2d(x.size(1))(x)", "N,C,4,4", ("N", "C", 4, 4), ()),
        ("nn.BatchNorm2d(x.size(1), affine=False, track_running_stats=False)(x)", "N,C,4,4", ("N", "C", 4, 4), ()),
        ("nn.InstanceNorm2d(3)(x)", "N,C,H,W", ("N", "C", "H", "W"), ("H*W >= 2",)),
        ("nn.InstanceNorm2d(3, affine=True)(x)", "N,C,4,4", ("N", "C", 4, 4), ("C == 3",)),
        ("nn.InstanceNorm2d(x.size(0), affine=True)(x)", "N,C,4,4", ("N", "C", 4, 4), ("N == C",)),
        ("nn.InstanceNorm2d(x.size(1), affine=True)(x)", "N,C,4,4", ("N", "C", 4, 4), ()),
        ("nn.InstanceNorm2d(3, track_running_stats=True)(x)", "2,C,4,4", (2, "C", 4, 4), ("C == 3",)),
        ("nn.LayerNorm(x.shape[1:])(x)", "N,C,H", ("N", "C", "H"), ()),
        ("nn.LayerNorm((4, x.size(0)))(x)", "N,4,H", ("N", 4, "H"), ("H == N",)),
        ("nn.GroupNorm(2, 4)(x)", "N,C,H", ("N", "C", "H"), ("C == 4",)),
        ("nn.GroupNorm(2, 4, affine=False)(x)", "N,C,H", ("N", "C", "H"), ("C % 2 == 0",)),
        ("nn.GroupNorm(x.size(0), 4)(x)", "N,4,H", ("N", 4, "H"), ("4 % N == 0",)),
        ("nn.GroupNorm(2, x.size(1))(x)", "N,C,H", ("N", "C", "H"), ("C % 2 == 0",)),
        ("nn.GroupNorm(2, 2*x.size(1))(x)", "2,C,H", (2, "C", "H"), ("2*C == C",)),
        ("nn.GroupNorm(C, C)(x)", "N,C,H", ("N", "C", "H"), ()),
        ("nn.GroupNorm(C, C, affine=False)(x)", "N,C,H", ("N", "C", "H"), ()),
        ("nn.GroupNorm(1, C)(x)", "N,C,H", ("N", "C", "H"), ()),
    ],
)
def test_shapes_by_hand(expr: str, spec: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, {"x": spec})
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


def test_what_a_batch_norm_says() -> None:
    explanation = explain("nn.BatchNorm2d(3)(x)", {"x": "2,3,4,5"})
    assert [(step.token, step.takes, step.gives, step.effect) for step in explanation.steps] == [
        ("3", (1,), (1,), "one mean and one variance a channel"),
        ("", (0, 2, 3), (0, 2, 3), "a channel's statistics are of 2 * 4 * 5 = 40 values; the shape stays"),
    ]
    assert "mean over n, h, w, of 40 values for each channel" in explanation.broadcasts[0].why
    assert explanation.notes == (
        (
            "as made, the layer is in training mode: it takes the statistics of this batch, and moves running_mean and "
            "running_var towards them"
        ),
        "weight (3,), bias (3,): 6 parameters",
        "buffers: running_mean (3,), running_var (3,), num_batches_tracked (): kept, not learned",
    )
    plain = explain("nn.BatchNorm1d(3, affine=False, track_running_stats=False)(x)", {"x": "2,3"})
    assert plain.notes == ("as made, the layer is in training mode: it takes the statistics of this batch",)


def test_the_warning_of_an_instance_norm() -> None:
    explanation = explain("nn.InstanceNorm2d(3)(x)", {"x": "2,4,4,5"})
    assert "PyTorch warns: axis 1 has 4 channels, num_features=3" in explanation.notes[0]


@pytest.mark.parametrize(
    ("expr", "spec", "kind", "words", "token", "axis"),
    [
        ("nn.BatchNorm2d(3)(x)", "3,4,5", "ValueError", "expected 4D input (got 3D input)", "x", None),
        ("nn.BatchNorm2d(3)(x)", "2,4,4,5", "RuntimeError", "running_mean should contain 4 elements not 3", "3", 1),
        (
            "nn.BatchNorm2d(3)(x)",
            "1,3,1,1",
            "ValueError",
            "Expected more than 1 value per channel when training, got input size torch.Size([1, 3, 1, 1])",
            "x",
            None,
        ),
        (
            "nn.LayerNorm((4, 5))(x)",
            "2,5,4",
            "RuntimeError",
            "Given normalized_shape=[4, 5], expected input with shape [*, 4, 5], but got input of size[2, 5, 4]",
            "(4, 5)",
            1,
        ),
        (
            "nn.GroupNorm(2, 3)(x)",
            "2,3,4",
            "ValueError",
            "num_channels (3) must be divisible by num_groups (2)",
            "2",
            None,
        ),
        (
            "nn.InstanceNorm2d(3, affine=True)(x)",
            "2,4,4,5",
            "ValueError",
            "expected input's size at dim=1 to match num_features (3), but got: 4.",
            "3",
            1,
        ),
        (
            "nn.BatchNorm2d(3, affine=False, track_running_stats=False)(x.transpose(2, 3))",
            "int64:2,3,4,5",
            "RuntimeError",
            _NO_MEAN,
            "x.transpose(2, 3)",
            None,
        ),
        (
            "nn.BatchNorm2d(3, affine=False, track_running_stats=False)(x.permute(0, 3, 1, 2))",
            "int64:2,4,5,3",
            "NotImplementedError",
            "\"batch_norm\" not implemented for 'Long'",
            "x.permute(0, 3, 1, 2)",
            None,
        ),
        (
            "nn.InstanceNorm2d(2, track_running_stats=True)(x)",
            "0,3,4,4",
            "RuntimeError",
            "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
            "2",
            None,
        ),
        (
            "nn.InstanceNorm2d(1, track_running_stats=True)(x)",
            "0,3,4,4",
            "RuntimeError",
            "output with shape [1] doesn't match the broadcast shape [3]",
            "1",
            None,
        ),
        (
            "nn.InstanceNorm2d(2, track_running_stats=True)(x)",
            "int64:1,2,0,4",
            "RuntimeError",
            _NO_MEAN,
            "x",
            None,
        ),
        (
            "nn.InstanceNorm2d(2, track_running_stats=True)(x)",
            "2,3,0,4",
            "RuntimeError",
            "shape '[2, 3]' is invalid for input of size 4",
            "2",
            None,
        ),
        (
            "nn.BatchNorm2d(-1, affine=False)(x)",
            "2,3,4,5",
            "RuntimeError",
            "zeros: Dimension size must be non-negative.",
            "-1",
            None,
        ),
        (
            "nn.BatchNorm2d(3.0)(x)",
            "2,3,4,5",
            "TypeError",
            "empty(): argument 'size' (position 1) must be tuple of ints, not float",
            "3.0",
            None,
        ),
        ("nn.LayerNorm(5.0)(x)", "2,5", "TypeError", "'float' object is not iterable", "5.0", None),
        ("nn.GroupNorm(0, 4)(x)", "2,4", "ZeroDivisionError", "integer modulo by zero", "0", None),
    ],
)
def test_errors(expr: str, spec: str, kind: str, words: str, token: str, axis: int | None) -> None:
    refused(expr, {"x": spec}, kind, words, token, axis)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("nn.BatchNorm2d((3, 1))(x)", "expected the number of channels"),
        ("nn.BatchNorm2d(n)(x)", "expected the number of channels"),
        ("nn.LayerNorm(n[None])(x)", "expected an int or a tuple of ints"),
    ],
)
def test_what_is_not_supported(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "2,3,4,5"} | ({"n": "int64:()"} if "(n" in expr else {}))


def test_more_layers_by_hand() -> None:
    shape = (2, 3, 4, 5)
    assert explain("nn.LayerNorm(n)(x)", {"x": "2,5", "n": "int64:()"}).torch.error is not None
    held = "nn.InstanceNorm2d(2, affine=True, track_running_stats=True)(x)"
    assert explain(held, {"x": "int64:1,2,0,4"}).torch.dtype == "float32"
    assert explain("nn.BatchNorm2d((3,))(x)", {"x": "2,3,4,5"}).torch.shape == shape
    named = explain("nn.InstanceNorm2d(3, affine=True)(x)", {"x": "n:2,c:3,h:4,w:5"})
    assert named.torch.labels == ("n", "c", "h", "w")
    grouped = explain("nn.GroupNorm(2, x.size(1), affine=False)(x)", {"x": "N,C,4,4,4,4"})
    assert grouped.formula is not None
    assert "mean[i, j // (C // 2)]" in grouped.formula


def test_no_groups_at_all() -> None:
    error = explain("nn.GroupNorm(0, C)(x)", {"x": "N,C,H"}).torch.error
    with pytest.raises(ZeroDivisionError, match="zero") as caught:
        torch.nn.GroupNorm(0, 8)
    assert error is not None
    assert (error.type, error.message) == ("ZeroDivisionError", str(caught.value))
