"""Convolutions, plain and transposed, as functions and as layers, beside real PyTorch."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.layer.affine import add, floored
from tests.shapes.agreement import CASES, SEED, check
from tests.shapes.cases import Case, shape_text
from tests.shapes.formulas import check_formula

_COUNT = CASES // 8
_DTYPES = ["float64", "float16", "bfloat16", "int64", "int32", "uint8", "int8", "bool", "complex64", "complex128"]


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    """With one thread, kernels of 1 x 1 are PyTorch's own and refuse what oneDNN's take."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def bind(rng: random.Random, case: Case, name: str, shape: list[int], dtype: str) -> str:
    """Bind a name to a tensor; some are read in another order than they are stored."""
    made = torch.zeros(shape, dtype=getattr(torch, dtype))
    text = name
    if len(shape) > 1 and rng.random() < 0.15:
        made = made.transpose(0, 1).contiguous()
        text = f"{name}.transpose(0, 1)"
    case.tensors[name] = made
    case.specs[name] = f"{dtype}:{shape_text(tuple(made.shape))}"
    return text


def one_of(rng: random.Random, usual: list[str], odd: list[str], *, chance: float = 0.06) -> str:
    return rng.choice(odd if rng.random() < chance else usual)


def sizes(rng: random.Random, axes: int, low: int, high: int) -> str:
    """Write an int, or a list of them."""
    if rng.random() < 0.5:
        return str(rng.randint(low, high))
    listed = ", ".join(str(rng.randint(low, high)) for _ in range(axes))
    return rng.choice([f"({listed},)", f"[{listed}]"])


_ODD_SIZES = [
    "0",
    "-1",
    "(1,)",
    "()",
    "[]",
    "(1, 2, 1, 1)",
    "1.0",
    "None",
    "True",
    "(1, 1.5, 1)",
    "(True, 1)",
    "(1, True)",
]


def arguments(rng: random.Random, axes: int, *, transposed: bool, layer: bool) -> dict[str, str]:
    made = {}
    if rng.random() < 0.4:
        made["stride"] = one_of(rng, [sizes(rng, axes, 1, 3)], _ODD_SIZES)
    if rng.random() < 0.5:
        text = ["'same'", "'valid'"] if not transposed or rng.random() < 0.1 else []
        usual = [sizes(rng, axes, 0, 2), sizes(rng, axes, 0, 5), *text]
        made["padding"] = one_of(rng, usual, [*_ODD_SIZES, "'full'", "'same'"])
    if rng.random() < 0.25:
        made["dilation"] = one_of(rng, [sizes(rng, axes, 1, 2)], _ODD_SIZES)
    if transposed and rng.random() < 0.4:
        made["output_padding"] = one_of(rng, [sizes(rng, axes, 0, 1)], [*_ODD_SIZES, "2"], chance=0.1)
    if layer and rng.random() < 0.3:
        made["bias"] = rng.choice(["True", "False", "None", "1", "()"])
    if layer and not transposed and rng.random() < 0.15:
        made["padding_mode"] = rng.choice(["'zeros'", "'reflect'", "'circular'", "'replicate'", "'wrap'", "1"])
    if layer and rng.random() < 0.06:
        made["dtype"] = rng.choice(
            ["torch.float64", "torch.float16", "None", "torch.int64", "'float32'", "torch.complex64"]
        )
    return made


def input_shape(rng: random.Random, axes: int, channels: int) -> list[int]:
    shape = [rng.choice([0, 1, 1, 2, 2, 3]), channels, *(rng.choice([1, 2, 3, 4, 5, 6, 7, 8]) for _ in range(axes))]
    if rng.random() < 0.06:
        shape[rng.randrange(len(shape))] = 0
    if rng.random() < 0.25:
        shape = shape[1:]
    if rng.random() < 0.05:
        shape = rng.choice([[], shape[1:], [2, *shape], shape[2:]])
    return shape


def joined(rng: random.Random, positional: list[str], named: dict[str, str], order: list[str]) -> str:
    """Write arguments, some of those that may be by position."""
    parts = list(positional)
    for name in order:
        if name not in named or rng.random() < 0.5:
            break
        parts.append(named.pop(name))
    parts += [f"{name}={text}" for name, text in rng.sample(sorted(named.items()), len(named))]
    return ", ".join(parts)


