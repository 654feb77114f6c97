from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from segcli.bench import Status
from segcli.bench.logs import log_run, tag_of
from tests.bench.test_advice import GOOD


def test_only_what_was_timed_is_logged() -> None:
    timed = replace(GOOD, samples_s=(1.0, 2.0), bytes_per_s=5.0, fraction=0.5, items_per_s=7.0)
    wrong = replace(GOOD, kernel="wrong", status=Status.WRONG, median_s=None)
    run: Any = SimpleNamespace(results=(timed, wrong))
    written: list[tuple[str, float, int]] = []
    log_run(run, lambda *scalar: written.append(scalar))
    tag = "bench/loss/ohem/forward/8x8/float32/hot-host"
    assert written == [
        (f"{tag}/sample_s", 1.0, 0),
        (f"{tag}/sample_s", 2.0, 1),
        (f"{tag}/median_s", 1.0, 0),
        (f"{tag}/bytes_per_s", 5.0, 0),
        (f"{tag}/fraction", 0.5, 0),
        (f"{tag}/items_per_s", 7.0, 0),
    ]


def test_variants_and_conditions_have_tags_of_their_own() -> None:
    other = replace(GOOD, variant="channels-last, compiled", mode="forward+backward", caches="cold", span="device")
    assert tag_of(other) == "bench/loss/ohem-channels-last-compiled/forward-backward/8x8/float32/cold-device"
