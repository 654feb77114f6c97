import math
from typing import Any

import pytest

from segcli.bench import Request, catalogue
from segcli.bench.kernel import Mode
from segcli.bench.plan import plan, refuse_too_large
from segcli.bench.suites import SUITES
from segcli.errors import SegcliError


def test_everything_is_planned_by_default() -> None:
    groups = plan(Request())
    assert [(group.suite.name, group.mode.value) for group in groups] == [
        ("loss", "forward"),
        ("loss", "forward+backward"),
        ("conv", "forward"),
        ("conv", "forward+backward"),
        ("norm", "forward"),
        ("norm", "forward+backward"),
        ("index", "forward"),
    ]
    assert groups[0].kernels == SUITES["loss"].kernels


def test_a_pattern_a_mode_a_size_and_a_dtype_narrow_the_plan() -> None:
    request = Request(kernel="*wise*", modes=("forward+backward",), size=(4, 6), dtype="bfloat16")
    (group,) = plan(request)
    assert [kernel.name for kernel in group.kernels] == ["depthwise", "depthwise-separable", "pointwise"]
    assert (group.mode, group.case.size, group.case.item_bytes) == (Mode.TRAINING, (4, 6), 2)


@pytest.mark.parametrize(
    ("fields", "words", "hint"),
    [
        ({"suites": ("los",)}, "unknown suite 'los'", "did you mean loss?"),
        ({"kernel": "ohm"}, "no kernel matches 'ohm' in loss, conv, norm, index", "did you mean ohem?"),
        (
            {"suites": ("index",), "modes": ("forward+backward",)},
            r"there is no kernel in index with mode forward\+backward",
            "see segcli bench list",
        ),
        ({"modes": ("backwards",)}, "unknown mode 'backwards'", "did you mean"),
        ({"dtype": "float8"}, "unknown dtype 'float8'", "did you mean float"),
        ({"budget_s": -1.0}, "the time budget is -1 s, expected more than 0", ""),
        ({"budget_s": math.nan}, "the time budget is nan s, expected more than 0", ""),
        ({"budget_s": 0.0}, "the time budget is 0 s", ""),
        ({"size": (0, 8)}, "size 0x8 has no pixels, expected sides of 1 or more", ""),
        ({"seed": -1}, r"the seed is -1, expected 0 to 2\^63 - 1", ""),
    ],
    ids=str,
)
def test_impossible_requests_are_refused(fields: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        plan(Request(**fields))
    assert caught.value.hint.startswith(hint)


def test_what_does_not_fit_is_refused_by_its_estimate() -> None:
    groups = plan(Request(size=(100_000, 100_000)))
    with pytest.raises(SegcliError, match=r"suite conv at 100000x100000 needs about 492 TB of memory, 24\.0 GB are"):
        refuse_too_large(groups, 24_000_000_000)


def test_what_fits_is_not_refused() -> None:
    refuse_too_large(plan(Request()), 2_000_000_000)


def test_the_catalogue_names_every_kernel_with_its_modes() -> None:
    found = catalogue(Request(suites=("norm", "index")))
    assert [suite.name for suite in found.suites] == ["norm", "index"]
    entry = found.suites[1].kernels[3]
    assert (entry.kernel, entry.modes, entry.baseline, entry.allocates) == (
        "index-select",
        ("forward",),
        "advanced",
        False,
    )
