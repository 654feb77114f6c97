"""Networks are built and run without memory, whoever's they are."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segcli.counting.asking import count_factory, count_registered
from segcli.counting.building import build_on_meta
from segcli.counting.networks import Input, count
from segcli.errors import SegcliError
from tests.counting.known import Function, counted, image

IMAGE = [((1, 3, 16, 16), "float32")]

NETS = """
import sys, warnings
import torch
from torch import nn

print("a word on standard output")


class Net(nn.Module):
    def __init__(self, width=8, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=bias)

    def forward(self, image):
        warnings.warn("a word of warning")
        return self.conv(image)


class Inner:
    Net = Net


class TwoStream(Net):
    def forward(self, image, flow):
        return image + flow


class Opaque(Net):
    forward = getattr


def broken():
    raise ValueError("no such weights\\nsecond line")


def synchronizes():
    raise AssertionError("Torch not compiled with CUDA enabled")


def leaves():
    sys.exit(3)


def nothing():
    return None


def tensor():
    return torch.zeros(3)


number, ready = 3, Net()
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "drawn_nets.py").write_text(NETS)
    (tmp_path / "needs_more.py").write_text("import no_such_thing_at_all\n")
    (tmp_path / "raises.py").write_text("raise RuntimeError('half-written')\n")
    monkeypatch.chdir(tmp_path)
    for name in ("drawn_nets", "needs_more", "raises"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "arguments", "params"),
    [
        ("drawn_nets:Net", {}, 224),
        ("drawn_nets:Net", {"width": 16, "bias": False}, 432),
        ("drawn_nets:Inner.Net", {}, 224),
        ("drawn_nets:ready", {}, 224),
        ("torch.nn:Identity", {}, 0),
    ],
)
def test_a_factory_is_found(nets: Path, spec: str, arguments: dict[str, object], params: int) -> None:
    path = list(sys.path)
    network = count_factory(spec, arguments, IMAGE)
    assert (network.name, network.params.eval) == (spec, params)
    assert sys.path == path
    assert nets.exists()


@pytest.mark.usefixtures("nets")
def test_what_a_network_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    count_factory("drawn_nets:Net", {}, IMAGE)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a word on standard output\n")


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("spec", "arguments", "message", "hint"),
    [
        ("drawn_nets", {}, "'drawn_nets' names no factory, expected PKG.MOD:FACTORY", "module"),
        (".drawn_nets:Net", {}, "names no factory", "module"),
        ("drawn_nets.py:Net", {}, "'drawn_nets.py:Net' names no factory", "without .py"),
        ("nets/drawn_nets:Net", {}, "names no factory", "in the folder that holds it"),
        ("no_such_nets:Net", {}, "no_such_nets:Net: there is no module 'no_such_nets' in ", "install it"),
        ("torch.no_such:Net", {}, "there is no module 'torch.no_such'", "install it"),
        ("needs_more:Net", {}, "importing needs_more raised ModuleNotFoundError: No module named 'no_such", "-v"),
        ("raises:Net", {}, "importing raises raised RuntimeError: half-written", "-v shows where"),
        ("drawn_nets:Nett", {}, "drawn_nets has no 'Nett'", "did you mean Net"),
        ("drawn_nets:number.thing", {}, "3 has no 'thing'", "known: "),
        ("drawn_nets:number", {}, "drawn_nets:number is of type int, expected a class or a function", ""),
        ("drawn_nets:broken", {}, "calling drawn_nets:broken() raised ValueError: no such weights", "--arg"),
        ("drawn_nets:synchronizes", {}, "AssertionError: Torch not compiled with CUDA", "counting takes no device"),
        ("drawn_nets:leaves", {}, "calling drawn_nets:leaves() raised SystemExit: 3", "-v"),
        ("drawn_nets:Net", {"depth": 3}, "drawn_nets:Net(depth=3) raised TypeError: ", "--arg key=value"),
        ("drawn_nets:nothing", {}, "what drawn_nets:nothing returned is None, expected a torch.nn.Module", "itself"),
        ("drawn_nets:tensor", {}, "returned is of type Tensor, expected a torch.nn.Module", "itself"),
        ("drawn_nets:TwoStream", {}, "missing 1 required positional argument: 'flow'", "forward(image, flow): give"),
        ("drawn_nets:Opaque", {}, "the forward of drawn_nets:Opaque does not take an input", "forward(...)"),
        ("torch.nn:Conv2d", {"in_channels": 5, "out_channels": 2, "kernel_size": 3}, "of shape (1, 3, 16, 16): ", ""),
    ],
)
def test_bad_factories_are_told_of(spec: str, arguments: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(message)) as caught:
        count_factory(spec, arguments, IMAGE)
    assert "\n" not in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.code == 2


def test_a_layer_that_does_not_fit_is_shown_with_its_settings() -> None:
    with pytest.raises(SegcliError, match=r"RuntimeError in 1, Conv2d\(5, 2, kernel_size=\(3, 3\)"):
        counted(lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(5, 2, 3)), image(16, 16))


