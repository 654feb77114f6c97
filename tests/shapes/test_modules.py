"""Layers that learn nothing, ``nn.Sequential`` and ``F.pixel_shuffle``, beside real PyTorch."""

import random

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.tensorrun import TensorRunner
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.sampling_cases import holds

_DTYPES = ["float32", "float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"]
_SHAPES = ["2,8,4,6", "2,8,4,6", "8,4,6", "4,6", "5,", "()", "2,7,4,6", "2,0,4,6", "3,2,8,4,6"]
_LAYERS = [
    "nn.ReLU()",
    "nn.ReLU(inplace=True)",
    "nn.Sigmoid()",
    "nn.Tanh()",
    "nn.GELU()",
    "nn.GELU(approximate='tanh')",
    "nn.SiLU()",
    "nn.SiLU(True)",
    "nn.LeakyReLU(0.2)",
    "nn.LeakyReLU(0.2, inplace=True)",
    "nn.Hardswish()",
    "nn.ELU(1.0, True)",
    "nn.Softmax(dim=1)",
    "nn.Softmax()",
    "nn.Softmax(3)",
    "nn.LogSoftmax(dim=-1)",
    "nn.Flatten()",
    "nn.Flatten(0)",
    "nn.Flatten(2, 3)",
    "nn.Identity()",
    "nn.Identity(54, unused=True)",
    "nn.Dropout()",
    "nn.Dropout(0)",
    "nn.Dropout(1.0)",
    "nn.Dropout(0.1, inplace=True)",
    "nn.Dropout(2)",
    "nn.Dropout('a')",
    "nn.Dropout2d()",
    "nn.Dropout2d(0.1)",
    "nn.Unfold(3)",
    "nn.Unfold(3, padding=1)",
    "nn.Unfold((2, 3), stride=2)",
    "nn.PixelShuffle(2)",
    "nn.PixelShuffle(1)",
    "nn.PixelShuffle(3)",
    "nn.PixelShuffle(0)",
    "nn.PixelShuffle(2.0)",
    "nn.PixelShuffle()",
    "nn.ReLU(1, 2)",
    "nn.Flatten(foo=1)",
]


def _case(expr: str, spec: str, dtype: str) -> Case:
    shape = [] if spec == "()" else [int(size) for size in spec.split(",") if size]
    return Case(expr, "", {"x": f"{dtype}:{spec}"}, {"x": torch.zeros(shape, dtype=getattr(torch, dtype))})


@pytest.mark.parametrize("layer", _LAYERS)
def test_layers(layer: str) -> None:
    rng = random.Random(layer)
    for spec in _SHAPES:
        check(_case(f"{layer}(x)", spec, rng.choice(_DTYPES)))
    for dtype in sorted(set(_DTYPES)):
        check(_case(f"{layer}(x)", "2,8,4,6", dtype))
    check(_case(f"{layer}(x, x)", "2,8,4,6", "float32"))


def test_pixels_that_are_shuffled() -> None:
    for expr in ("F.pixel_shuffle(x, 2)", "torch.pixel_shuffle(x, upscale_factor=-1)", "F.pixel_shuffle(x, 2, 3)"):
        for spec in _SHAPES:
            check(_case(expr, spec, "float32"))
    holds(
        "F.pixel_shuffle(x, 2)",
        {"x": "2,8,3,2"},
        "result[i, j, k, l] = x[i, j*4 + k % 2 * 2 + l % 2, k // 2, l // 2]",
    )
    holds("F.pixel_shuffle(x, 1)", {"x": "2,3,2"}, "result[i, j, k] = x[i, j, k]")
    explanation = explain("F.pixel_shuffle(x, 2)", {"x": "N,C,H,W"})
    assert explanation.torch.shape == ("N", "C // 4", "2*H", "2*W")
    assert explanation.needs == ("C % 4 == 0",)
    assert explain("F.pixel_shuffle(x, y.size(0))", {"x": "N,64,H,W", "y": "R,"}).formula is None


@pytest.mark.parametrize("layer", [layer for layer in _LAYERS if layer.endswith("()") and "Pixel" not in layer])
def test_numpy_has_other_words_for_it(layer: str) -> None:
    explanation = explain(f"{layer}(x)", {"x": "2,8,4,6"})
    assert explanation.numpy.error is not None
    assert explanation.differs.startswith(f"NumPy has no {layer[3:-2]}: ")


