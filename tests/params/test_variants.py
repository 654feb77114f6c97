from typing import Any

import pytest

from segcli.errors import SegcliError
from segcli.params import VARIANTS, Layer, LayerCount, compare
from segcli.params.operation import NORMS

THE_NOTES = Layer(16, 64)
SAME = Layer(64, 128, padding=(1,))


def count(variant: str, layer: Layer = THE_NOTES) -> LayerCount:
    return compare(layer, [variant]).layers[0]


@pytest.mark.parametrize(
    ("variant", "params"),
    [("standard", 9_216), ("grouped", 1_152), ("depthwise-separable", 1_168), ("depthwise", 576), ("pointwise", 1_024)],
)
def test_the_notes_layer(variant: str, params: int) -> None:
    assert count(variant).params == params


def test_the_notes_depthwise_separable_in_full() -> None:
    row = count("depthwise-separable")
    assert [stage.params for stage in row.stages if stage.params] == [144, 1_024]
    assert row.output_shape == (64, 6, 6)
    assert row.formula == "Cin*kh*kw + Cin*Cout"
    assert row.formula_numbers == "16*3*3 + 16*64"
    assert row.macs == 6 * 6 * 1_168
    assert row.flops == 2 * row.macs
    assert row.weight_bytes == 4 * 1_168
    # 16 and 64 channels of 6x6 are written; 16 of 8x8 and 16 of 6x6 read.
    assert row.activation_bytes == 4 * (16 + 64) * 36
    assert row.traffic_bytes == 4 * (16 * 64 + 16 * 36 + 1_168 + (16 + 64) * 36)
    assert row.arithmetic_intensity == row.flops / row.traffic_bytes


@pytest.mark.parametrize(
    ("variant", "changed", "params"),
    [
        ("standard", {}, 73_728),
        ("standard", {"bias": True}, 73_856),
        ("dilated", {}, 73_728),
        ("transposed", {}, 73_728),
        ("grouped", {"groups": 4}, 18_432),
        ("pointwise", {}, 8_192),
        ("spatially-separable", {}, 73_728),
        ("standard", {"dims": 1}, 24_576),
        ("standard", {"dims": 3}, 221_184),
        # 3x3 64 -> 128, 3x3 128 -> 128, and the projection.
        ("resnet-basic", {}, 73_728 + 147_456 + 8_192),
        # 64 -> 32, 3x3 on 32, 32 -> 128, and the projection; a weight and a bias for 32, 32, 128 and 128 channels.
        ("resnet-bottleneck", {}, 2_048 + 9_216 + 4_096 + 8_192),
        ("resnet-bottleneck", {"norm": "batch"}, 2_048 + 9_216 + 4_096 + 8_192 + 2 * (32 + 32 + 128 + 128)),
        # 64 -> 384, depthwise on 384, 384 -> 128.
        ("inverted-residual", {}, 24_576 + 3_456 + 49_152),
        # 64 -> 64 by convolution, 64 ghosts by depthwise 3x3.
        ("ghost", {}, 36_864 + 576),
        # 3x3 on 16 channels, and the pointwise one.
        ("partial", {}, 2_304 + 8_192),
    ],
    ids=lambda value: str(value) if isinstance(value, str | dict) else "",
)
def test_layers_by_hand(variant: str, changed: dict[str, Any], params: int) -> None:
    fields: dict[str, Any] = {"padding": (1,), **changed}
    assert count(variant, Layer(64, 128, **fields)).params == params


@pytest.mark.parametrize("variant", VARIANTS)
def test_norms_and_biases_change_no_mac(variant: str) -> None:
    layers = [Layer(64, 64, padding=(1,), norm=norm, bias=bias) for norm in NORMS for bias in (False, True)]
    assert len({count(variant, layer).macs for layer in layers}) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_bytes_follow_the_dtype(variant: str) -> None:
    single, half = (count(variant, Layer(64, 64, padding=(1,), dtype=dtype)) for dtype in ("float32", "bfloat16"))
    assert (half.params, half.macs) == (single.params, single.macs)
    assert 2 * half.weight_bytes == single.weight_bytes
    assert 2 * half.activation_bytes == single.activation_bytes
    assert half.arithmetic_intensity == 2 * single.arithmetic_intensity


