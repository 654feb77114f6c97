from dataclasses import replace
from pathlib import Path

import pytest
import torch

from segcli.bench.imported.failures import KernelError
from segcli.bench.imported.suite import Names, user_suite
from segcli.bench.kernel import Case, Mode, Suite
from segcli.bench.measuring.correctness import Prepared, prepare
from segcli.errors import ExitCode, SegcliError

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("kernels")


def suite_of(
    *kernels: str,
    setup: str = "data",
    reference: str = "",
    sizes: tuple[tuple[int, int], ...] = (),
    dtypes: tuple[str, ...] = ("float32",),
) -> Suite:
    def own(name: str) -> str:
        return f"own_kernels:{name}" if name else ""

    return user_suite(Names(tuple(map(own, kernels)), own(setup), own(reference)), sizes, dtypes, CPU, 0)


def prepared(suite: Suite, mode: Mode = Mode.FORWARD, case: Case | None = None) -> list[Prepared]:
    """Prepare every kernel as a run does: drawn tensors are cast to the dtype of their case."""
    case = case or suite.case
    dtype = getattr(torch, case.dtype)
    tensors = {
        name: tensor.to(dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in suite.tensors(case, torch.Generator()).items()
    }
    with torch.set_grad_enabled(mode is Mode.TRAINING):
        return [prepare(kernel, mode, tensors) for kernel in suite.kernels if mode in kernel.modes]


def cost(suite: Suite, mode: Mode = Mode.FORWARD, case: Case | None = None, place: int = 0) -> tuple[int, int]:
    found = suite.kernels[place].cost(case or suite.case, mode)
    return found.bytes, found.flops


def test_the_first_is_the_baseline_and_in_float64_the_reference() -> None:
    suite = suite_of("softmax", "by_hand")
    assert (suite.name, suite.baseline, suite.tensor, suite.case.shape) == ("user", "softmax", "x", (2, 4, 6, 8))
    assert suite.case.size == (6, 8)
    first, second = prepared(suite)
    assert (first.reason, second.reason) == ("", "")
    assert second.error is not None
    assert 0 < second.error < 1e-6
    # Input and output, once each; torch counts no FLOPs of a softmax.
    assert cost(suite) == (2 * 2 * 4 * 6 * 8 * 4, 0)


def test_a_call_is_the_users() -> None:
    suite = suite_of("softmax")
    (ready,) = prepared(suite)
    x = suite.tensors(suite.case, torch.Generator())["x"]
    assert torch.equal(ready.work(), x.softmax(1))  # type: ignore[arg-type]


def test_a_wrong_kernel_is_wrong() -> None:
    _, off = prepared(suite_of("softmax", "off"))
    assert "its output has a relative error of 0.01 against float64" in off.reason


def test_a_reference_is_another_function() -> None:
    (off,) = prepared(suite_of("off", reference="by_hand"))
    assert "its output has a relative error of 0.01 against float64" in off.reason
    (right,) = prepared(suite_of("by_hand", reference="softmax"))
    assert right.reason == ""


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        ("nan", "own_kernels:nan returns [0-9]+ NaN among 384 values"),
        ("infinite", "own_kernels:infinite returns 384 infinite among 384 values"),
        ("none", "own_kernels:none returns None, expected a tensor or several"),
        ("nothing", "own_kernels:nothing returns what is of type int, expected a tensor or several"),
        ("raises", r"own_kernels:raises raised KeyError: 'no such thing' \(own_kernels.py, line 62\)"),
        ("leaves", r"own_kernels:leaves raised SystemExit: 4 \(own_kernels.py, line "),
        ("in_place", "own_kernels:in_place changes its argument x in place, so that every call would find other"),
    ],
)
def test_what_cannot_be_timed_says_why(kernel: str, reason: str) -> None:
    suite = suite_of("softmax", kernel)
    assert cost(suite, place=1) == (0, 0)
    with pytest.raises(KernelError, match=reason) as caught:
        prepared(suite)
    assert caught.value.code is ExitCode.NO