def test_what_a_layer_is_made_with_must_be_known() -> None:
    with pytest.raises(SegcliError, match="the value of p is not known, and a layer is made with it"):
        explain("nn.Dropout(p)(x)", {"x": "2,3", "p": "float32:()"})


@pytest.mark.parametrize(
    "expr",
    [
        "nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))(x)",
        "nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(8))(x)",
        "nn.Sequential(nn.Conv2d(3, 4, 3))(x)",
        "nn.Sequential(nn.Sequential(nn.Conv2d(8, 4, 1), nn.Identity()), nn.Flatten(1), nn.Linear(96, 10))(x)",
        "nn.Sequential()(x)",
        "nn.Sequential(nn.Flatten())(x).sum()",
        "nn.Sequential(nn.ReLU())(x, x)",
        "nn.Sequential(x)(x)",
        "nn.Sequential(3)(x)",
        "nn.Sequential(nn.Flatten(1, 2), nn.Softmax(dim=3))(x)",
        "nn.Sequential(nn.Identity(), nn.Flatten())(x[:, 0])",
    ],
)
def test_layers_one_after_another(expr: str) -> None:
    check(_case(expr, "2,8,4,6", "float32"))
    assert confirm(explain(expr, {"x": "2,8,4,6"}), TensorRunner(is_known)).agrees is True


def test_each_layer_is_a_step_of_its_own() -> None:
    expr = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())(x)"
    explanation = explain(expr, {"x": "N,3,H,W"})
    assert [(step.stage, step.token) for step in explanation.steps] == [
        (0, "nn.Conv2d(3, 8, 3)"),
        (0, "8"),
        (0, "3"),
        (0, "3"),
        (1, "8"),
        (1, "nn.BatchNorm2d(8)"),
        (2, "nn.ReLU()"),
    ]
    assert explanation.torch.shape == ("N", 8, "H - 2", "W - 2")
    assert explanation.numpy.error is not None
    assert explanation.numpy.error.message == "module 'numpy' has no attribute 'Sequential'"


def test_an_error_is_at_its_layer() -> None:
    expr = "nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(9), nn.ReLU())(x)"
    error = explain(expr, {"x": "2,3,8,8"}).torch.error
    assert error is not None
    assert (error.token, error.start) == ("9", expr.index("9"))
    error = explain("nn.Sequential(nn.ReLU(), nn.Linear(9, 2))(x)", {"x": "2,3,8,8"}).torch.error
    assert error is not None
    assert (error.token, error.axis) == ("nn.Linear(9, 2)", error.axis)
    error = explain("nn.Sequential(nn.ReLU())()", {}).torch.error
    assert error is not None
    assert error.message == "Sequential.forward() missing 1 required positional argument: 'input'"


@pytest.mark.parametrize(
    "layers",
    [
        "OrderedDict([('conv', 1)])",
        "conv=nn.ReLU()",
        "*x.split(1)",
        "nn.ReLU",
    ],
)
def test_layers_with_names_are_refused(layers: str) -> None:
    with pytest.raises(SegcliError, match=r"without names|nn\.ReLU is not a value"):
        explain(f"nn.Sequential({layers})(x)", {"x": "2,3"})


def test_a_chain_has_an_end() -> None:
    with pytest.raises(SegcliError, match="more than 64 layers"):
        explain(f"nn.Sequential({'nn.ReLU(), ' * 65})(x)", {"x": "2,3"})


def test_a_chain_alone_is_no_tensor() -> None:
    with pytest.raises(SegcliError, match="a layer alone has no shape"):
        explain("nn.Sequential(nn.ReLU())", {})


def test_what_a_factor_must_divide_is_read_by_python() -> None:
    assert explain("F.pixel_shuffle(x, k)", {"x": "N,C,k,W"}).needs == ("C % (k*k) == 0",)
    assert explain("F.pixel_shuffle(x, 2)", {"x": "N,4,H,W"}).needs == ()
    assert explain("F.pixel_unshuffle(x, 4)", {"x": "N,C,8,W"}).needs == ("W % 4 == 0",)
