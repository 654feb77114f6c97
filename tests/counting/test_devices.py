"""Networks that name devices are counted where there are none."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from segcli.counting.devices import StaysOnMeta, is_about_devices
from segcli.errors import SegcliError
from tests.counting.known import Function, counted, image

IMAGE = image(8, 8)
ELSEWHERE = torch.device("cuda", 1)
# 3 -> 4 channels, 3x3, on 6x6 positions.
MACS = 3 * 4 * 9 * 36
ON_THE_PROCESSOR = torch.ones(1, 3, 8, 8, device="cpu")


def _mask(x: Tensor) -> Tensor:
    return torch.where(torch.ones(8, device="cpu") > 0, x, torch.zeros(8, device="cpu"))


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda x: x.cuda(), id="cuda()"),
        pytest.param(lambda x: x.cuda(0, non_blocking=True), id="cuda(0)"),
        pytest.param(lambda x: x.xpu(), id="xpu()"),
        pytest.param(lambda x: x.cpu(), id="cpu()"),
        pytest.param(lambda x: x.to("cpu"), id="to(cpu)"),
        pytest.param(lambda x: x.to("cuda", torch.float16).float(), id="to(cuda, dtype)"),
        pytest.param(lambda x: x.to(dtype=torch.float32, device=ELSEWHERE), id="to(device=)"),
        pytest.param(lambda x: x.to(torch.float32), id="to(dtype)"),
        pytest.param(lambda x: x.to(torch.ones(1, device="mps")), id="to(tensor)"),
        pytest.param(lambda x: x + torch.zeros(1).to(x.get_device()), id="to(get_device())"),
        pytest.param(lambda x: x + torch.zeros(8, device="cuda:3"), id="zeros(device=)"),
        pytest.param(lambda x: x + x.new_zeros(8, device=0), id="new_zeros(device=0)"),
        pytest.param(lambda x: x + ON_THE_PROCESSOR.cuda(), id="from-processor"),
        pytest.param(lambda x: x + ON_THE_PROCESSOR, id="with-processor"),
        pytest.param(_mask, id="behind-processor"),
    ],
)
def test_a_move_stays(forward: Callable[[Tensor], Tensor]) -> None:
    network = counted(lambda: nn.Sequential(Function(forward), nn.Conv2d(3, 4, 3)), IMAGE)
    assert (network.macs.train, network.macs.eval) == (MACS, MACS)
    assert network.outputs[0].shape == (1, 4, 6, 6)
    assert network.unknown == {}


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: nn.Conv2d(3, 4, 3).cuda(), id="Module.cuda"),
        pytest.param(lambda: nn.Conv2d(3, 4, 3).to("cuda", torch.float64).float(), id="Module.to"),
        pytest.param(lambda: nn.Conv2d(3, 4, 3, device="cuda:1"), id="device="),
    ],
)
def test_a_network_is_built_where_it_asks_for_an_accelerator(build: Callable[[], nn.Module]) -> None:
    network = counted(build, IMAGE)
    assert (network.params.eval, network.macs.eval) == (112, MACS)


def test_moves_are_those_of_torch_where_there_is_no_device() -> None:
    with StaysOnMeta():
        kept = torch.arange(6, device="cpu").to("cpu").to(torch.float64)
    assert torch.equal(kept, torch.arange(6, dtype=torch.float64))
    with StaysOnMeta(), pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        torch.zeros(1).to("nowhere")


def test_what_is_written_to_stays_in_memory() -> None:
    def writes(x: Tensor) -> Tensor:
        return torch.zeros(1, 3, 8, 8, device="cpu").addcmul_(x, x)

    with pytest.raises(SegcliError, match=r"does not take an input .* device"):
        counted(lambda: Function(writes), IMAGE)


def _asks(_: Tensor) -> Tensor:
    message = "Torch not compiled with CUDA enabled"
    raise AssertionError(message)


def test_a_device_that_is_asked_for_itself_is_not_the_inputs_fault() -> None:
    words = r"^the forward of net asks for a device: AssertionError: Torch not compiled with CUDA"
    with pytest.raises(SegcliError, match=words) as caught:
        counted(lambda: Function(_asks), IMAGE)
    assert "torch.cuda.is_available()" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("it has no head"), NotImplementedError("no forward here"), RecursionError("too deep"),
        SystemExit("leaving"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_forward_is_not_the_inputs_fault(error: BaseException) -> None:
    def fails(_: Tensor) -> Tensor:
        raise error

    with pytest.raises(SegcliError, match=f"^the forward of net raised {type(error).__name__}: {error}$") as caught:
        counted(lambda: Function(fails), IMAGE)
    assert caught.value.hint == "-v shows where"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Torch not compiled with CUDA enabled", True),
        ("Found no NVIDIA driver on your system", True),
        ("PyTorch is not linked with support for mps devices", True),
        ("torch.cuda.Stream requires CUDA support", True),
        ("the number of chips is wrong", False),
        ("Invalid channel dimensions", False),
    ],
)
def test_errors_about_devices(words: str, expected: bool) -> None:  # noqa: FBT001 - a row of the table
    assert is_about_devices(RuntimeError(words)) is expected