def function_case(rng: random.Random) -> Case:
    case = Case()
    axes = rng.choice([1, 2, 2, 3])
    transposed = rng.random() < 0.4
    groups = rng.choice([1, 1, 1, 2, 3])
    reads, gives = rng.choice([1, 2, 3]), rng.choice([1, 2, 3])
    kernel = [rng.choice([1, 1, 2, 3, 3, 4]) for _ in range(axes)]
    if rng.random() < 0.02:
        kernel[0] = 0
    weight = [groups * reads, gives, *kernel] if transposed else [groups * gives, reads, *kernel]
    channels = groups * reads
    if rng.random() < 0.05:
        channels = rng.choice([0, 1, 2, 3, 4, 6])
    if rng.random() < 0.04:
        weight = rng.choice([weight[:-1], [*weight, 1], weight[:2], [0, *weight[1:]], [weight[0], 0, *weight[2:]]])
    dtype = "float32" if rng.random() < 0.7 else rng.choice(_DTYPES)
    other = dtype if rng.random() < 0.92 else rng.choice(_DTYPES)
    x = bind(rng, case, "x", input_shape(rng, axes, channels), dtype)
    w = bind(rng, case, "w", weight, other)
    named = arguments(rng, axes, transposed=transposed, layer=False)
    if rng.random() < 0.4:
        out = groups * gives if rng.random() < 0.9 else rng.choice([0, 1, 2])
        shape = [out] if rng.random() < 0.95 else rng.choice([[], [out, 1]])
        named["bias"] = bind(rng, case, "b", shape, dtype if rng.random() < 0.93 else rng.choice(_DTYPES))
    if groups != 1 and rng.random() < 0.95:
        named["groups"] = str(groups)
    elif rng.random() < 0.08:
        named["groups"] = rng.choice(["0", "-1", "2", "1.0", "True", "None", "1"])
    if rng.random() < 0.01:
        named["axes"] = "1"
    rest = ["padding", "output_padding", "groups", "dilation"] if transposed else ["padding", "dilation", "groups"]
    text = joined(rng, [x, w], named, ["bias", "stride", *rest])
    case.expr = f"F.conv{'_transpose' * transposed}{axes}d({text})"
    return case


def layer_case(rng: random.Random) -> Case:
    case = Case()
    axes = rng.choice([1, 2, 2, 3])
    transposed = rng.random() < 0.4
    groups = rng.choice([1, 1, 1, 2, 3])
    into, out = groups * rng.choice([1, 2, 3]), groups * rng.choice([1, 2, 3])
    dtype = "float32" if rng.random() < 0.9 else rng.choice(_DTYPES)
    x = bind(rng, case, "x", input_shape(rng, axes, into if rng.random() < 0.95 else 4), dtype)
    odd = ["0", "-2", "2.0", "None", "'3'", "True", "(2,)"]
    named = arguments(rng, axes, transposed=transposed, layer=True)
    kernel = one_of(rng, [sizes(rng, axes, 1, 4)], _ODD_SIZES, chance=0.05)
    first = [one_of(rng, [str(into)], odd, chance=0.03), one_of(rng, [str(out)], odd, chance=0.03), kernel]
    if groups != 1 and rng.random() < 0.95:
        named["groups"] = str(groups)
    elif rng.random() < 0.08:
        named["groups"] = rng.choice(["0", "-1", "2", "1.0", "1.5", "True", "None", "'1'"])
    if rng.random() < 0.02:
        first.pop()
    if rng.random() < 0.01:
        named["axes"] = "1"
    rest = ["output_padding", "groups", "bias", "dilation"] if transposed else ["dilation", "groups", "bias"]
    made = joined(rng, first, named, ["stride", "padding", *rest, "padding_mode"])
    applied = x if rng.random() < 0.98 else rng.choice([f"{x}, 1", f"y={x}", f"{x}, input={x}", f"3, {x}"])
    if transposed and rng.random() < 0.3:
        lead = rng.choice([[], [], [2, 3]])
        asked = [*lead, *(rng.randint(1, 12) for _ in range(axes))]
        keyword = rng.choice(["", "output_size="]) if applied == x else "output_size="
        applied += f", {keyword}{rng.choice([asked, tuple(asked)])}"
    elif rng.random() < 0.02:
        applied += ", output_size=3"
    case.expr = f"nn.Conv{'Transpose' * transposed}{axes}d({made})({applied})"
    return case


