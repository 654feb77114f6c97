from collections.abc import Sequence

import pytest

from segcli.bench import Run, Status
from segcli.bench.reporting.gathering import gathered, named
from segcli.bench.reporting.page import page
from segcli.bench.reporting.shortfalls import fates, shortfalls
from tests.bench.reporting.made import made_run, result, untimed

LATE = "the time budget was spent before"


def late(kernel: str) -> Run:
    return made_run(untimed(kernel, Status.SKIPPED, LATE))


def lacking(*runs: Run) -> list[str]:
    marked = named(["run.json"] * len(runs), runs)
    return shortfalls(marked, gathered(marked))


def told(*runs: Run) -> list[str]:
    marked = named(["run.json"] * len(runs), runs)
    (group,) = gathered(marked)
    return fates(group, marked)


NOT_COMPARED = "nothing to compare with A: no kernel was timed in both at the same size, mode and dtype"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([made_run(result("standard"))], []),
        ([made_run(result("standard")), made_run(result("standard"), result("new"))], []),
        (
            [made_run(result("standard"), untimed("late", Status.SKIPPED, LATE), partial=True)],
            ["partial: ended by Ctrl-C, 1 of 2 kernels timed"],
        ),
        ([made_run(partial=True)], ["partial: ended by Ctrl-C, 0 of 0 kernels timed"]),
        ([late("late")], ["none of 1 kernel was timed"]),
        ([made_run()], ["holds no kernel"]),
        ([made_run(result("standard")), late("standard")], ["B: none of 1 kernel was timed"]),
        ([made_run(result("standard")), made_run(result("new"))], [f"B: {NOT_COMPARED}"]),
        ([made_run(result("standard")), made_run(result("standard", size=(8, 8)))], [f"B: {NOT_COMPARED}"]),
        (
            [made_run(result("standard")), made_run(result("new"), partial=True)],
            ["B: partial: ended by Ctrl-C, 1 of 1 kernel timed", f"B: {NOT_COMPARED}"],
        ),
    ],
    ids=[
        "whole",
        "one in common",
        "interrupted",
        "interrupted at once",
        "skipped",
        "empty",
        "the second skipped",
        "others",
        "another size",
        "interrupted and others",
    ],
)
def test_what_a_run_lacks_is_said(runs: Sequence[Run], expected: list[str]) -> None:
    assert lacking(*runs) == expected


def test_a_kernel_counts_once_for_all_its_conditions() -> None:
    conditions = result("standard"), result("standard", caches="cold"), result("standard", span="device")
    run = made_run(*conditions, result("standard", mode="other"), partial=True)
    assert lacking(run) == ["partial: ended by Ctrl-C, 2 of 2 kernels timed"]


def test_what_a_run_lacks_stands_above_all_tables() -> None:
    html = page(named(["run.json"], [made_run(result("standard"), partial=True)]))
    assert html.index("partial: ended by Ctrl-C, 1 of 1 kernel timed") < html.index("<nav") < html.index("<table")
    assert '<ul class="lacks"' not in page(named(["run.json"], [made_run(result("standard"))]))


def test_kernels_of_one_fate_share_a_line() -> None:
    run = made_run(
        untimed("one", Status.SKIPPED, LATE),
        result("two"),
        untimed("three", Status.SKIPPED, LATE),
        untimed("four", Status.FAILED, LATE),
        untimed("five", Status.UNSUPPORTED, "no such kernel"),
    )
    assert told(run) == [
        f"one, three: not timed: {LATE}",
        f"four: failed: {LATE}",
        "five: not supported: no such kernel",
    ]


def test_runs_of_one_fate_share_a_line() -> None:
    assert told(late("one"), late("one"), made_run(result("one"))) == [f"one: not timed in A, B: {LATE}"]
    both = made_run(*late("one").results, *late("two").results)
    assert told(both, late("one")) == [f"one, two: not timed in A: {LATE}", f"one: not timed in B: {LATE}"]


def test_a_fate_of_some_conditions_names_them() -> None:
    skipped = untimed("one", Status.SKIPPED, LATE)
    cold = untimed("one", Status.SKIPPED, LATE, caches="cold")
    assert told(made_run(skipped, cold)) == [f"one: not timed: {LATE}"]
    assert told(made_run(result("one"), cold)) == [f"one (cold): not timed: {LATE}"]