def test_a_kernel_that_fails_later_is_told_in_one_line() -> None:
    (ready,) = prepared(suite_of("wears_out"))
    with pytest.raises(KernelError, match=r"own_kernels:wears_out raised OSError: worn out \(own_kernels.py, line "):
        for _ in range(9):
            ready.work()


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        ("no_double", "own_kernels:no_double raised TypeError: half a kernel (own_kernels.py, line "),
        ("only_float32", "own_kernels:only_float32 computes in float32 where it is given float64"),
    ],
)
def test_what_does_not_run_in_float64_is_unchecked(kernel: str, why: str) -> None:
    suite = suite_of(kernel, "off")
    for found, ready in zip(suite.kernels, prepared(suite), strict=True):
        assert found.unchecked.startswith(why)
        assert (ready.reason, ready.error, ready.tolerance) == ("", None, None)


def test_a_first_kernel_that_fails_leaves_the_others_unchecked() -> None:
    suite = suite_of("raises", "off")
    assert {kernel.unchecked for kernel in suite.kernels} == {"the first, own_kernels:raises, failed"}


def test_an_unchecked_kernel_that_returns_nan_fails_all_the_same() -> None:
    with pytest.raises(KernelError, match="own_kernels:sometimes_nan returns 384 NaN"):
        prepared(suite_of("no_double", "sometimes_nan"))


def test_gradients_are_timed_where_tensors_require_them() -> None:
    suite = suite_of("grouped", setup="trained", sizes=((6, 8),))
    assert suite.kernels[0].leaves == ("x", "weight")
    (both,) = prepared(suite, Mode.TRAINING)
    assert both.reason == ""
    macs = 2 * 4 * 48 * 2 * 9
    inputs = (2 * 4 * 48 + 4 * 2 * 9) * 4
    output = 2 * 4 * 48 * 4
    assert cost(suite) == (inputs + output, 2 * macs)
    # FlopCounterMode alone would count the weight's gradient of 2 groups twice.
    assert cost(suite, Mode.TRAINING) == (2 * (inputs + output) + inputs, 3 * 2 * macs)


def test_gradients_that_torch_does_not_take_are_not_timed() -> None:
    suite = suite_of("forgetful", setup="trained", sizes=((6, 8),))
    assert suite.kernels[0].modes == (Mode.FORWARD,)
    assert prepared(suite)[0].reason == ""


def test_several_outputs_are_compared_as_one() -> None:
    suite = suite_of("several")
    assert prepared(suite)[0].reason == ""
    assert cost(suite) == ((384 + 2 * 48) * 4 + 2 * 48 * 8, 0)


def test_whole_numbers_and_complex_ones_are_compared_too() -> None:
    suite = suite_of("picks", setup="pair")
    assert prepared(suite)[0].reason == ""
    # Positions come first, and values are what is computed with.
    assert (suite.tensor, suite.case.size) == ("values", (2, 3))
    assert list(suite.case.shape) == [2, 3]
    for kernel in ("complex_one", "largest"):
        assert prepared(suite_of(kernel))[0].reason == ""


def test_a_function_of_torchs_own_has_no_names_for_its_arguments() -> None:
    suite = user_suite(Names(("torch:relu",), "own_kernels:data"), (), ("float32",), CPU, 0)
    assert (suite.tensor, prepared(suite)[0].reason) == ("argument 0", "")


def test_complex_arguments_are_widened() -> None:
    (ready,) = prepared(suite_of("twice", setup="complex_data"))
    assert ready.error == 0


def test_what_refuses_to_be_watched_counts_no_flops() -> None:
    suite = suite_of("shy")
    assert cost(suite) == (2 * 384 * 4, 0)
    assert prepared(suite)[0].reason == ""


def test_networks_are_kernels_too_in_the_dtype_of_the_case() -> None:
    suite = suite_of("net", dtypes=("float32", "bfloat16"))
    assert prepared(suite)[0].reason == ""
    assert cost(suite) == ((384 + 8 * 4 * 9 + 2 * 8 * 48) * 4, 2 * 2 * 48 * 8 * 4 * 9)
    half = replace(suite.case, dtype="bfloat16")
    assert prepared(suite, case=half)[0].reason == ""
    assert cost(suite, case=half)[0] * 2 == cost(suite)[0]


def test_nested_arguments_keep_their_dtypes() -> None:
    suite = suite_of("mixed", setup="nested")
    assert prepared(suite)[0].reason == ""
    assert (suite.tensor, suite.case.size) == ("x[0]", (1, 3))
    # Two inputs, a network's weights, and an output in float64.
    assert cost(suite)[0] == 3 * 4 + 3 * 8 + 12 * 4 + 3 * 8


def test_a_tensor_that_is_only_expanded_counts_what_it_holds() -> None:
    assert cost(suite_of("alone", setup="expanded_data"))[0] == 1 * 4 + 3 * 4