@pytest.mark.parametrize("make", [function_case, layer_case])
@pytest.mark.parametrize("chunk", range(2))
def test_random_convolutions(make: Callable[[random.Random], Case], chunk: int) -> None:
    rng = random.Random(SEED + chunk)
    raised = 0
    count = _COUNT // 4
    for number in range(count):
        case = make(rng)
        try:
            raised += check(case, words=False)
        except (AssertionError, SegcliError) as error:
            # What is nothing of float16 times a complex weight: of a dtype that segcli has not.
            if "complex32" in str(error):
                continue
            message = f"SEGCLI_FUZZ_SEED={SEED}, chunk {chunk}, case {number}: {case.expr} {case.specs}\n{error}"
            raise AssertionError(message) from error
    assert 0.15 * count < raised < 0.85 * count


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


def formula_case(rng: random.Random) -> tuple[Case, dict[str, Any], torch.Tensor]:
    """Return a case of known values, with the names of its formula."""
    axes = rng.choice([1, 2, 2, 3])
    transposed, layer = rng.random() < 0.3, rng.random() < 0.5
    groups = rng.choice([1, 1, 2])
    reads, gives = rng.choice([1, 2]), rng.choice([1, 2])
    kernel = [rng.choice([1, 2, 3]) for _ in range(axes)]
    shape = [*rng.choice([[2], [1], []]), groups * reads, *(rng.choice([3, 4]) for _ in range(axes))]
    weight = [groups * reads, gives, *kernel] if transposed else [groups * gives, reads, *kernel]
    options: dict[str, Any] = {"groups": groups, "stride": kernel if transposed else rng.choice([1, 2])}
    if not transposed:
        options |= {"dilation": rng.choice([1, 1, 2]), "padding": rng.choice([0, 0, 1, "same", 2])}
    options = {name: value for name, value in options.items() if rng.random() < 0.8 or name in ("groups", "dilation")}
    if options.get("padding") == "same":
        options["stride"] = 1
    make = torch.Generator().manual_seed(rng.randrange(2**31))
    x = torch.randint(-3, 4, shape, generator=make).float()
    w = torch.randint(-3, 4, weight, generator=make).float()
    b = torch.randint(-3, 4, [groups * gives], generator=make).float() if rng.random() < 0.6 else None
    listed = ", ".join(f"{name}={value!r}" for name, value in options.items())
    specs = {"x": shape_text(tuple(shape))}
    name = f"{'_transpose' * transposed}{axes}d"
    if layer:
        channels = f"{groups * reads}, {groups * gives}, {kernel}, bias={b is not None}"
        expr = f"nn.Conv{'Transpose' * transposed}{axes}d({channels}, {listed})(x)"
        names: dict[str, Any] = {"x": x, "weight": w, "bias": b}
    else:
        expr = f"F.conv{name}(x, w{', b' * (b is not None)}, {listed})"
        names = {"x": x, "w": w, "b": b}
        specs |= {"w": shape_text(tuple(weight))} | ({"b": shape_text(tuple(b.shape))} if b is not None else {})
    real: torch.Tensor = getattr(torch.nn.functional, f"conv{name}")(x, w, b, **options)
    return Case(expr, "", specs, {}), names, real


# PyTorch says so once, in whichever test comes first.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_formulas() -> None:
    rng = random.Random(5)
    seen = 0
    for _ in range(150):
        try:
            case, names, real = formula_case(rng)
        except RuntimeError:
            continue
        explanation = explain(case.expr, case.specs)
        if explanation.formula is None or real.numel() > 150:
            continue
        try:
            check_formula(explanation, names, real)
        except AssertionError as error:
            message = f"{case.expr} {case.specs}: {explanation.formula}\n{error}"
            raise AssertionError(message) from error
        seen += 1
    assert seen > 50
