from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from segcli.bench import Status
from segcli.bench.logs import log_run
from tests.bench.test_advice import GOOD


def test_only_what_was_timed_is_logged() -> None:
    timed = replace(GOOD, samples_s=(1.0, 2.0), bytes_per_s=5.0)
    wrong = replace(GOOD, kernel="wrong", status=Status.WRONG, median_s=None)
    run: Any = SimpleNamespace(results=(timed, wrong))
    written: list[tuple[str, float, int]] = []
    log_run(run, lambda *scalar: written.append(scalar))
    assert written == [
        ("bench/loss/ohem/forward/sample_s", 1.0, 0),
        ("bench/loss/ohem/forward/sample_s", 2.0, 1),
        ("bench/loss/ohem/forward/median_s", 1.0, 0),
        ("bench/loss/ohem/forward/bytes_per_s", 5.0, 0),
    ]
