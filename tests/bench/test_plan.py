import math
from dataclasses import replace
from typing import Any

import pytest

from segcli.bench import Request, catalogue
from segcli.bench.kernel import Mode
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.plan import plan, refuse_too_large
from segcli.bench.suites import SUITES
from segcli.errors import SegcliError

# Not of the whole catalogue: suites come and go, these stay.
FOUR = ("loss", "conv", "norm", "index")
CONV = SUITES["conv"]
OWN = replace(CONV, name="mine", kernels=(replace(CONV.kernels[0], name="my-layer"),))


def test_what_is_timed_by_default_is_planned_suite_by_suite_mode_by_mode() -> None:
    groups = plan(Request())
    assert [(group.suite.name, group.mode.value) for group in groups if group.suite.name in FOUR] == [
        ("loss", "forward"),
        ("loss", "forward+backward"),
        ("conv", "forward"),
        ("conv", "forward+backward"),
        ("norm", "forward"),
        ("norm", "forward+backward"),
        ("index", "forward"),
    ]
    assert all(group.suite.by_default for group in groups)
    assert groups[0].kernels == tuple(kernel for kernel in SUITES["loss"].kernels if kernel.by_default)


def test_a_pattern_a_mode_a_size_and_a_dtype_narrow_the_plan() -> None:
    request = Request(kernel="*wise*", modes=("forward+backward",), sizes=((4, 6),), dtypes=("bfloat16",))
    (group,) = plan(replace(request, suites=FOUR))
    assert [kernel.name for kernel in group.kernels] == ["depthwise", "depthwise-separable", "pointwise"]
    assert (group.mode, group.case.size, group.case.item_bytes) == (Mode.TRAINING, (4, 6), 2)


def test_sizes_dtypes_and_modes_expand_with_the_modes_innermost() -> None:
    sizes, dtypes = ((4, 6), (8, 8), (4, 6)), ("float32", "bfloat16")
    groups = plan(Request(suites=("norm", "index"), sizes=sizes, dtypes=dtypes))
    assert [(group.suite.name, group.case.size, group.case.dtype, group.mode.value) for group in groups] == [
        ("norm", (4, 6), "float32", "forward"),
        ("norm", (4, 6), "float32", "forward+backward"),
        ("norm", (4, 6), "bfloat16", "forward"),
        ("norm", (4, 6), "bfloat16", "forward+backward"),
        ("norm", (8, 8), "float32", "forward"),
        ("norm", (8, 8), "float32", "forward+backward"),
        ("norm", (8, 8), "bfloat16", "forward"),
        ("norm", (8, 8), "bfloat16", "forward+backward"),
        ("index", (4, 6), "float32", "forward"),
        ("index", (4, 6), "bfloat16", "forward"),
        ("index", (8, 8), "float32", "forward"),
        ("index", (8, 8), "bfloat16", "forward"),
    ]


def test_a_suite_says_its_own_modes_until_others_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, "conv", replace(CONV, default_modes=(Mode.FORWARD,)))
    assert [group.mode for group in plan(Request(suites=("conv",)))] == [Mode.FORWARD]
    training = Request(suites=("conv",), modes=("forward+backward",))
    assert [group.mode for group in plan(training)] == [Mode.TRAINING]


def test_a_suite_that_is_not_timed_by_default_is_timed_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, "conv", replace(CONV, by_default=False))
    assert "conv" not in {group.suite.name for group in plan(Request())}
    assert {group.suite.name for group in plan(Request(suites=("conv",)))} == {"conv"}
    # The catalogue shows what could be named.
    assert "conv" in {suite.name for suite in catalogue().suites}


def test_kernels_are_planned_where_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = (replace(CONV.kernels[0], devices=("cuda",)), *CONV.kernels[1:3])
    monkeypatch.setitem(SUITES, "conv", replace(CONV, kernels=kernels))
    names = {
        device: [kernel.name for kernel in plan(Request(suites=("conv",), device=device))[0].kernels]
        for device in ("cpu", "cuda", "cuda:1", "auto")
    }
    assert names["cpu"] == ["grouped", "depthwise"]
    assert names["cuda"] == names["cuda:1"] == names["auto"] == ["standard", "grouped", "depthwise"]
    with pytest.raises(SegcliError, match="no kernel matches 'standard' in conv on cpu") as caught:
        plan(Request(suites=("conv",), kernel="standard"))
    assert caught.value.hint == "see segcli bench list"


