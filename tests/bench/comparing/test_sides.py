from dataclasses import replace

import pytest

from segcli.bench import Run, Status
from segcli.bench.comparing.sides import Side, differences, side_of
from segcli.bench.results import passes_of
from segcli.errors import SegcliError
from tests.bench.comparing.made import made_reference, made_result, made_run, real_run


def side(*runs: Run) -> Side:
    return side_of([f"{place}.json" for place in range(len(runs))], runs)


def test_samples_are_cut_into_their_passes() -> None:
    result = made_result("ohem", [[1.0, 2.0], [], [3.0]])
    assert passes_of(result) == ((1.0, 2.0), (), (3.0,))
    assert passes_of(replace(result, passes=())) == ((1.0, 2.0, 3.0),)


def test_a_run_alone_stays_as_it_is() -> None:
    result = made_result("ohem", [[1.0, 2.0], [3.0]])
    reference = made_reference("copy", [[5.0], [6.0]])
    found = side(made_run(result, references=[reference]))
    assert list(found.results.values()) == [result]
    assert list(found.references.values()) == [reference]
    assert found.names == ("0.json",)


def test_of_several_runs_each_is_a_pass() -> None:
    first = made_run(made_result("ohem", [[1.0, 2.0], [3.0]]), references=[made_reference("copy", [[7.0], [8.0]])])
    second = made_run(made_result("ohem", [[4.0], [6.0]]), references=[made_reference("copy", [[9.0], [9.0]])])
    found = side(first, second)
    (result,), (reference,) = found.results.values(), found.references.values()
    assert passes_of(result) == ((1.0, 2.0, 3.0), (4.0, 6.0))
    assert result.median_s == 3.0
    assert passes_of(reference) == ((7.0, 8.0), (9.0, 9.0))


def test_a_run_without_a_kernel_is_a_pass_without_samples() -> None:
    timed = made_result("ohem", [[1.0, 2.0]])
    skipped = replace(timed, status=Status.SKIPPED, samples_s=(), passes=(), median_s=None)
    found = side(made_run(skipped), made_run(timed), made_run(made_result("dice", [[5.0]])))
    by_name = {key.kernel: result for key, result in found.results.items()}
    assert passes_of(by_name["ohem"]) == ((), (1.0, 2.0), ())
    assert passes_of(by_name["dice"]) == ((), (), (5.0,))
    assert by_name["ohem"].status is Status.TIMED


def test_what_no_run_has_timed_keeps_its_reason() -> None:
    wrong = made_result("ohem", [[1.0]], status=Status.WRONG, reason="off by 2")
    (found,) = side(made_run(wrong), made_run(wrong)).results.values()
    assert (found.status, found.reason) == (Status.WRONG, "off by 2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"threads": 7}, "and 7 threads"), ({"cpu": "Z80"}, "another processor: .* and Z80")],
    ids=["threads", "CPU"],
)
def test_runs_that_were_made_otherwise_are_not_put_together(changes: dict[str, object], reason: str) -> None:
    first = made_run(made_result("ohem", [[1.0]]))
    second = replace(first, environment=replace(first.environment, **changes))  # type: ignore[arg-type]
    with pytest.raises(SegcliError, match=f"0.json and 1.json cannot be put together: .*{reason}"):
        side(first, second)


def test_a_kernel_that_is_there_twice_is_refused() -> None:
    result = made_result("ohem", [[1.0]])
    with pytest.raises(SegcliError, match=r"0\.json holds index/ohem forward twice, expected it once"):
        side(made_run(result, result))


def test_what_else_differs_is_listed() -> None:
    first = replace(real_run().environment, torch="2.9", cores=2, variables={"OMP_NUM_THREADS": "2", "MKL_X": "1"})
    second = replace(first, torch="2.10", variables={"OMP_NUM_THREADS": "4", "MKL_X": "1", "TORCH_Y": "0"})
    assert list(differences(first, first)) == []
    assert list(differences(first, second)) == [
        "torch 2.9 and 2.10",
        "OMP_NUM_THREADS 2 and 4",
        "TORCH_Y unset and 0",
    ]
