"""Every variant against the module that a person would write: parameters, shape and MACs, or the same refusal."""

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import empty
from torch.utils.flop_counter import FlopCounterMode

from segcli.errors import SegcliError
from segcli.params import VARIANTS, Layer, LayerCount, compare
from segcli.params.operation import NORMS
from tests.params.modules import MODULES

# Of all variants together.
_CASES = 5_000


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    dims = draw(st.sampled_from([2, 2, 2, 1, 3]))
    groups = draw(st.integers(1, 4))

    def sides(low: int, high: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(low, high)] * dims))

    ins = draw(st.one_of(st.integers(1, 6).map(lambda number: 4 * groups * number), st.integers(1, 9)))
    outs = draw(st.one_of(st.just(ins), st.integers(1, 4).map(lambda number: ins * number), st.integers(1, 33)))
    same = draw(st.integers(0, 4)) == 0
    odd = draw(st.booleans())
    return Layer(
        ins,
        outs,
        dims,
        kernel=tuple(side | 1 for side in sides(0, 4)) if odd else sides(1, 5),
        size=sides(1, 12) if draw(st.integers(0, 3)) == 0 else sides(6, 12),
        stride=(1,) if same or draw(st.booleans()) else sides(1, 3),
        padding="same" if same else sides(0, 2),
        dilation=sides(1, 3),
        groups=groups,
        bias=draw(st.booleans()),
        norm=draw(st.sampled_from(NORMS)),
    )


def in_torch(variant: str, layer: Layer) -> tuple[int, int, tuple[int, ...], int] | None:
    """Return parameters, buffers, output shape and MACs of the module; None where torch cannot make or run it."""
    try:
        module = MODULES[variant](layer).eval()
        with FlopCounterMode(display=False) as counter:
            result = module(empty(1, layer.in_channels, *layer.size, device="meta"))
    except (RuntimeError, ValueError, TypeError):
        return None
    if result.numel() == 0:
        return None
    params = sum(parameter.numel() for parameter in module.parameters())
    buffers = sum(buffer.numel() for buffer in module.buffers())
    return params, buffers, tuple(result.shape[1:]), counter.get_total_flops() // 2


def counted(variant: str, layer: Layer) -> LayerCount | None:
    try:
        return compare(layer, [variant]).layers[0]
    except SegcliError:
        return None


# Torch says that such a convolution may be slow; that it is right is what matters here.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=_CASES // len(VARIANTS) + 1)
@given(layer=layers())
@example(layer=Layer(4, 8, kernel=(4,), stride=(2,), padding=(1,)))
@example(layer=Layer(4, 4, kernel=(2,), padding="same"))
@example(layer=Layer(64, 64, bias=True, norm="batch"))
@example(layer=Layer(8, 33, padding=(1,)))
@example(layer=Layer(24, 240, stride=(2,), groups=3))
@example(layer=Layer(8, 16, kernel=(9,), size=(6,), stride=(2,), norm="layer"))
@example(layer=Layer(4, 4, kernel=(3,), size=(3,), groups=4, norm="group"))
@example(layer=Layer(4, 4, kernel=(3,), size=(3,), norm="instance"))
@example(layer=Layer(3, 3))
def test_every_variant_is_its_module(variant: str, layer: Layer) -> None:
    row, torchs = counted(variant, layer), in_torch(variant, layer)
    assert (row is None) == (torchs is None), row
    if row is None:
        return
    assert (row.params, row.buffers, row.output_shape, row.macs) == torchs
    check_sums(row)
    check_formulas(row)


def check_sums(row: LayerCount) -> None:
    assert row.flops == 2 * row.macs
    assert sum(row.params_by_kind.values()) == sum(stage.params for stage in row.stages) == row.params
    assert sum(stage.macs for stage in row.stages) == row.macs
    for kind, elements in row.apart.items():
        assert sum(stage.apart[kind] for stage in row.stages) == elements


def check_formulas(row: LayerCount) -> None:
    assert value(row.formula, row.symbols) == value(row.formula_numbers, {}) == row.params
    for name, meaning in row.where.items():
        assert value(meaning, row.symbols) == row.symbols[name]
    for stage in row.stages:
        assert value(stage.formula_numbers or "0", {}) == stage.params
        assert value(stage.macs_numbers or "0", {}) == stage.macs


def test_every_variant_has_a_module() -> None:
    assert set(MODULES) == set(VARIANTS)


_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., int | Fraction]] = {"floor": floor, "ceil": ceil, "max": max}


def value(formula: str, symbols: Mapping[str, int]) -> Fraction:
    """Work out a formula with the symbols' numbers, exactly."""

    def work_out(node: ast.expr) -> Fraction:
        match node:
            case ast.BinOp():
                return _OPERATORS[type(node.op)](work_out(node.left), work_out(node.right))
            case ast.Call(func=ast.Name(id=name)):
                return Fraction(_FUNCTIONS[name](*map(work_out, node.args)))
            case ast.Name():
                return Fraction(symbols[node.id])
            case ast.Constant(value=int(number)):
                return Fraction(number)
            case _:
                raise AssertionError(ast.dump(node))

    return work_out(ast.parse(formula, mode="eval").body)


@pytest.mark.parametrize(("formula", "expected"), [("16/8*64 + 2*3", 134), ("floor(7/4)", 1), ("max(3, 7) - 1", 6)])
def test_the_arithmetic_of_the_tests(formula: str, expected: int) -> None:
    assert value(formula, {}) == expected
