from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from segcli.bench.kernel import Case, Kernel, Mode
from segcli.bench.suites.convs import CONVS
from tests.bench.test_suites import tensors_of


@pytest.mark.parametrize("kernel", CONVS.kernels, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("size", [(8, 8), (7, 12)], ids=str)
def test_flops_of_convolutions_are_torchs(kernel: Kernel, size: tuple[int, int]) -> None:
    case = replace(CONVS.case, size=size)
    tensors = {name: tensor.to("meta") for name, tensor in tensors_of(CONVS, size=size).items()}
    leaves = {name: tensor.requires_grad_() if name in kernel.leaves else tensor for name, tensor in tensors.items()}
    with FlopCounterMode(display=False) as counter:
        output = kernel.make(leaves)()
    assert counter.get_total_flops() == kernel.cost(case, Mode.FORWARD).flops
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(output, [leaves[name] for name in kernel.leaves], torch.empty_like(output))
    training = kernel.cost(case, Mode.TRAINING)
    if kernel.name in ("grouped", "depthwise", "depthwise-separable"):
        # Torch counts the weights' gradient as though there were one group, so many times too much.
        assert counter.get_total_flops() > training.flops - kernel.cost(case, Mode.FORWARD).flops
    else:
        assert kernel.cost(case, Mode.FORWARD).flops + counter.get_total_flops() == training.flops
    assert training.flops == 3 * kernel.cost(case, Mode.FORWARD).flops


@pytest.mark.parametrize("kernel", CONVS.kernels, ids=lambda kernel: kernel.name)
def test_bytes_of_convolutions_are_those_of_their_tensors(kernel: Kernel) -> None:
    case = replace(CONVS.case, size=(6, 10))
    tensors = tensors_of(CONVS, size=(6, 10))
    output = kernel.make(tensors)()
    touched = sum(tensors[name].nbytes for name in kernel.leaves) + output.nbytes
    # Between two stages the middle is written once and read once; it is as large as x.
    middle = 2 * tensors["x"].nbytes * (len(kernel.leaves) - 2)
    assert kernel.cost(case, Mode.FORWARD).bytes == touched + middle
    assert kernel.cost(case, Mode.TRAINING).bytes == 3 * (touched + middle)


# 64 -> 64 channels on 2 images of 8x8: a weight meets 2 * 64 = 128 positions, forward and for each gradient once more.
BY_HAND = {
    "standard": 128 * 64 * 64 * 9,
    "grouped": 128 * 64 * 8 * 9,
    "depthwise": 128 * 64 * 1 * 9,
    "depthwise-separable": 128 * (64 * 9 + 64 * 64),
    "pointwise": 128 * 64 * 64,
    "dilated": 128 * 64 * 64 * 9,
    "transposed": 128 * 64 * 64 * 16,
}
# What torch's counter multiplies the weights' gradient of a layer by: its groups.
TOO_MANY = {"grouped": 8, "depthwise": 64}


def counted_backward(kernel: Kernel) -> int:
    tensors = {name: tensor.to("meta") for name, tensor in tensors_of(CONVS, size=(8, 8)).items()}
    leaves = {name: tensor.requires_grad_() if name in kernel.leaves else tensor for name, tensor in tensors.items()}
    output = kernel.make(leaves)()
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(output, [leaves[name] for name in kernel.leaves], torch.empty_like(output))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("kernel", CONVS.kernels, ids=lambda kernel: kernel.name)
def test_flops_by_hand(kernel: Kernel) -> None:
    case = replace(CONVS.case, size=(8, 8))
    macs = BY_HAND[kernel.name]
    assert kernel.cost(case, Mode.FORWARD).flops == 2 * macs
    # The input's gradient and the weights' have as many multiply-accumulates as the output.
    assert kernel.cost(case, Mode.TRAINING).flops == 3 * 2 * macs


@pytest.mark.parametrize("name", ["grouped", "depthwise"])
def test_torchs_counter_is_wrong_for_the_backward_of_groups_and_ours_is_not(name: str) -> None:
    kernel = next(each for each in CONVS.kernels if each.name == name)
    case = replace(CONVS.case, size=(8, 8))
    gradient = 2 * BY_HAND[name]
    assert counted_backward(kernel) == gradient + TOO_MANY[name] * gradient
    assert kernel.cost(case, Mode.TRAINING).flops - kernel.cost(case, Mode.FORWARD).flops == gradient + gradient


def test_the_gradients_of_groups_counted_one_by_one() -> None:
    # The oracle of the figure above: each group by itself is a standard convolution, which torch counts rightly.
    x = torch.empty(2, 8, 8, 8, device="meta", requires_grad=True)
    weight = torch.empty(8, 8, 3, 3, device="meta", requires_grad=True)
    output = torch.nn.functional.conv2d(x, weight, padding=1)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(output, [x, weight], torch.empty_like(output))
    grouped = next(each for each in CONVS.kernels if each.name == "grouped")
    assert grouped.backward is not None
    assert 8 * counter.get_total_flops() == grouped.backward(Case(2, 64, (8, 8))).flops
