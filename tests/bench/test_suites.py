from dataclasses import replace
from typing import Any

import pytest
import torch

from segcli.bench.kernel import Call, Case, Kernel, Mode, Suite, Tensors
from segcli.bench.measuring.correctness import TOLERANCES, prepare
from segcli.bench.measuring.session import draw
from segcli.bench.plan import Group
from segcli.bench.suites import SUITES
from segcli.bench.suites.convs import CONVS

# Networks, processes and ranks have tests of their own.
PLAIN = [suite for suite in SUITES.values() if suite.name not in ("net", "loader", "collective")]


def contenders(device: str, suites: list[Suite]) -> list[Any]:
    return [
        pytest.param(suite, kernel, mode, id=f"{suite.name}-{kernel.name}-{mode.value}")
        for suite in suites
        for kernel in suite.kernels
        for mode in kernel.modes
        if device in kernel.devices
    ]


CONTENDERS = contenders("cpu", PLAIN)


def tensors_of(suite: Suite, dtype: str = "float32", size: tuple[int, int] = (16, 24)) -> dict[str, torch.Tensor]:
    case = replace(suite.case, size=size, dtype=dtype)
    return draw(suite, Group(suite, Mode.FORWARD, case, suite.kernels), 0, torch.device("cpu"))


def compared(kernel: Kernel, mode: Mode, tensors: Tensors) -> Any:  # noqa: ANN401 - mypy knows it where it is used
    with torch.set_grad_enabled(mode is Mode.TRAINING):
        return prepare(kernel, mode, tensors)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("suite", "kernel", "mode"), CONTENDERS)
def test_every_kernel_is_right(suite: Suite, kernel: Kernel, mode: Mode, dtype: str) -> None:
    prepared = compared(kernel, mode, tensors_of(suite, dtype))
    assert prepared.reason == ""
    assert prepared.error <= TOLERANCES[dtype]


@pytest.mark.parametrize(("suite", "kernel", "mode"), CONTENDERS)
def test_a_kernel_that_forgets_a_pixel_is_wrong(suite: Suite, kernel: Kernel, mode: Mode) -> None:
    def careless(tensors: Tensors) -> Call:
        return lambda: off_at_one_place(kernel, tensors)

    prepared = compared(replace(kernel, make=careless), mode, tensors_of(suite))
    assert "has a relative error of" in prepared.reason
    assert prepared.error > prepared.tolerance


def off_at_one_place(kernel: Kernel, tensors: Tensors) -> torch.Tensor:
    output = kernel.make(tensors)().clone(memory_format=torch.contiguous_format)
    flat = output.view(-1)
    # An index one further, or a value of twice the largest.
    flat[0] = (flat[0] + 1) % 19 if output.dtype == torch.int64 else 2 * output.detach().abs().max()
    return output


@pytest.mark.parametrize("size", [(1, 17), (23, 1)], ids=str)
@pytest.mark.parametrize(("suite", "kernel", "mode"), CONTENDERS)
def test_thin_images_are_no_trouble(suite: Suite, kernel: Kernel, mode: Mode, size: tuple[int, int]) -> None:
    if "antialias" in kernel.name and size[1] == 1:
        # Torch's own trouble: see tests/bench/suites/test_resizing.py.
        size = size[0], 4
    assert compared(kernel, mode, tensors_of(suite, size=size)).reason == ""


@pytest.mark.parametrize(
    ("suite", "kernel", "mode", "n_bytes", "flops"),
    [
        # N pixels, C classes, 4 bytes a logit, 8 a label: N (4 C + 8), and N (12 C + 24) with the backward.
        ("loss", "ohem", Mode.FORWARD, 768 * (4 * 19 + 8), 768 * (4 * 19 + 5)),
        ("loss", "ohem", Mode.TRAINING, 768 * (12 * 19 + 24), 768 * (7 * 19 + 7)),
        ("loss", "bce", Mode.FORWARD, 768 * 19 * 5, 768 * 19 * 9),
        ("loss", "bce", Mode.TRAINING, 768 * 19 * (5 + 9), 768 * 19 * 15),
        ("norm", "group", Mode.FORWARD, (2 * 49_152 + 128) * 4, 6 * 49_152),
        ("norm", "batch", Mode.TRAINING, (5 * 49_152 + 320) * 4, 14 * 49_152),
        ("norm", "batch-eval", Mode.FORWARD, (2 * 49_152 + 256) * 4, 2 * 49_152),
        ("norm", "batch-eval", Mode.TRAINING, (5 * 49_152 + 9 * 64) * 4, 7 * 49_152),
        ("index", "argmax", Mode.FORWARD, 768 * (19 * 4 + 8), 768 * 18),
        ("index", "max", Mode.FORWARD, 768 * (19 * 4 + 12), 768 * 18),
        ("index", "gather", Mode.FORWARD, 768 * 16, 0),
        # 24 of the 384 pixels of one image are picked.
        ("index", "index-select", Mode.FORWARD, 24 * (2 * 19 * 4 + 8), 0),
        ("index", "advanced", Mode.FORWARD, 24 * (2 * 19 * 4 + 16), 0),
        ("index", "masked", Mode.FORWARD, 24 * 2 * 19 * 4 + 384, 0),
        ("index", "cat", Mode.FORWARD, 768 * 19 * 4 * (2 + 2), 0),
        ("index", "stack", Mode.FORWARD, 768 * 19 * 4 * (2 + 2), 0),
        ("norm", "instance-eval", Mode.FORWARD, (2 * 49_152 + 256) * 4, 2 * 49_152),
        # Read once, written once; from 4 bytes an element to 2.
        ("copy", "channels-last", Mode.FORWARD, 8 * 3 * 384 * 8, 0),
        ("copy", "cast", Mode.FORWARD, 8 * 3 * 384 * 6, 0),
        ("copy", "host-to-device-pinned", Mode.FORWARD, 8 * 3 * 384 * 4, 0),
    ],
)
def test_costs_by_hand(suite: str, kernel: str, mode: Mode, n_bytes: int, flops: int) -> None:
    found = next(each for each in SUITES[suite].kernels if each.name == kernel)
    cost = found.cost(replace(SUITES[suite].case, size=(16, 24)), mode)
    assert (cost.bytes, cost.flops) == (n_bytes, flops)


