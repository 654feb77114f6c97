from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.bench import Status
from segcli.bench.ceilings.ceiling import Bandwidth
from segcli.bench.reporting.panels import Roof, axis_limits, group_title, intensity, label_of, panels, spread
from tests.bench.reporting.made import CEILINGS, MIB, made_run, result, untimed


def test_a_group_has_a_panel_and_what_computes_nothing_another() -> None:
    run = made_run(
        result("standard"),
        result("gather", flops=0),
        result("standard", caches="cold"),
        result("standard", span="device"),
        result("standard", mode="forward+backward"),
        untimed("wrong", Status.WRONG, "its output differs"),
    )
    assert [(panel.title, panel.has_flops, len(panel.results)) for panel in panels(run)] == [
        ("conv, forward, 64x128 float32", True, 2),
        ("conv, forward, 64x128 float32", False, 1),
        ("conv, forward, 64x128 float32, device time", True, 1),
        ("conv, forward+backward, 64x128 float32", True, 1),
    ]


@pytest.mark.parametrize(
    "changes",
    [{"fraction": None}, {"bytes": 0}, {"median_s": 0.0}],
    ids=["nothing bounds it", "no bytes", "the clock saw no time"],
)
def test_what_has_no_place_below_the_roofs_is_not_drawn(changes: dict[str, Any]) -> None:
    assert panels(made_run(result("standard", **changes))) == []


def test_without_ceilings_there_are_points_and_no_roofs() -> None:
    (panel,) = panels(made_run(result("standard", fraction=None), ceilings=None))
    assert (panel.roofs, panel.flops_per_s, len(panel.results)) == ((), None, 1)


def test_roofs_are_those_of_memory_and_caches() -> None:
    (panel,) = panels(made_run(result("standard")))
    assert panel.roofs == (Roof("memory", 25e9), Roof("last-level cache", 100e9), Roof("fastest cache", 240e9))
    assert panel.flops_per_s == 100e9


@pytest.mark.parametrize(
    ("bandwidths", "names"),
    [
        ((Bandwidth(MIB, 120e9, 1.0), *CEILINGS.bandwidths[1:]), ["memory", "fastest cache"]),
        (
            (Bandwidth(MIB, 240e9, 1.0), Bandwidth(16 * MIB, 30e9, 1.0), CEILINGS.bandwidths[2]),
            ["memory", "fastest cache"],
        ),
        ((Bandwidth(MIB, 26e9, 1.0), CEILINGS.bandwidths[2]), ["memory"]),
        (CEILINGS.bandwidths[2:], ["memory"]),
    ],
    ids=["caches alike", "the last cache like memory", "a cache like memory", "memory alone"],
)
def test_roofs_that_would_lie_on_one_another_are_one(bandwidths: tuple[Bandwidth, ...], names: list[str]) -> None:
    (panel,) = panels(made_run(result("standard"), ceilings=replace(CEILINGS, bandwidths=bandwidths)))
    assert [roof.name for roof in panel.roofs] == names


def test_names_have_the_variant_and_the_clock() -> None:
    of_device = result("standard", variant="compiled", span="device")
    assert label_of(of_device) == "standard, compiled"
    assert group_title(of_device) == "conv, forward, 64x128 float32, device time"
    assert intensity(of_device) == 2.0
    assert axis_limits([2.0, 8.0], 4.0) == (0.5, 32.0)


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0, 0.2))
@example([0.5] * 4, 0.1)
@example([1.0] * 3, 0.1)
@example([0.0, 1.0], 0.9)
def test_labels_keep_their_order_and_their_distance_within_the_panel(wanted: list[float], gap: float) -> None:
    wanted = sorted(wanted)
    places = spread(wanted, gap)
    assert len(places) == len(wanted)
    least = min(gap, 1 / max(1, len(wanted) - 1))
    assert all(after - before >= least - 1e-9 for before, after in pairwise(places))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


@given(st.integers(1, 10))
def test_labels_that_are_far_apart_stay_where_they_are(count: int) -> None:
    wanted = [(place + 0.5) / count for place in range(count)]
    assert spread(wanted, 0.5 / count) == pytest.approx(wanted)


def test_labels_that_want_one_place_stand_around_it() -> None:
    assert spread([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])
