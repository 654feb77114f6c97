"""Interpolation, upsampling and grids, beside real PyTorch."""

import re

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.oracle import ask_torch
from tests.shapes.sampling_cases import holds, made, refused


@pytest.mark.parametrize(
    ("expr", "specs", "shape"),
    [
        ("F.interpolate(x, scale_factor=0.5)", {"x": "2,3,33,45"}, (2, 3, 16, 22)),
        ("F.interpolate(x, scale_factor=(2, 0.5))", {"x": "2,3,4,5"}, (2, 3, 8, 2)),
        ("F.interpolate(x, (7, 9), mode='area')", {"x": "2,3,4,5"}, (2, 3, 7, 9)),
        (
            "F.interpolate(x, size=y.shape[2:], mode='bilinear')",
            {"x": "1,19,32,64", "y": "1,3,65,129"},
            (1, 19, 65, 129),
        ),
        ("F.interpolate(x, n)", {"x": "2,3,4", "n": "tensor(5)"}, (2, 3, 5)),
        ("F.interpolate(x, scale_factor=(2, n))", {"x": "2,3,4,5", "n": "tensor(3)"}, (2, 3, 8, 15)),
        ("nn.Upsample(scale_factor='2')(x)", {"x": "2,3,4,5"}, (2, 3, 8, 10)),
        ("nn.Upsample(scale_factor=(1.5, 2))(x)", {"x": "2,3,4,5"}, (2, 3, 6, 10)),
        ("F.grid_sample(x, g, align_corners=False)", {"x": "2,3,4,5", "g": "2,6,7,2"}, (2, 3, 6, 7)),
    ],
)
def test_shapes_by_hand(expr: str, specs: dict[str, str], shape: tuple[int, ...]) -> None:
    assert explain(expr, specs).torch.shape == shape


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("F.interpolate(x, scale_factor=2)", {"x": "N,C,H,W"}, ("N", "C", "2*H", "2*W"), ()),
        (
            "F.interpolate(x, scale_factor=0.5)",
            {"x": "N,3,H,W"},
            ("N", 3, "H // 2", "W // 2"),
            ("H >= 2", "W >= 2"),
        ),
        (
            "F.interpolate(x, scale_factor=1.5, mode='bilinear')",
            {"x": "N,3,H,8"},
            ("N", 3, "(3*H) // 2", 12),
            ("H >= 1",),
        ),
        ("F.interpolate(x, scale_factor=0.3)", {"x": "N,3,L"}, ("N", 3, "floor(L * 0.3)"), ("L >= 4",)),
        ("F.interpolate(x, size=y.shape[2:])", {"x": "N,19,32,64", "y": "N,3,H,W"}, ("N", 19, "H", "W"), ()),
        ("F.interpolate(x, size=(y.size(2), 2*y.size(3)))", {"x": "N,3,4,4", "y": "N,3,H,W"}, ("N", 3, "H", "2*W"), ()),
        ("F.interpolate(x, scale_factor=y.size(0))", {"x": "1,3,4", "y": "N,"}, (1, 3, "4*N"), ()),
        ("F.interpolate(x, scale_factor=2, mode='area')", {"x": "N,3,H"}, ("N", 3, "2*H"), ()),
        (
            "F.interpolate(x, scale_factor=y.size(0), recompute_scale_factor=True)",
            {"x": "1,3,H", "y": "N,"},
            (1, 3, "H*N"),
            (),
        ),
        ("nn.Upsample(scale_factor=y.size(0))(x)", {"x": "1,3,4", "y": "N,"}, (1, 3, "4*N"), ()),
        ("F.grid_sample(x, g)", {"x": "N,19,32,64", "g": "N,H,W,2"}, ("N", 19, "H", "W"), ()),
        ("F.grid_sample(x, g)", {"x": "N,19,32,64", "g": "M,H,W,K"}, ("N", 19, "H", "W"), ("N == M", "K == 2")),
    ],
)
def test_named_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