def test_own_suites_are_timed_alone_or_beside_what_is_named() -> None:
    alone = plan(Request(imported=(OWN,), modes=("forward",)))
    assert [(group.suite.name, group.kernels[0].name) for group in alone] == [("mine", "my-layer")]
    beside = plan(Request(suites=("norm",), imported=(OWN,), modes=("forward",)))
    assert [group.suite.name for group in beside] == ["norm", "mine"]
    named = plan(Request(suites=("mine",), imported=(OWN,), modes=("forward",)))
    assert [group.suite.name for group in named] == ["mine"]


def test_functions_without_gradients_are_told_what_gradients_take() -> None:
    kernels = tuple(replace(kernel, backward=None) for kernel in SUITES["norm"].kernels[:1])
    own = replace(SUITES["norm"], name="user", kernels=kernels)
    with pytest.raises(SegcliError, match="user has no gradients: none of the tensors that --setup returns") as caught:
        plan(Request(imported=(own,), modes=("forward+backward",)))
    assert caught.value.hint == "return tensors with requires_grad=True, or leave --mode out"


def test_variants_stand_behind_their_kernel() -> None:
    request = Request(suites=("conv",), kernel="pointwise", modes=("forward",), channels_last=True)
    (group,) = plan(request)
    assert [(kernel.name, kernel.variant) for kernel in group.kernels] == [
        ("pointwise", ""),
        ("pointwise", "channels-last"),
    ]
    assert len(plan(replace(request, compiled=True))[0].kernels) == 4


HOT, COLD = Condition(Caches.HOT), Condition(Caches.COLD)
HOT_DEVICE, COLD_DEVICE = Condition(Caches.HOT, Span.DEVICE), Condition(Caches.COLD, Span.DEVICE)


@pytest.mark.parametrize(
    ("fields", "conditions"),
    [
        ({}, (HOT, COLD)),
        ({"caches": ("cold",)}, (COLD,)),
        ({"device": "cuda:1"}, (HOT, COLD, HOT_DEVICE, COLD_DEVICE)),
        ({"device": "cuda", "spans": ("device",)}, (HOT_DEVICE, COLD_DEVICE)),
        ({"device": "cuda", "spans": ("host",), "caches": ("hot",)}, (HOT,)),
    ],
    ids=str,
)
def test_conditions_are_those_asked_for_that_the_device_has(
    fields: dict[str, Any], conditions: tuple[Condition, ...]
) -> None:
    assert plan(Request(suites=("conv",), **fields))[0].conditions == conditions


def test_a_suite_that_has_no_cold_calls_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, "conv", replace(CONV, caches=(Caches.HOT,), spans=(Span.HOST,)))
    assert plan(Request(suites=("conv",), device="cuda"))[0].conditions == (HOT,)
    with pytest.raises(SegcliError, match="suite conv is not timed cold on cpu") as caught:
        plan(Request(suites=("conv",), caches=("cold",)))
    assert caught.value.hint == "it is timed: hot host"