def test_without_a_setup_functions_are_called_without_arguments() -> None:
    suite = suite_of("alone", setup="")
    assert (suite.case.size, suite.tensor, len(suite.case.shape)) == ((1, 1), "nothing", 0)
    assert suite.kernels[0].unchecked.endswith("computes in float32 where it is given float64")
    assert prepared(suite)[0].reason == ""
    assert suite.data == "what the kernels make themselves"
    assert prepared(suite_of("alone", setup="", reference="alone"))[0].error == 0


def test_sizes_and_dtypes_go_to_the_setup() -> None:
    suite = suite_of("softmax", sizes=((2, 3), (4, 6)), dtypes=("float32", "bfloat16"))
    for size, dtype, n_bytes in (((2, 3), "float32", 384), ((2, 3), "bfloat16", 192), ((4, 6), "bfloat16", 768)):
        case = replace(suite.case, size=size, dtype=dtype)
        assert (case.shape, case.numel) == ((2, 4, *size), 8 * size[0] * size[1])
        assert cost(suite, case=case)[0] == n_bytes
        assert prepared(suite, case=case)[0].reason == ""


def test_a_setup_without_a_size_of_its_own_gets_one() -> None:
    assert suite_of("grouped", setup="trained").case.size == (256, 512)


def test_the_seed_is_torchs_and_afterwards_its_state_is_as_before() -> None:
    suite = suite_of("softmax", setup="pair_of_one")
    before = torch.get_rng_state()
    first, again = (suite.tensors(suite.case, torch.Generator())["x"] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_dtype_the_setups_tensors_are_cast() -> None:
    # Positions are whole numbers and stay so.
    assert cost(suite_of("picks", setup="pair", dtypes=("float16",)))[0] == 6 * 8 + 6 * 2 + 6 * 2


def test_equal_names_are_told_apart_by_their_modules(kernels: Path) -> None:
    (kernels / "more_kernels.py").write_text("from own_kernels import softmax, by_hand\n")
    specs = ("own_kernels:softmax", "more_kernels:softmax", "more_kernels:by_hand")
    suite = user_suite(Names(specs, "own_kernels:data"), (), ("float32",), CPU, 0)
    assert [kernel.name for kernel in suite.kernels] == ["own_kernels:softmax", "more_kernels:softmax", "by_hand"]
    assert suite.baseline == "own_kernels:softmax"


def test_memory_is_estimated_by_what_the_setup_returns() -> None:
    suite = suite_of("softmax")
    assert suite.peak_bytes(suite.case) == 8 * 384 * 4


@pytest.mark.parametrize(
    ("kernel", "setup", "reference", "sizes", "words", "hint"),
    [
        ("softmaxx", "data", "", (), "own_kernels has no 'softmaxx'", "did you mean softmax?"),
        ("number", "data", "", (), "own_kernels:number is of type int, expected a function or a network", ""),
        (
            "softmax",
            "broken_data",
            "",
            (),
            r"--setup own_kernels:broken_data raised ValueError: no data today \(own_k",
            "-v",
        ),
        (
            "softmax",
            "listed",
            "",
            (),
            "what --setup own_kernels:listed returned is of type list, expected",
            "a list as",
        ),
        ("softmax", "empty", "", (), "what --setup own_kernels:empty returned is None, expected a tensor, a tuple", ""),
        (
            "softmax",
            "demanding",
            "",
            (),
            "--setup own_kernels:demanding takes 'path', expected none but size",
            "give path",
        ),
        (
            "softmax",
            "pair",
            "",
            ((2, 3),),
            "--size 2x3 was given, and --setup own_kernels:pair takes no size",
            "give it a",
        ),
        ("alone", "", "", ((2, 3),), "--size 2x3 was given, and there is no --setup that takes one", "give it a"),
        ("softmax", "data", "raises", (), "--reference own_kernels:raises raised KeyError", "it is called in float64"),
        ("softmax", "data", "nan", (), "--reference own_kernels:nan returns [0-9]+ NaN", "it is called in float64"),
    ],
)
def test_what_the_user_got_wrong_is_refused(
    kernel: str, setup: str, reference: str, sizes: tuple[tuple[int, int], ...], words: str, hint: str
) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        suite_of(kernel, setup=setup, reference=reference, sizes=sizes)
    assert caught.value.hint.startswith(hint)
    assert caught.value.code is ExitCode.USAGE