def test_a_kernel_without_gradients_has_no_training_cost() -> None:
    with pytest.raises(ValueError, match="argmax has no backward"):
        SUITES["index"].kernels[0].cost(SUITES["index"].case, Mode.TRAINING)


@pytest.mark.parametrize("suite", list(SUITES.values()), ids=lambda suite: suite.name)
def test_costs_are_whole_numbers_at_every_size(suite: Suite) -> None:
    for size in ((1, 1), (23, 17), (512, 1024)):
        case = replace(suite.case, size=size)
        for kernel in suite.kernels:
            costs = [kernel.cost(case, mode) for mode in kernel.modes]
            assert all(cost.bytes > 0 and cost.flops >= 0 for cost in costs)
            assert costs[-1].bytes >= costs[0].bytes


@pytest.mark.parametrize("suite", list(SUITES.values()), ids=lambda suite: suite.name)
def test_speedups_are_against_a_kernel_of_the_suite(suite: Suite) -> None:
    names = [kernel.name for kernel in suite.kernels]
    assert len(set(names)) == len(names)
    assert {suite.baseline_of(kernel) for kernel in suite.kernels} | {suite.baseline} <= set(names)


@pytest.mark.parametrize("suite", list(SUITES.values()), ids=lambda suite: suite.name)
def test_data_are_drawn_by_seed_alone(suite: Suite) -> None:
    first, again = tensors_of(suite), tensors_of(suite)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_an_index_among_equals_is_right_whichever_it_is() -> None:
    argmax = SUITES["index"].kernels[0]
    tensors = tensors_of(SUITES["index"])
    tensors["logits"].zero_()
    last = replace(argmax, make=lambda given: lambda: given["logits"].argmin(1) + given["logits"].shape[1] - 1)
    assert compared(last, Mode.FORWARD, tensors).reason == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x * float("nan"), "its output has a relative error of inf"),
        (lambda x: x[:, :1], "its output has shape (2, 1, 16, 24) and not (2, 64, 16, 24)"),
    ],
    ids=["nan", "shape"],
)
def test_nan_and_a_wrong_shape_are_wrong(answer: Any, words: str) -> None:  # noqa: ANN401 - a lambda
    standard = CONVS.kernels[0]
    broken = replace(standard, make=lambda tensors: lambda: answer(standard.make(tensors)()))
    assert words in compared(broken, Mode.FORWARD, tensors_of(CONVS)).reason


@pytest.mark.parametrize("name", ["ohem", "ohem-sort"])
def test_no_hard_pixel_and_none_to_keep_is_a_loss_of_0(name: str) -> None:
    kernel = next(each for each in SUITES["loss"].kernels if each.name == name)
    reason = compared(kernel, Mode.FORWARD, tensors_of(SUITES["loss"], size=(1, 1))).reason
    # The sorting OHEM takes the mean of nothing.
    assert ("a relative error of inf" in reason) == (name == "ohem-sort")


def test_a_wrong_gradient_is_named() -> None:
    standard = CONVS.kernels[0]

    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: torch.Tensor) -> torch.Tensor:  # noqa: ANN401, ARG004 - torch's signature
            return y.clone()

        @staticmethod
        def backward(ctx: Any, *upstream: torch.Tensor) -> torch.Tensor:  # noqa: ANN401, ARG004 - as above
            return upstream[0] / 2

    halved: Any = Halved.apply
    broken = replace(standard, make=lambda tensors: lambda: halved(standard.make(tensors)()))
    reason = compared(broken, Mode.TRAINING, tensors_of(CONVS)).reason
    assert reason == "the gradient of standard.0 has a relative error of 0.5 against float64, expected at most 0.0001"


def test_zeros_where_zeros_are_wanted_have_no_error() -> None:
    standard = CONVS.kernels[0]
    tensors = tensors_of(CONVS) | {"x": torch.zeros(CONVS.case.shape)}
    assert compared(standard, Mode.FORWARD, tensors).error == 0


@pytest.mark.parametrize("dtype", list(TOLERANCES))
def test_a_case_knows_its_size(dtype: str) -> None:
    case = Case(2, 19, (4, 4), dtype)
    assert (case.shape, case.pixels, case.numel) == ((2, 19, 4, 4), 32, 32 * 19)
    assert case.item_bytes == torch.empty(0, dtype=getattr(torch, dtype)).element_size()


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("suite", "kernel", "mode"), contenders("cuda", [*PLAIN, SUITES["net"]]))
def test_every_kernel_is_right_on_cuda(suite: Suite, kernel: Kernel, mode: Mode, dtype: str) -> None:
    torch.backends.cudnn.allow_tf32 = False
    case = replace(suite.case, size=(32, 64), dtype=dtype)
    tensors = draw(suite, Group(suite, mode, case, suite.kernels), 0, torch.device("cuda"))
    assert compared(kernel, mode, tensors).reason == ""