@pytest.mark.parametrize(
    ("expr", "specs", "words"),
    [
        ("F.interpolate(x, scale_factor=-2)", {"x": "N,3,H"}, "output (W: -(2*H))"),
        ("F.interpolate(x, scale_factor=-1)", {"x": "N,3,H"}, "output (W: -H)"),
        ("F.interpolate(x, scale_factor=-1, mode='area')", {"x": "N,3,H"}, "received {1, -H}"),
    ],
)
def test_negative_factors_of_named_sizes(expr: str, specs: dict[str, str], words: str) -> None:
    error = explain(expr, specs).torch.error
    assert error is not None
    assert words in error.message


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("F.interpolate(x, scale_factor=2)", "2,3,4,3", "result[i, j, k, l] = x[i, j, k // 2, l // 2]"),
        ("F.interpolate(x, scale_factor=(0.5, 4))", "1,2,5,3", "result[i, j, k, l] = x[i, j, 2*k, l // 4]"),
        ("F.interpolate(x, (8, 2))", "1,2,4,6", "result[i, j, k, l] = x[i, j, k // 2, 3*l]"),
        ("F.interpolate(x, (4, 6))", "1,2,4,6", "result[i, j, k, l] = x[i, j, k, l]"),
        ("F.interpolate(x, 2, mode='nearest-exact')", "1,2,6", "result[i, j, k] = x[i, j, 3*k + 1]"),
        ("F.interpolate(x, scale_factor=2, mode='nearest-exact')", "1,2,6", "result[i, j, k] = x[i, j, k // 2]"),
        ("F.interpolate(x, (2, 3), mode='area')", "1,2,4,3", "result[i, j, k, l] = mean over m of x[i, j, 2*k + m, l]"),
        (
            "F.interpolate(x, (2, 1), mode='area')",
            "1,2,4,3",
            "result[i, j, k, l] = mean over m, n of x[i, j, 2*k + m, 3*l + n]",
        ),
        ("F.interpolate(x, 4, mode='area')", "1,2,4", "result[i, j, k] = x[i, j, k]"),
    ],
)
def test_formulas(expr: str, specs: str, formula: str) -> None:
    holds(expr, {"x": specs}, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("F.interpolate(x, scale_factor=2)", "N,3,H,W", "result[i, j, k, l] = x[i, j, k // 2, l // 2]"),
        ("F.interpolate(x, size=(2*x.size(2), x.size(3)))", "N,3,H,W", "result[i, j, k, l] = x[i, j, k // 2, l]"),
        ("F.interpolate(x, size=(3*x.size(2), x.size(3)))", "N,3,H,W", None),
        ("F.interpolate(x, size=(3*x.size(2), x.size(3)), mode='area')", "N,3,H,W", None),
        ("F.interpolate(x, scale_factor=3)", "1,3,4", None),
        ("F.interpolate(x, scale_factor=1.5)", "1,3,4", None),
        ("F.interpolate(x, 5)", "1,3,4", None),
        ("F.interpolate(x, 3)", "1,3,4", None),
        ("F.interpolate(x, 33554432)", "1,1,16777217", None),
        ("F.interpolate(x, scale_factor=y.size(0))", "1,3,4", None),
    ],
)
def test_which_formulas_there_are(expr: str, specs: str, formula: str | None) -> None:
    assert explain(expr, {"x": specs} | ({"y": "N,"} if "y" in expr else {})).formula == formula


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("F.interpolate(x, 5)", "nearest: position p of the result reads position floor(p * in / out)"),
        ("F.interpolate(x, scale_factor=3)", "nearest: position p of the result reads position floor(p / 3)"),
        ("F.interpolate(x, 5, mode='nearest-exact')", "floor((p + 0.5) * in / out), the pixel that holds its middle"),
        (
            "F.interpolate(x, 5, mode='bilinear')",
            "bilinear: position p mixes the 2 x 2 positions around (p + 0.5) * in / out - 0.5",
        ),
        ("F.interpolate(x, scale_factor=2, mode='bicubic')", "the 4 x 4 positions around (p + 0.5) / 2 - 0.5"),
        ("F.interpolate(x, 5, mode='bilinear', align_corners=True)", "around p * (in - 1) / (out - 1)"),
        ("F.interpolate(x, 2, mode='bilinear', antialias=True)", "more where the picture shrinks (antialias)"),
        ("F.interpolate(x, 5, mode='area')", "floor(p * in / out) to ceil((p + 1) * in / out) - 1"),
    ],
)
def test_reasons(expr: str, why: str) -> None:
    assert why in explain(expr, {"x": "1,3,4,4"}).broadcasts[0].why


