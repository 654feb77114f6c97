from dataclasses import replace

import pytest

from segcli.bench.results import Result, Status
from segcli.bench.worker_advice import advise_workers
from tests.bench.test_advice import GOOD


def loaded(workers: int, rate: float, size: tuple[int, int] = (8, 8)) -> Result:
    return replace(GOOD, suite="loader", kernel=f"workers-{workers}", items_per_s=rate, size=size)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({0: 50, 1: 48, 2: 90, 4: 94}, "2 workers are enough: 90 samples/s, 1.8 times those of none;"),
        ({0: 50, 1: 48, 2: 90, 4: 100}, "4 workers are enough: 100 samples/s, 2 times those of none;"),
        ({0: 50, 1: 49, 2: 51}, "no workers are needed: 50 samples/s;"),
        ({0: 50, 1: 60, 2: 61}, "1 worker is enough: 60 samples/s, 1.2 times those of none;"),
        ({2: 61, 1: 60}, "1 worker is enough: 60 samples/s;"),
    ],
    ids=str,
)
def test_the_fewest_that_are_near_the_best_are_enough(rates: dict[int, float], words: str) -> None:
    (line,) = advise_workers([loaded(workers, rate) for workers, rate in rates.items()])
    assert line == f"loader at 8x8 float32: {words} with more, less than 5% more was seen"


def test_each_size_has_its_answer() -> None:
    results = [loaded(0, 10), loaded(1, 20), loaded(0, 10, (4, 4)), loaded(1, 10, (4, 4))]
    assert [line.partition(":")[0] for line in advise_workers(results)] == [
        "loader at 8x8 float32",
        "loader at 4x4 float32",
    ]


def test_nothing_is_said_of_what_was_not_compared() -> None:
    alone = loaded(0, 10)
    others = [
        GOOD,
        replace(alone, kernel="new-workers"),
        replace(alone, kernel="workers-1", status=Status.SKIPPED, items_per_s=None),
    ]
    assert list(advise_workers([alone, *others])) == []
