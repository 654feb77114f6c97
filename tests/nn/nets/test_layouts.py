"""State dicts and parameters, counted on the meta device, are those of the other projects."""

import hashlib

import pytest
import torch
from torch import nn

from segcli.nn import nets
from segcli.nn.nets import NETS, build
from tests.nn.nets.upstream import LAYOUTS, PARAMETERS


def on_meta(case: str) -> nn.Module:
    name, _, without = case.partition(" without ")
    with torch.device("meta"):
        return build(name, aux=not without)


def lines(net: nn.Module) -> list[str]:
    return sorted(
        f"{key} {'x'.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"
        for key, tensor in net.state_dict().items()
    )


def test_every_network_has_a_layout() -> None:
    named = {name for name in NETS if not name.endswith("_features")}
    assert named == {case.partition(" ")[0] for case in LAYOUTS} == {case.partition(" ")[0] for case in PARAMETERS}


@pytest.mark.parametrize("case", LAYOUTS)
def test_state_dict_has_the_keys_shapes_and_types_of_upstream(case: str) -> None:
    expected, ours = LAYOUTS[case], lines(on_meta(case))
    shapes = {key: tuple(tensor.shape) for key, tensor in on_meta(case).state_dict().items()}
    assert {key: shapes.get(key) for key in expected.some} == expected.some
    digest = hashlib.sha256("\n".join(ours).encode()).hexdigest()
    assert (len(ours), digest) == (expected.entries, expected.digest), "\n".join(ours)


@pytest.mark.parametrize("case", PARAMETERS)
def test_parameters_of_the_whole_and_of_its_parts(case: str) -> None:
    net = on_meta(case)
    counted = {
        part: sum(parameter.numel() for parameter in net.get_submodule(part).parameters()) for part in PARAMETERS[case]
    }
    assert counted == PARAMETERS[case]


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_a_pyramid_is_the_classifier_without_its_head(depth: int) -> None:
    classifier = lines(on_meta(f"resnet{depth}"))
    pyramid = lines(on_meta(f"resnet{depth}_features"))
    assert pyramid == [line for line in classifier if not line.startswith("fc.")]
    assert len(classifier) - len(pyramid) == 2


def test_a_checkpoint_without_auxiliary_heads_loads_where_none_are() -> None:
    trained, deployed = nets.bisenet_v2(3), nets.bisenet_v2(3, aux=False)
    state = {key: value for key, value in trained.state_dict().items() if not key.startswith("aux")}
    deployed.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*aux2\.conv"):
        deployed.load_state_dict(trained.state_dict())


@pytest.mark.parametrize("name", ["resnet18", "bisenet_v1", "bisenet_v2"])
def test_batch_norms_have_the_settings_of_upstream(name: str) -> None:
    norms = [module for module in on_meta(name).modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum, norm.affine, norm.track_running_stats) for norm in norms} == {
        (1e-5, 0.1, True, True)
    }
