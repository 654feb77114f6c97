"""Convolutions, plain and transposed, as functions and as layers, beside real PyTorch."""

from collections.abc import Iterator

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.layer.affine import add, floored
from tests.shapes.agreement import check
from tests.shapes.cases import Case


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    """With one thread, kernels of 1 x 1 are PyTorch's own and refuse what oneDNN's take."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("expr", "specs", "shape"),
    [
        ("F.conv2d(x, w)", {"x": "2,3,8,8", "w": "4,3,3,3"}, (2, 4, 6, 6)),
        ("F.conv2d(x, w)", {"x": "3,8,8", "w": "4,3,3,3"}, (4, 6, 6)),
        ("F.conv1d(x, w, stride=2, dilation=3)", {"x": "2,3,20", "w": "4,3,3"}, (2, 4, 7)),
        ("F.conv3d(x, w, padding=(1, 0, 2))", {"x": "1,2,4,5,6", "w": "6,2,3,1,5"}, (1, 6, 4, 5, 6)),
        ("F.conv2d(x, w, padding='same', dilation=2)", {"x": "2,3,8,9", "w": "4,3,4,3"}, (2, 4, 8, 9)),
        ("F.conv2d(x, w, None, 2, 'valid')", {"x": "2,3,8,9", "w": "4,3,4,3"}, (2, 4, 3, 4)),
        ("F.conv2d(x, w, groups=6)", {"x": "2,6,8,8", "w": "12,1,3,3"}, (2, 12, 6, 6)),
        ("F.conv_transpose2d(x, w, stride=2, padding=1)", {"x": "2,6,8,8", "w": "6,3,4,4"}, (2, 3, 16, 16)),
        ("F.conv_transpose2d(x, w, groups=2)", {"x": "2,6,8,8", "w": "6,3,2,2"}, (2, 6, 9, 9)),
        ("nn.Conv2d(3, 64, 7, stride=2, padding=3)(x)", {"x": "8,3,224,224"}, (8, 64, 112, 112)),
        ("nn.ConvTranspose2d(8, 4, 3, 2, 1, 1)(x)", {"x": "8,16,16"}, (4, 32, 32)),
        ("nn.ConvTranspose2d(8, 4, 3, 2, 1)(x, output_size=(32, 31))", {"x": "1,8,16,16"}, (1, 4, 32, 31)),
        ("F.conv2d(x, w)", {"x": "2,0,8,8", "w": "4,0,3,3"}, (2, 0, 6, 6)),
        ("nn.Conv2d(3, 64, 7, stride=2, padding=3)(x)", {"x": "N,3,H,W"}, ("N", 64, "ceil(H / 2)", "ceil(W / 2)")),
        ("nn.Conv2d(3, 8, 3, padding=1)(x)", {"x": "N,3,H,W"}, ("N", 8, "H", "W")),
        ("nn.Conv2d(3, 8, 3)(x)", {"x": "N,3,H,W"}, ("N", 8, "H - 2", "W - 2")),
        ("nn.Conv2d(3, 8, 2, 2)(x)", {"x": "N,3,H,W"}, ("N", 8, "H // 2", "W // 2")),
        ("nn.Conv2d(3, 8, 11, 4, 2)(x)", {"x": "N,3,H,W"}, ("N", 8, "(H - 3) // 4", "(W - 3) // 4")),
        ("nn.ConvTranspose2d(3, 8, 4, 2, 1)(x)", {"x": "N,3,H,W"}, ("N", 8, "2*H", "2*W")),
        ("nn.Conv2d(8, 3, 3, 2, 1)(nn.ConvTranspose2d(3, 8, 4, 2, 1)(x))", {"x": "3,H,W"}, (3, "H", "W")),
        ("F.conv2d(x, w)", {"x": "N,C,H,W", "w": "O,C,k,k"}, ("N", "O", "H - k + 1", "W - k + 1")),
        ("F.conv2d(x, w, groups=x.size(1))", {"x": "N,C,8,8", "w": "C,1,3,3"}, ("N", "C", 6, 6)),
        ("F.conv1d(x, w, stride=x.size(0))", {"x": "N,3,8", "w": "4,3,3"}, ("N", 4, "5 // N + 1")),
        ("F.conv1d(x, w, padding='same')", {"x": "2,3,L", "w": "4,3,k"}, (2, 4, "L")),
        ("nn.Conv2d(3, 8, 3, padding=1, padding_mode='reflect')(x)", {"x": "N,3,H,W"}, ("N", 8, "H", "W")),
        (
            "nn.ConvTranspose1d(4, 2, 3, 2, 1)(x, output_size=(x.size(2) * 2,))",
            {"x": "N,4,L"},
            ("N", 2, "2*L"),
        ),
    ],
)
def test_shapes_by_hand(expr: str, specs: dict[str, str], shape: tuple[int | str, ...]) -> None:
    answer = explain(expr, specs).torch
    assert answer.error is None
    assert answer.shape == shape


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("F.conv2d(x, w)", {"x": "N,C,H,W", "w": "4,3,5,5"}, ("C == 3", "H >= 5", "W >= 5")),
        ("F.conv2d(x, w, padding=2)", {"x": "N,3,H,W", "w": "4,3,5,5"}, ()),
        ("F.conv2d(x, w)", {"x": "N,C,H,W", "w": "4,D,1,1"}, ("C == D",)),
        ("F.conv2d(x, w, b)", {"x": "N,3,8,8", "w": "O,3,1,1", "b": "B,"}, ("B == O",)),
        ("F.conv2d(x, w, groups=2)", {"x": "N,C,8,8", "w": "O,3,1,1"}, ("O % 2 == 0", "C == 6")),
        ("F.conv2d(x, w)", {"x": "N,3,8,8", "w": "O,3,k,1"}, ("k <= 8",)),
        ("F.conv2d(x, w)", {"x": "N,3,H,8", "w": "O,3,k,1"}, ("H >= k",)),
        ("F.conv_transpose1d(x, w, padding=3)", {"x": "N,3,L", "w": "3,1,3"}, ("L >= 5",)),
    ],
)
def test_needs_of_unknown_sizes(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    assert explain(expr, specs).needs == needs


_CHANNELS = (
    "Given groups=1, weight of size [4, 3, 3, 3], expected input[{}, 4, 8, 8] to have 3 channels, "
    "but got 4 channels instead"
)
_SMALL = (
    "Calculated padded input size per channel: (10 x 2). Kernel size: (3 x 3). "
    "Kernel size can't be greater than actual input size"
)
_STRIDE = "non-positive stride is not supported"
_LONG = "Input type (long int) and bias type (float) should be the same"
_MISSING = "Conv2d.__init__() missing 1 required positional argument: 'kernel_size'"


@pytest.mark.parametrize(
    ("expr", "specs", "words", "token"),
    [
        ("F.conv2d(x, w)", {"x": "2,4,8,8", "w": "4,3,3,3"}, _CHANNELS.format(2), ("x", 1)),
        ("nn.Conv2d(3, 4, 3)(x)", {"x": "4,8,8"}, _CHANNELS.format(1), ("x", 0)),
        ("F.conv2d(x, w, padding=(1, 0))", {"x": "2,3,8,2", "w": "4,3,3,3"}, _SMALL, ("x", 3)),
        (
            "F.conv2d(x, w, stride=0)",
            {"x": "3,8,8", "w": "4,3,3,3"},
            "non-positive stride is not supported",
            ("0", None),
        ),
        ("nn.Conv2d(3, 4, 3)(x)", {"x": "int64:2,3,8,8"}, _LONG, ("x", None)),
        ("nn.Conv2d(3, 4, 3, groups=2)(x)", {"x": "3,8,8"}, "in_channels must be divisible by groups", ("2", None)),
        ("nn.Conv2d(3, 4)(x)", {"x": "2,3,8,8"}, _MISSING, ("nn.Conv2d(3, 4)", None)),
    ],
)
def test_errors_by_hand(expr: str, specs: dict[str, str], words: str, token: tuple[str, int | None]) -> None:
    error = explain(expr, specs).torch.error
    assert error is not None
    assert error.message == words
    assert (error.token, error.axis) == token


def pinned(expr: str, **specs: str) -> Case:
    """Build a case by hand, of zeros."""
    tensors = {}
    for name, spec in specs.items():
        dtype, _, shape = spec.rpartition(":")
        sizes = [int(size) for size in shape.split(",") if size]
        tensors[name] = torch.zeros(sizes, dtype=getattr(torch, dtype or "float32"))
    return Case(expr, "", {name: spec if "," in spec else f"{spec}," for name, spec in specs.items()}, tensors)


@pytest.mark.parametrize(
    "case",
    [
        pinned("F.conv2d(x, w, padding=2)", x="2,0,8,8", w="4,0,3,3"),
        pinned("F.conv2d(x, w, dilation=0)", x="0,3,8,8", w="4,3,3,3"),
        pinned("F.conv2d(x, w, dilation=0)", x="2,3,8,8", w="4,3,3,3"),
        pinned("F.conv2d(x, w, groups=2)", x="2,6,8,8", w="5,3,3,3"),
        pinned("F.conv2d(x, w, groups=2)", x="2,6,8,8", w="1,3,3,3"),
        pinned("F.conv2d(x, w)", x="float64:2,3,8,8", w="float64:4,3,0,3"),
        pinned("F.conv2d(x, w)", x="0,3,8,8", w="4,3,0,3"),
        pinned("F.conv2d(x, w)", x="2,3,8,8", w="4,3,0,3"),
        pinned("F.conv3d(x, w)", x="float64:2,3,8,8,8", w="float64:4,3,0,3,3"),
        pinned("F.conv2d(x, w, padding='same')", x="2,4,8,8", w="4,3,2,2"),
        pinned("F.conv2d(x, w, padding='full')", x="2,3,8,8", w="4,3,2,2"),
        pinned("F.conv_transpose2d(x, w, dilation=0)", x="float64:2,3,8,8", w="float64:3,4,3,3"),
        pinned("F.conv_transpose2d(x, w, dilation=0)", x="2,3,8,8", w="3,4,3,3"),
        pinned("F.conv_transpose2d(x, w, dilation=0, stride=2)", x="2,3,1,1", w="3,4,2,2"),
        pinned("F.conv_transpose2d(x, w, padding=5)", x="float64:2,3,8,8", w="float64:3,4,3,3"),
        pinned("F.conv_transpose1d(x, w, padding=5)", x="float64:2,3,8", w="float64:3,4,3"),
        pinned("F.conv_transpose2d(x, w, padding=5)", x="2,3,8,8", w="3,4,3,3"),
        pinned("F.conv_transpose2d(x, w, padding=6)", x="2,3,8,8", w="3,4,3,3"),
        pinned("F.conv_transpose2d(x, w, padding=6)", x="0,3,8,8", w="3,4,3,3"),
        pinned("F.conv_transpose2d(x, w)", x="float64:2,3,8,8", w="float64:3,0,3,3"),
        pinned("F.conv_transpose2d(x, w, output_padding=1)", x="2,3,8,8", w="3,4,3,3"),
        pinned("F.conv_transpose2d(x, w, b)", x="int64:2,3,8,8", w="int64:3,4,3,3", b="4"),
        pinned("F.conv_transpose2d(x, w, b)", x="float64:2,3,8,8", w="float64:3,4,3,3", b="4"),
        pinned("F.conv_transpose3d(x, w, b)", x="float64:2,3,8,8,8", w="float64:3,4,3,3,3", b="4"),
        pinned("F.conv_transpose2d(x, w)", x="int32:2,3,8,8", w="int32:3,4,3,3"),
        pinned("F.conv2d(x, w, dilation=2)", x="int32:2,3,8,8", w="int64:4,3,3,3"),
        pinned("F.conv2d(x, w)", x="int32:2,3,8,8", w="int64:4,3,3,3"),
        pinned("F.conv2d(x, w, b, padding='valid')", x="float64:2,3,8,8", w="float64:4,3,3,3", b="4"),
        pinned("F.conv2d(x, w)", x="2,3,8,8", w="float64:4,3,3,3"),
        pinned("F.conv2d(x, w)", x="complex64:2,3,8,8", w="4,3,3,3"),
        pinned("F.conv1d(x, w, padding=1)", x="2,3,0", w="4,3,1"),
        pinned("nn.Conv2d(3, 4, 3, dtype=torch.complex64)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, dtype=torch.int64)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, dtype='float32')(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, groups='2')(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, None, 3)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d('3', 4, 3)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding='same', stride=2)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, -3)(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode=['zeros'])(x)", x="0,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='reflect', padding=8)(x)", x="2,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='circular', padding=9)(x)", x="2,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='circular', padding=-5)(x)", x="2,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding=(-2, 0))(x)", x="2,3,3,8"),
        pinned("nn.Conv2d(3, 4, (2, 3), padding_mode='replicate', padding='same')(x)", x="2,3,3,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding='valid')(x)", x="2,3,3,8"),
        pinned("F.conv2d(x, w, padding='same', stride=(1, 1, 1))", x="2,3,8,8", w="4,3,3,3"),
        pinned("F.conv2d(x, w, padding='same', dilation=(1, 1, 1))", x="2,3,8,8", w="4,3,3,3"),
        pinned("F.conv2d(x, w, padding='same', stride=2)", x="2,3,8,8", w="4,3,3,3"),
        pinned("F.conv2d(x, w, padding='same')", x="2,3,8,8", w="4,3,3"),
        pinned("F.conv2d(x, w, padding='same', dilation=2)", x="2,3,8,8", w="4,3,0,3"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding=-1)(x)", x="2,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding=1)(x)", x="bool:2,3,8,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding=1)(x)", x="2,3,0,8"),
        pinned("nn.Conv2d(3, 4, 3, padding_mode='replicate', padding=1)(x)", x="8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, padding_mode='reflect')(x)", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3)(x, output_size=3)", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3)(x, output_size=(10,))", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=[3, 3])", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=x.shape)", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=(17.0, 17))", x="2,3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, 2)(x, output_size=(17, 17))", x="3,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, None)(x, output_size=(17, 17))", x="3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3, (2,))(x, output_size=(17, 17))", x="3,8,8"),
        pinned("nn.ConvTranspose2d(3, 4, 3)(3 + x.dim(), output_size=(17, 17))", x="3,8,8"),
    ],
    ids=lambda case: f"{case.expr} {case.specs}",
)
def test_pinned(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    ("expr", "refused"),
    [
        ("nn.Conv2d(3, 4, 3, device='cuda')(x)", "only the CPU"),
        ("nn.Conv2d(3, 4, 3, bias=x)(x)", "whether x is true is not known"),
        ("nn.Conv2d(3, 10**12, 10**6)(x)", "more than 2"),
    ],
)
def test_what_is_not_supported_is_refused(expr: str, refused: str) -> None:
    with pytest.raises(SegcliError, match=refused):
        explain(expr, {"x": "2,3,8,8"})


def test_an_unknown_padding_of_a_layer() -> None:
    # PyTorch prints a set, whose order changes from process to process.
    error = explain("nn.Conv2d(3, 4, 3, padding='full')(x)", {"x": "2,3,8,8"}).torch.error
    assert error is not None
    assert (error.type, error.token) == ("ValueError", "'full'")
    assert error.message.startswith("Invalid padding string 'full', should be one of {")


def test_groups_that_are_not_known() -> None:
    explanation = explain("nn.Conv2d(6, 4, 3, groups=x.size(0))(x)", {"x": "G,6,8,8"})
    assert explanation.torch.shape == ("G", 4, 6, 6)
    assert "4 % G == 0" in explanation.needs


def test_sums_of_sizes() -> None:
    assert add((1, "(H - 1) + (W + 2)")).size == "H + W + 1"
    assert add((-1, "H"), (-2, "W + 1")).size == "-H - 2*W - 2"
    assert add((1, "-H + 2")).size == "-H + 2"
    assert add((1, floored(add((1, "H // 2"), (-1, 1)), 2).size)).size == "(H - 2) // 4"
