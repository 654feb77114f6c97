"""The list of networks is plain data, true to the networks, and free of torch."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from segcli.nn import nets
from segcli.nn.nets import NETS, build

RESNETS = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]


def test_the_list_is_whole() -> None:
    features = [f"{name}_features" for name in RESNETS]
    assert sorted(NETS) == sorted([*RESNETS, *features, "bisenet_v1", "bisenet_v2", "tmo"])
    assert set(NETS) <= set(nets.__all__)
    assert all(info.name == name for name, info in NETS.items())


@pytest.mark.parametrize("name", nets.__all__)
def test_every_name_is_handed_on(name: str) -> None:
    assert getattr(nets, name) is not None


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"'segcli\.nn\.nets' has no attribute 'vgg'"):
        nets.vgg  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize("name", NETS)
def test_an_entry_is_true_to_its_function(name: str) -> None:
    info = NETS[name]
    parameters = inspect.signature(getattr(import_module(info.home), name)).parameters
    assert ("aux" in parameters) is info.has_aux
    if info.classes_argument is None:
        assert info.classes is None
        assert not {"num_classes", "n_classes"} & set(parameters)
    else:
        assert parameters[info.classes_argument].default == info.classes
    with torch.device("meta"):
        net = build(name).eval()
        outputs = net(*(torch.empty(1, 3, *(min(side, 32) for side in info.size)) for _ in info.inputs))
    assert len(inspect.signature(net.forward).parameters) == len(info.inputs)
    info.check_size(*info.size)
    last = outputs if isinstance(outputs, Tensor) else outputs[0]
    assert info.classes in {None, last.shape[1]}


@pytest.mark.parametrize("name", [name for name, info in NETS.items() if info.classes_argument])
def test_the_number_of_classes_is_a_choice(name: str) -> None:
    with torch.device("meta"):
        net = build(name, classes=3).eval()
        outputs = net(torch.empty(1, 3, 32, 32))
    assert (outputs if isinstance(outputs, Tensor) else outputs[0]).shape[1] == 3


def test_impossible_classes_and_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="tmo got 3 classes, expected none: it has no choice of classes"):
        build("tmo", classes=3)
    with pytest.raises(ValueError, match="resnet18 got 0 classes, expected 1 or more"):
        build("resnet18", classes=0)
    with pytest.raises(ValueError, match="unknown network 'resnet19', expected one of resnet18, resnet18_features, "):
        build("resnet19")


def test_the_list_needs_no_torch() -> None:
    program = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
from segcli.nn.nets import NETS, SizeError
from segcli.nn.nets.registry import NetInfo
NETS["tmo"].check_size(384, 384)
try:
    NETS["bisenet_v1"].check_size(360, 640)
except SizeError as error:
    print(error.layer, error.nearest, NETS["bisenet_v1"].side_multiple)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("cp.up32 ((352, 640), (384, 640)) 32\n", "")


@pytest.mark.parametrize("name", ["resnet18_features", "resnet50_features"])
@pytest.mark.parametrize("size", [(64, 96), (65, 33), (224, 224)], ids=str)
def test_a_pyramid_has_the_strides_and_channels_that_are_promised(name: str, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        levels = build(name)(torch.empty(1, 3, *size))
    widest = 512 if name == "resnet18_features" else 2048
    assert [tuple(level.shape) for level in levels] == [
        (1, widest // (32 // stride), *(-(-side // stride) for side in size)) for stride in (4, 8, 16, 32)
    ]


def outputs_of(net: nn.Module, inputs: int) -> tuple[Tensor, ...]:
    outputs = net(*(torch.empty(2, 3, 64, 64) for _ in range(inputs)))
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet50_features", "bisenet_v1", "bisenet_v2", "tmo"])
def test_in_training_every_parameter_has_a_gradient(name: str) -> None:
    with torch.device("meta"):
        net = build(name).train()
        sum(output.sum() for output in outputs_of(net, len(NETS[name].inputs))).backward()  # type: ignore[union-attr]
    assert [key for key, parameter in net.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", ["bisenet_v1", "bisenet_v2"])
def test_auxiliary_heads_run_in_training_alone(name: str) -> None:
    n_heads = {"bisenet_v1": 2, "bisenet_v2": 4}[name]
    with torch.device("meta"):
        net, deployed = build(name), build(name, aux=False)
        assert len(outputs_of(net.train(), 1)) == 1 + n_heads
        assert len(outputs_of(net.eval(), 1)) == len(outputs_of(deployed.train(), 1)) == 1