def test_a_block_that_fails_is_named() -> None:
    def fails(_: Tensor) -> Tensor:
        message = "my own words"
        raise SegcliError(message)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, _: Tensor) -> Tensor:
            raise ZeroDivisionError("by zero " * 100)

    with pytest.raises(SegcliError, match=r"ZeroDivisionError in 0: by zero .*\.\.\.$"):
        counted(lambda: nn.Sequential(Block()), image(16, 16))
    with pytest.raises(SegcliError, match=r"^my own words$"):
        counted(lambda: Function(fails), image(16, 16))


@pytest.mark.parametrize(
    ("classes", "message"),
    [(10**13, "[Oo]verflow|too large|[Ii]nvalid"), (0, "resnet18 got 0 classes, expected 1 or more")],
)
def test_classes_that_no_network_has(classes: int, message: str) -> None:
    with pytest.raises(SegcliError, match=message):
        count_registered("resnet18", classes=classes * 10**6)


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda x: x * 2 if x.sum() > 0 else x, id="branch"),
        pytest.param(lambda x: x[x > 0], id="mask"),
        pytest.param(lambda x: x * float(x.max()), id="item"),
        pytest.param(lambda x: torch.from_numpy(x.numpy()), id="numpy"),
        pytest.param(lambda x: torch.from_numpy(x.cpu().numpy()), id="numpy-of-cpu"),
    ],
)
def test_what_depends_on_values_is_unknown_and_the_rest_known(forward: Callable[..., Any]) -> None:
    network = counted(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), Function(forward)), image(16, 16))
    assert (network.params.train, network.params.eval) == (224, 224)
    assert (network.macs.train, network.macs.eval, network.receptive_field) == (None, None, None)
    assert set(network.unknown) == {"train", "eval"}
    assert "1 looks at values, which tensors without memory have none of" in network.unknown["eval"]
    assert network.tree[1].params == 224
    assert network.tree[1].macs.times(2).shown is None
    assert (network.macs + network.macs).eval is None
    assert network.never_ran == ()


def test_what_only_training_cannot_do_is_counted_in_evaluation() -> None:
    class Net(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as in torch
            y = super().forward(input)
            return y * float(y.sum()) if self.training else y

    network = counted(lambda: Net(3, 8, 3), image(16, 16))
    assert (network.macs.train, network.macs.eval) == (None, 27 * 8 * 14 * 14)
    assert (network.params.train, network.params.eval) == (224, 224)
    assert list(network.unknown) == ["train"]


def test_numbers_that_plan_a_network_may_be_looked_at() -> None:
    def build() -> nn.Module:
        rates = [float(rate) for rate in torch.linspace(0, 0.1, 4)]
        return nn.Sequential(*(nn.Dropout(rate) for rate in rates), nn.Linear(4, 4))

    assert counted(build, (1, 4)).params.eval == 20


def test_an_error_in_building_is_the_users_own() -> None:
    def build() -> nn.Module:
        message = "mine"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match=r"^mine$"):
        build_on_meta(build)


def test_what_was_built_in_memory_is_moved_and_stays_tied() -> None:
    one = nn.Linear(4, 4, device="cpu")
    one.register_buffer("seen", torch.zeros(3, device="cpu"))
    one.register_parameter("bias", None)
    two = nn.Linear(4, 4, bias=False, device="cpu")
    two.weight = one.weight
    net = build_on_meta(lambda: nn.Sequential(one, two, nn.BatchNorm1d(4, affine=False, device="meta")))
    assert isinstance(net, nn.Module)
    assert {tensor.device.type for tensor in net.state_dict().values()} == {"meta"}
    network = count(net, [Input((2, 4))], name="net")
    assert (network.params.eval, network.tied) == (16, (("0.weight", "1.weight"),))
    assert network.buffers == 3 + 9


def test_lazy_layers_are_counted_once_they_know_their_size() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d())

    network = counted(build, image(16, 16))
    assert network.params.eval == 224 + 16


def test_batch_norm_of_one_value_trains_with_a_batch_of_one() -> None:
    network = counted(lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3)), image(16, 16))
    assert network.beside.norms.train == 3


def made_on_the_way(x: Tensor) -> Tensor:
    y: Tensor = nn.Conv2d(3, 4, 1)(x)
    return y


def test_modules_that_are_made_on_the_way_count_for_who_makes_them() -> None:
    network = counted(
        lambda: nn.Sequential(Function(made_on_the_way)),
        image(4, 4),
    )
    assert [node.macs.eval for node in network.tree] == [192, 192, 0]


def test_a_huge_network_takes_no_memory() -> None:
    network = counted(lambda: nn.Linear(2**20, 2**20), (1, 2**20))
    assert network.params.eval == 2**40 + 2**20


def test_hooks_are_gone_after_a_pass() -> None:
    from torch.nn.modules import module

    counted(nn.ReLU, (1, 4))
    with pytest.raises(SegcliError, match="does not take"):
        counted(lambda: nn.Linear(5, 4), (1, 4))
    assert not module._global_forward_hooks
    assert not module._global_forward_pre_hooks


@pytest.mark.parametrize("output", ["words", {"words": 3}, [], None])
def test_an_output_that_is_no_tensor(output: object) -> None:
    network = counted(lambda: Function(lambda _: output), image(4, 4))
    assert (network.outputs, network.tree[0].output_shape) == ((), None)