def test_the_arithmetic_of_every_axis() -> None:
    explanation = explain("F.interpolate(x, scale_factor=(0.5, 2))", {"x": "2,3,33,45"})
    assert [(step.token, step.takes, step.gives, step.effect) for step in explanation.steps] == [
        ("", (0, 1), (0, 1), "kept: each channel is resampled by itself"),
        ("0.5", (2,), (2,), "floor(33 * 0.5) = 16"),
        ("2", (3,), (3,), "45 * 2 = 90"),
    ]
    assert "33 * 0.5 is no whole number" in explanation.notes[0]
    asked = explain("F.interpolate(x, 8)", {"x": "N,3,H"})
    assert asked.steps[-1].effect == "H -> 8, as asked for"


@pytest.mark.parametrize(
    ("expr", "specs", "kind", "words", "token", "axis"),
    [
        (
            "F.interpolate(x, (8,))",
            {"x": "2,3,4,5"},
            "ValueError",
            (
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                "dimensions of [4, 5] and output size of (8,). Please provide input tensor in (N, C, d1, d2, "
                "...,dK) format and output size in (o1, o2, ...,oK) format."
            ),
            "(8,)",
            None,
        ),
        (
            "F.interpolate(x, x.shape)",
            {"x": "2,3,4"},
            "ValueError",
            (
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                "dimensions of [4] and output size of torch.Size([2, 3, 4]). Please provide input tensor in (N, "
                "C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
            ),
            "x.shape",
            None,
        ),
        (
            "F.interpolate(x, 0)",
            {"x": "2,3,4,5"},
            "RuntimeError",
            "Input and output sizes should be greater than 0, but got input (H: 4, W: 5) output (H: 0, W: 0)",
            "0",
            2,
        ),
        (
            "F.interpolate(x, 8, mode='linear')",
            {"x": "2,3,4,5"},
            "NotImplementedError",
            "Got 4D input, but linear mode needs 3D input",
            "'linear'",
            None,
        ),
        (
            "F.interpolate(x, scale_factor=((1, 2), 3), recompute_scale_factor=True)",
            {"x": "2,3,4,5"},
            "TypeError",
            "int() argument must be a string, a bytes-like object or a real number, not 'tuple'",
            "(1, 2)",
            None,
        ),
        (
            "F.interpolate(x, scale_factor=1e999*0, recompute_scale_factor=True)",
            {"x": "2,3,4"},
            "ValueError",
            "cannot convert float NaN to integer",
            "1e999*0",
            None,
        ),
        (
            "F.interpolate(x, scale_factor=1e999, mode='area')",
            {"x": "2,3,4"},
            "OverflowError",
            "cannot convert float infinity to integer",
            "1e999",
            None,
        ),
        (
            "F.interpolate(x, 3, mode='area')",
            {"x": "bool:0,2,4,4,4"},
            "NotImplementedError",
            "\"adaptive_avg_pool3d_cpu\" not implemented for 'Bool'",
            "x",
            None,
        ),
        (
            "nn.Upsample(scale_factor=[2])(x)",
            {"x": "2,3,4"},
            "TypeError",
            "float() argument must be a string or a real number, not 'list'",
            "[2]",
            None,
        ),
        (
            "nn.Upsample(scale_factor='a')(x)",
            {"x": "2,3,4"},
            "ValueError",
            "could not convert string to float: 'a'",
            "'a'",
            None,
        ),
    ],
)
def test_errors(expr: str, specs: dict[str, str], kind: str, words: str, token: str, axis: int | None) -> None:
    refused(expr, specs, kind, words, token, axis)


