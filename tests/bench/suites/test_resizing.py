from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from segcli.bench.kernel import Mode
from segcli.bench.suites.resizing import RESIZING
from segcli.bench.suites.resizing_taps import Rule, resized, taps
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in RESIZING.kernels}
RULES = [
    Rule("nearest"),
    Rule("nearest-exact"),
    Rule("bilinear"),
    Rule("bilinear", align_corners=True),
    Rule("bicubic"),
    Rule("bicubic", align_corners=True),
    Rule("area"),
    Rule("bilinear", antialias=True),
    Rule("bicubic", antialias=True),
]


def torchs(x: torch.Tensor, size: tuple[int, int], rule: Rule) -> torch.Tensor:
    has_corners = rule.mode in ("bilinear", "bicubic")
    return functional.interpolate(
        x, size, mode=rule.mode, align_corners=rule.align_corners if has_corners else None, antialias=rule.antialias
    )


@pytest.mark.parametrize("rule", RULES, ids=str)
@example(source=(7, 9), target=(3, 4))
@example(source=(1, 2), target=(1, 5))
@example(source=(16, 24), target=(2, 3))
@settings(max_examples=20, deadline=None)
@given(source=st.tuples(*[st.integers(1, 20)] * 2), target=st.tuples(st.integers(1, 40), st.integers(2, 40)))
def test_the_reference_is_torchs_in_float64(rule: Rule, source: tuple[int, int], target: tuple[int, int]) -> None:
    x = torch.randn(1, 2, *source, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(resized(x, target, rule), torchs(x, target, rule), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "source", "target", "indices", "weights"),
    [
        (Rule("nearest"), 2, 4, [[0], [0], [1], [1]], [[1], [1], [1], [1]]),
        (Rule("nearest-exact"), 4, 2, [[1], [3]], [[1], [1]]),
        # Centres at 0.5 and 2.5 of 4: between two pixels each.
        (Rule("bilinear"), 4, 2, [[0, 1], [2, 3]], [[0.5, 0.5], [0.5, 0.5]]),
        (Rule("bilinear", align_corners=True), 3, 2, [[0, 1], [2, 2]], [[1, 0], [1, 0]]),
        # Half-way between two pixels, with a = -0.75: 19 / 32 each, and -3 / 32 for those beyond; the border repeats.
        (Rule("bicubic"), 2, 1, [[0, 0, 1, 1]], [[-3 / 32, 19 / 32, 19 / 32, -3 / 32]]),
        (Rule("area"), 3, 2, [[0, 1], [1, 2]], [[0.5, 0.5], [0.5, 0.5]]),
        # A triangle twice as wide, cut off at the left: 3, 3, 1 of 7 parts.
        (
            Rule("bilinear", antialias=True),
            4,
            2,
            [[0, 1, 2], [1, 2, 3]],
            [[3 / 7, 3 / 7, 1 / 7], [1 / 7, 3 / 7, 3 / 7]],
        ),
    ],
    ids=str,
)
def test_taps_by_hand(
    rule: Rule, source: int, target: int, indices: list[list[int]], weights: list[list[float]]
) -> None:
    found = taps(source, target, rule)
    assert found[0].tolist() == indices
    torch.testing.assert_close(found[1], torch.tensor(weights, dtype=torch.float64))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("up-bilinear", "up-bilinear-corners"),
        ("up-nearest", "up-nearest-exact"),
        ("up-bicubic", "up-bilinear"),
        ("down-bilinear", "down-bilinear-antialias"),
        ("down-bicubic-antialias", "down-bicubic"),
    ],
)
def test_another_way_to_resize_is_found(name: str, other: str) -> None:
    # To 23 pixels of 3, nearest and nearest-exact part; down from 23, so do area and bilinear.
    wrong = replace(KERNELS[name], make=KERNELS[other].make)
    assert (
        "its output has a relative error" in compared(wrong, Mode.FORWARD, tensors_of(RESIZING, size=(23, 26))).reason
    )


@pytest.mark.parametrize(
    ("name", "mode", "n_bytes", "flops"),
    [
        # 38 maps; 16x24 from 2x3, or to 8x12: 384, 6 and 96 pixels.
        ("up-nearest", Mode.FORWARD, 38 * (6 + 384) * 4, 0),
        # 3 products and sums of a row, of 2 rows and of their sums.
        ("up-bilinear", Mode.FORWARD, 38 * (6 + 384) * 4, 38 * 384 * 9),
        ("up-bilinear", Mode.TRAINING, 2 * 38 * (6 + 384) * 4, 2 * 38 * 384 * 9),
        ("up-bicubic", Mode.FORWARD, 38 * (6 + 384) * 4, 38 * 384 * 7 * 5),
        ("up-area", Mode.FORWARD, 38 * (6 + 384) * 4, 0),
        ("down-nearest", Mode.FORWARD, 38 * (96 + 96) * 4, 0),
        ("down-nearest", Mode.TRAINING, 38 * (96 + 96 + 96 + 384) * 4, 0),
        ("down-area", Mode.FORWARD, 38 * (384 + 96) * 4, 38 * 96 * 4),
        # Rows first, 16 of 12 outputs, then columns; 4 taps each.
        ("down-bilinear-antialias", Mode.FORWARD, 38 * (384 + 96) * 4, 38 * (16 * 12 + 96) * 7),
        ("down-bicubic-antialias", Mode.FORWARD, 38 * (384 + 96) * 4, 38 * (16 * 12 + 96) * 15),
    ],
)
def test_costs_by_hand(name: str, mode: Mode, n_bytes: int, flops: int) -> None:
    cost = KERNELS[name].cost(replace(RESIZING.case, size=(16, 24)), mode)
    assert (cost.bytes, cost.flops) == (n_bytes, flops)


def test_a_column_by_itself_is_filtered_as_torch_filters_two() -> None:
    # Torch 2.13 on the CPU filters a single column of outputs wrongly, and is called wrong for it; should it be mended,
    # it is called right.
    tensors = tensors_of(RESIZING, size=(23, 1))
    rule = Rule("bilinear", antialias=True)
    one = tensors["full"]
    of_two = torchs(one.expand(-1, -1, -1, 2), (11, 2), rule)[..., :1]
    torch.testing.assert_close(resized(one.double(), (11, 1), rule).float(), of_two)
    is_mended = torch.allclose(torchs(one, (11, 1), rule), of_two, atol=1e-5)
    assert (compared(KERNELS["down-bilinear-antialias"], Mode.FORWARD, tensors).reason == "") == is_mended