@pytest.mark.parametrize(
    ("fields", "words", "hint"),
    [
        ({"suites": ("los",)}, "unknown suite 'los'", "did you mean loss?"),
        ({"suites": ("ALL",)}, "unknown suite 'ALL'", "did you mean all?"),
        ({"suites": ("conv", "all")}, "unknown suite 'all'", "all is given alone: --suite all"),
        ({"suites": ("",)}, "--suite is empty, expected names", "leave it out, or name some of loss, conv, "),
        ({"suites": ("conv", "", "norm")}, "--suite holds an empty name, expected", "write it as --suite conv,norm"),
        ({"kernel": "ohm", "suites": FOUR}, "no kernel matches 'ohm' in loss, conv, norm, index", "did you mean ohem?"),
        ({"kernel": "zz", "suites": ("conv",)}, "no kernel matches 'zz' in conv$", "known: standard, grouped, "),
        ({"kernel": "zz", "suites": ("loss",)}, "no kernel matches 'zz' in loss$", "see segcli bench list"),
        ({"kernel": "zz", "suites": tuple(SUITES)}, "no kernel matches 'zz'$", "see segcli bench list"),
        # Only what was the reason is named.
        ({"kernel": "zz", "suites": ("conv",), "modes": ("forward",)}, "no kernel matches 'zz' in conv$", "known: "),
        (
            {"kernel": "argmax", "suites": ("index",), "modes": ("forward+backward",)},
            r"no kernel matches 'argmax' in index with mode forward\+backward$",
            "see segcli bench list",
        ),
        (
            {"kernel": "*", "suites": ("index",), "modes": ("forward+backward",)},
            r"there is no kernel in index with mode forward\+backward$",
            "see segcli bench list",
        ),
        (
            {"suites": ("index",), "modes": ("forward+backward",)},
            r"there is no kernel in index with mode forward\+backward",
            "see segcli bench list",
        ),
        ({"modes": ("backwards",)}, "unknown mode 'backwards'", "did you mean"),
        ({"dtypes": ("float32", "float8")}, "unknown dtype 'float8'", "did you mean float"),
        ({"modes": ("FORWARD",)}, "unknown mode 'FORWARD'", "did you mean forward?"),
        ({"dtypes": ("ALL",)}, "unknown dtype 'ALL'", "known: float32, "),
        ({"dtypes": ("float32", "all")}, "unknown dtype 'all'", "known: float32, "),
        ({"dtypes": ()}, r"no dtype \(--dtype\) is given, expected one or more", "known: "),
        ({"budget_s": -1.0}, r"the time budget \(--time-budget\) is -1 s, expected a finite number above 0", ""),
        ({"budget_s": math.nan}, r"the time budget \(--time-budget\) is nan s, expected a finite number above", ""),
        ({"budget_s": 0.0}, r"the time budget \(--time-budget\) is 0 s", ""),
        ({"sizes": ((8, 8), (0, 8))}, r"size 0x8 \(--size\) has no pixels, expected sides of 1 or more", ""),
        ({"seed": -1}, r"the seed \(--seed\) is -1, expected 0 to 2\^63 - 1", ""),
        ({"passes": 0}, r"there are 0 passes \(--passes\), expected 1 or more", ""),
        ({"caches": ("warm",)}, "unknown caches 'warm'", "known: hot, cold"),
        ({"spans": ("devise",)}, "unknown span 'devise'", "did you mean device?"),
        (
            {"suites": ("conv",), "spans": ("device",), "caches": ("hot", "cold")},
            "suite conv is not timed hot or cold and device on cpu",
            "it is timed: hot host, cold host",
        ),
    ],
    ids=str,
)
def test_impossible_requests_are_refused(fields: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        plan(Request(**fields))
    assert caught.value.hint.startswith(hint)


def test_what_does_not_fit_is_refused_by_its_estimate() -> None:
    groups = plan(Request(suites=FOUR, sizes=((8, 8), (100_000, 100_000))))
    with pytest.raises(SegcliError, match=r"suite conv at 100000x100000 needs about 492 TB of memory, 24\.0 GB are"):
        refuse_too_large(groups, 24_000_000_000)


def test_what_fits_is_not_refused() -> None:
    refuse_too_large(plan(Request(suites=FOUR)), 2_000_000_000)


def test_what_is_held_beside_the_group_counts() -> None:
    groups = plan(Request(suites=("index",), sizes=((8, 8),)))
    refuse_too_large(groups, 1_000_000, beside_bytes=600_000)
    with pytest.raises(SegcliError, match=r"suite index at 8x8 needs about 1\.01 MB of memory, 1\.00 MB are available"):
        refuse_too_large(groups, 1_000_000, beside_bytes=700_000)


def test_the_catalogue_names_what_was_asked_for_and_is_not_there() -> None:
    with pytest.raises(SegcliError, match=r"^no kernel matches 'zz'$") as caught:
        catalogue(Request(kernel="zz"))
    assert caught.value.hint == "see segcli bench list"


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