def test_ratios_are_to_the_standard_convolution() -> None:
    row = count("depthwise-separable")
    assert (row.ratio, row.macs_ratio) == (1_168 / 9_216, 1_168 / 9_216)
    impossible = count("pointwise", Layer(16, 64, size=(2,)))
    assert (impossible.ratio, impossible.macs_ratio) == (1_024 / 9_216, None)


@pytest.mark.parametrize(
    ("variant", "shortcut"),
    [
        ("resnet-basic", ["conv 1x1, stride 2", "batch norm"]),
        ("resnet-bottleneck", ["conv 1x1, stride 2", "batch norm"]),
        ("inverted-residual", []),
        ("shufflenet", ["average pool 3x3, stride 2"]),
        ("gather-and-expansion", ["depthwise conv 3x3, stride 2", "batch norm", "conv 1x1", "batch norm"]),
    ],
)
def test_where_shapes_differ_the_shortcut_is_the_papers(variant: str, shortcut: list[str]) -> None:
    row = count(variant, Layer(24, 48, stride=(2,), groups=4, norm="batch"))
    assert [stage.layer for stage in row.stages if stage.path == "shortcut"] == shortcut
    same = count(variant, Layer(48, 48, groups=4, norm="batch"))
    assert [stage.layer for stage in same.stages if stage.path == "shortcut"] == []


def test_a_variant_the_layer_cannot_have_is_left_out_and_said() -> None:
    result = compare(Layer(3, 64, groups=8))
    assert "grouped" not in {row.variant for row in result.layers}
    assert result.skipped[0] == "grouped left out: in_channels 3 does not divide into 8 groups: 3 = 0 x 8 + 3"


@pytest.mark.parametrize(
    ("variant", "layer", "words"),
    [
        ("depthwise", Layer(3, 64), "out_channels 64 does not divide into 3 groups: 64 = 21 x 3 [+] 1"),
        ("resnet-bottleneck", Layer(8, 3), r"a quarter of 3 channels would be floor\(3 / 4\) = 0, expected 1 or more"),
        ("partial", Layer(3, 8), r"a quarter of 3 channels would be floor\(3 / 4\) = 0"),
        (
            "shufflenet",
            Layer(24, 48),
            r"out_channels 12 = floor\(Cout/4\) does not divide into 8 groups: 12 = 1 x 8 \+ 4",
        ),
        ("shufflenet", Layer(64, 16), "which would be 16 - 64 = -48 channels, expected 1 or more"),
        ("shufflenet-v2", Layer(16, 33), "out_channels 33 does not divide into 2 halves"),
        ("resnet-basic", Layer(16, 16, kernel=(2,)), r"cannot add \(16, 6, 6\) of the branch and \(16, 8, 8\)"),
        ("standard", Layer(16, 16, size=(2,)), r"would have side floor\(\(2 \+ 2 x 0 - 2 - 1\) / 1\) \+ 1 = 0"),
        ("pointwise", Layer(2**20, 16, size=(2**30,)), r"the input of shape \(1048576, 1073741824, 1073741824\) would"),
        (
            "transposed",
            Layer(2, 2, size=(2**20,), stride=(2**20,)),
            "the output of transposed conv 3x3, stride 1048576 of",
        ),
        ("depthwise", Layer(1, 2**31 - 1, kernel=(2**20,), size=(2**20,)), r"weights of depthwise|weights of conv"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_named_variant_the_layer_cannot_have_is_refused(variant: str, layer: Layer, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        compare(layer, [variant])


def test_an_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(SegcliError, match="unknown variant 'depthwize'") as caught:
        compare(THE_NOTES, ["depthwize"])
    assert caught.value.hint == "did you mean depthwise?"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dims": 4}, "dims is 4, expected 1, 2 or 3"),
        ({"kernel": (3, 3, 3)}, "kernel 3x3x3 has 3 sides, expected one or 2"),
        ({"dims": 1, "size": (8, 8)}, "size 8x8 has 2 sides, expected one$"),
        ({"stride": ()}, r"stride \(\) has 0 sides, expected one or 2"),
        ({"size": (2**40,)}, "size is 1099511627776, expected at most 2147483647"),
        ({"groups": 0}, "groups is 0, expected 1 or more"),
        ({"norm": "spectral"}, "unknown norm 'spectral'"),
        ({"dtype": "float31"}, "unknown dtype 'float31'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_no_variant_could_have_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        Layer(16, 64, **fields)
