import re
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import empty, nn

from segcli.errors import SegcliError
from segcli.params import VARIANTS, Layer, LayerCount, compare

THE_NOTES = Layer(16, 64)


def modules(layer: Layer) -> dict[str, nn.Module]:
    """Write every variant as a person would, from torch's own classes."""
    bias = layer.bias
    common: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "bias": bias, "device": "meta"}
    (high, wide), (down, across), (top, left) = layer.kernel, layer.stride, layer.padding
    ins, outs = layer.in_channels, layer.out_channels
    return {
        "standard": nn.Conv2d(ins, outs, layer.kernel, **common),
        "pointwise": nn.Conv2d(ins, outs, 1, stride=layer.stride, bias=bias, device="meta"),
        "grouped": nn.Conv2d(ins, outs, layer.kernel, groups=layer.groups, **common),
        "depthwise": nn.Conv2d(ins, outs, layer.kernel, groups=ins, **common),
        "depthwise-separable": nn.Sequential(
            nn.Conv2d(ins, ins, layer.kernel, groups=ins, **common),
            nn.Conv2d(ins, outs, 1, bias=bias, device="meta"),
        ),
        "dilated": nn.Conv2d(ins, outs, layer.kernel, dilation=layer.dilation, **common),
        "transposed": nn.ConvTranspose2d(ins, outs, layer.kernel, **common),
        "spatially-separable": nn.Sequential(
            nn.Conv2d(ins, outs, (1, wide), stride=(1, across), padding=(0, left), bias=bias, device="meta"),
            nn.Conv2d(outs, outs, (high, 1), stride=(down, 1), padding=(top, 0), bias=bias, device="meta"),
        ),
    }


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    groups = draw(st.integers(1, 3))
    ins = groups * draw(st.integers(1, 3))
    return Layer(
        ins,
        ins * groups * draw(st.integers(1, 3)),
        kernel=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        size=draw(st.tuples(st.integers(12, 24), st.integers(12, 24))),
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding=draw(st.tuples(st.integers(0, 1), st.integers(0, 1))),
        groups=groups,
        bias=draw(st.booleans()),
    )


@given(layers())
def test_every_row_is_its_module(layer: Layer) -> None:
    result = compare(layer)
    written = modules(layer)
    assert {row.variant for row in result.layers} == set(written) == set(VARIANTS)
    for row in result.layers:
        module = written[row.variant]
        image = empty(1, layer.in_channels, *layer.size, device="meta")
        assert sum(parameter.numel() for parameter in module.parameters()) == row.params
        assert tuple(module(image).shape[1:]) == row.output_shape
        assert arithmetic(row.formula_numbers) == row.params


def arithmetic(formula: str) -> int:
    """Work out a sum of products of whole numbers and quotients, such as ``16/8*64*3*3 + 64``."""
    assert re.fullmatch(r"[0-9 +*/]+", formula)
    total = 0
    for term in formula.split(" + "):
        factors = [factor.split("/") for factor in term.split("*")]
        total += prod(int(factor[0]) // (int(factor[1]) if len(factor) > 1 else 1) for factor in factors)
    return total


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
    assert [stage.params for stage in row.stages] == [144, 1_024]
    assert row.output_shape == (64, 6, 6)
    assert row.formula == "Cin*kh*kw + Cin*Cout"
    assert row.formula_numbers == "16*3*3 + 16*64"
    assert row.macs == 6 * 6 * 1_168
    assert row.flops == 2 * row.macs
    assert row.weight_bytes == 4 * 1_168


def test_a_variant_the_layer_cannot_have_is_left_out_and_said() -> None:
    result = compare(Layer(3, 64, groups=8))
    assert "grouped" not in {row.variant for row in result.layers}
    assert result.skipped[0] == "grouped left out: in_channels 3 does not divide into 8 groups: 3 = 0 x 8 + 3"


def test_a_named_variant_the_layer_cannot_have_is_refused() -> None:
    with pytest.raises(SegcliError, match="out_channels 64 does not divide into 3 groups"):
        compare(Layer(3, 64), ["depthwise"])


def test_an_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(SegcliError, match="unknown variant 'depthwize'") as caught:
        compare(THE_NOTES, ["depthwize"])
    assert caught.value.hint == "did you mean depthwise?"