def test_huge_sizes_are_read_by_no_loop() -> None:
    assert explain("F.interpolate(x, (3, 2**63))", {"x": "2,3,4,5"}).torch.error is not None
    with pytest.raises(SegcliError, match="more than 2\\^63 - 1 elements"):
        explain("F.interpolate(x, 4611686018427387904)", {"x": "2,3,4,5"})
    error = explain("F.interpolate(x, scale_factor=1e30)", {"x": "2,3,4"}).torch.error
    assert error is not None
    assert error.message == "value cannot be converted to type int64_t without overflow"


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("F.interpolate(x, 8, mode=y)", "mode is a tensor"),
        ("F.interpolate(x, scale_factor='a', mode='area')", "only a number"),
        ("F.interpolate(x, 8, mode='bilinear', antialias=y)", "whether y is true is not known"),
        ("F.interpolate(x, scale_factor=(2, x.sum().item()))", "is not known, and interpolate hangs on it"),
        ("nn.Upsample(x.sum().item())(x)", "is not known, and Upsample hangs on it"),
    ],
)
def test_what_is_not_known(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "2,3,4,5"} | ({"y": "int64:2,"} if re.search(r"\by\b", expr) else {}))


def test_a_size_may_be_a_tensor_of_one_integer() -> None:
    expr = "F.interpolate(x, (n, 2))"
    real = ask_torch(expr, {"x": torch.zeros(2, 3, 4, 5), "n": torch.tensor(3)})
    assert explain(expr, {"x": "2,3,4,5", "n": "tensor(3)"}).torch.shape == real.shape == (2, 3, 3, 2)
    error = explain("F.interpolate(x, (n, n))", {"x": "2,3,4,5", "n": "float32:()"}).torch.error
    assert error is not None
    assert error.type == "TypeError"


def test_without_a_change_antialiasing_takes_any_dtype() -> None:
    expr = "F.interpolate(x, size=(4, 5), mode='bilinear', antialias=True)"
    real = torch.nn.functional.interpolate(
        torch.zeros(2, 3, 4, 5, dtype=torch.int32), (4, 5), mode="bilinear", antialias=True
    )
    assert explain(expr, {"x": "int32:2,3,4,5"}).torch.shape == tuple(real.shape)


def test_what_a_list_of_a_wrong_length_is_called() -> None:
    for listed in ("[8]", "(8, None, 2)", "((1, 2),)", "('a',)", "x.shape"):
        expr = f"F.interpolate(x, {listed})"
        error, real = explain(expr, {"x": "2,3,4,5"}).torch.error, ask_torch(expr, made({"x": "2,3,4,5"}))
        assert error is not None
        assert (error.type, error.message) == (real.error, real.message)
    error = explain("F.interpolate(x, (y.size(0),))", {"x": "2,3,4,5", "y": "N,"}).torch.error
    assert error is not None
    assert "output size of (N,)" in error.message


def test_a_grid_without_align_corners_warns() -> None:
    explanation = explain("F.grid_sample(x, g)", {"x": "2,3,4,5,6", "g": "2,6,7,8,3"})
    assert "with a warning" in explanation.notes[0]
    assert "x, y, z in this order" in explanation.broadcasts[0].why
    assert [step.effect for step in explanation.steps[1:4]] == ["read at z of g", "read at y of g", "read at x of g"]


@pytest.mark.parametrize(
    ("expr", "shape", "name"),
    [
        ("F.interpolate(x, size=(4, 4))", "2,1,16,16", "upsample_nearest2d_channels_last"),
        ("F.interpolate(x, size=(64, 65))", "2,1,16,16", "compute_indices_weights_nearest"),
        ("F.interpolate(x.permute(0, 3, 1, 2), size=(64, 65))", "2,16,16,4", "upsample_nearest2d_channels_last"),
        ("F.interpolate(x.permute(0, 3, 1, 2), size=(64, 65))", "2,16,16,3", "compute_indices_weights_nearest"),
        ("F.interpolate(x, size=(4, 4), mode='bicubic')", "2,1,16,16", "compute_indices_weights_cubic"),
        ("F.interpolate(x, size=(4, 4, 4), mode='trilinear')", "2,1,2,2,2", "compute_indices_weights_linear"),
        ("F.interpolate(x, size=4)", "2,1,16", "compute_indices_weights_nearest"),
    ],
)
def test_of_two_functions_the_one_that_is_taken_complains(expr: str, shape: str, name: str) -> None:
    error = explain(expr, {"x": f"int64:{shape}"}).torch.error
    verdict = ask_torch(expr, {"x": torch.zeros([int(size) for size in shape.split(",")], dtype=torch.int64)})
    assert error is not None
    assert error.message == verdict.message == f"\"{name}\" not implemented for 'Long'"
