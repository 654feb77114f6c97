"""A network takes just the sizes that are not refused, and the message says what torch would run into."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from segcli.nn.nets import NETS, SizeError, build, sides
from segcli.nn.nets.sides import Join

SIDES = st.integers(1, 200)
WITH_JOINS = ["bisenet_v1", "bisenet_v2", "tmo"]
UNCHECKED: dict[str, nn.Module] = {}


def unchecked(name: str) -> nn.Module:
    """Return a network on the meta device; kept, for building TMO takes a while."""
    if name not in UNCHECKED:
        with torch.device("meta"):
            UNCHECKED[name] = build(name, aux=False).eval()
    return UNCHECKED[name]


def runs(name: str, height: int, width: int) -> bool:
    """Return whether every layer works, and the logits lie on the input's positions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.nn.nets.blocks.check_sides", lambda *_: None)
        images = [torch.empty(1, 3, height, width, device="meta") for _ in NETS[name].inputs]
        try:
            outputs = unchecked(name)(*images)
        except RuntimeError:
            return False
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    return bool(logits.shape[2:] == (height, width))


def refused(name: str, height: int, width: int) -> bool:
    try:
        NETS[name].check_size(height, width)
    except SizeError:
        return True
    return False


@pytest.mark.parametrize("name", ["bisenet_v1", "bisenet_v2"])
@given(height=SIDES, width=SIDES)
@example(height=32, width=64)
@example(height=360, width=640)
@example(height=377, width=64)
@example(height=380, width=380)
@example(height=1, width=1)
@settings(max_examples=20)
def test_what_is_refused_is_what_does_not_run(name: str, height: int, width: int) -> None:
    assert refused(name, height, width) == (not runs(name, height, width)) == bool(height % 32 or width % 32)


@pytest.mark.parametrize(("height", "works"), [(64, True), (62, False), (48, False), (40, False), (36, False)])
def test_what_tmo_is_refused_is_what_it_does_not_run(height: int, works: bool) -> None:  # noqa: FBT001 - a table's row
    assert runs("tmo", height, 64) is works
    assert refused("tmo", height, 64) is not works


@pytest.mark.parametrize(
    ("name", "height", "width", "layer", "numbers"),
    [
        ("bisenet_v1", 360, 640, "cp.up32", ("24x40", "12x20 at stride 32", "23x40")),
        ("bisenet_v1", 376, 640, "cp.up16", ("48x80", "24x40 at stride 16", "47x80")),
        ("bisenet_v1", 380, 640, "conv_out.up", ("384x640", "48x80 at stride 8", "380x640")),
        ("bisenet_v2", 360, 640, "bga.up1", ("48x80", "12x20 at stride 32", "45x80")),
        ("bisenet_v2", 384, 638, "head.conv_out.2", ("384x640", "48x80 at stride 8", "384x638")),
        ("tmo", 360, 640, "vos.decoder.cbam1", ("24x40", "12x20 at stride 32", "23x40")),
        ("tmo", 376, 640, "vos.decoder.cbam2", ("48x80", "24x40 at stride 16", "47x80")),
        ("tmo", 380, 640, "vos.decoder.cbam3", ("96x160", "48x80 at stride 8", "95x160")),
        ("tmo", 384, 637, "vos.decoder.predictor", ("384x640", "96x160 at stride 4", "384x637")),
    ],
)
def test_the_message_names_the_layer_and_the_sizes(
    name: str, height: int, width: int, layer: str, numbers: tuple[str, str, str]
) -> None:
    made, small, needed = numbers
    message = f"{name} takes sides that are multiples of 32, got {height}x{width}: "
    message += f"{layer} makes {made} of {small}, where {needed} is needed; nearest sizes that work: "
    with pytest.raises(SizeError) as caught:
        NETS[name].check_size(height, width)
    assert str(caught.value).startswith(message)
    assert caught.value.layer == layer
    unchecked(name).get_submodule(layer)


@pytest.mark.parametrize("name", ["bisenet_v1", "bisenet_v2"])
def test_torch_runs_into_the_numbers_that_the_message_has(name: str) -> None:
    net, images = unchecked(name), torch.empty(1, 3, 360, 640, device="meta")
    with pytest.raises(SizeError) as ours:
        net(images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.nn.nets.blocks.check_sides", lambda *_: None)
        with pytest.raises(RuntimeError, match=r"\(\d+\) must match .* \(\d+\)|[Ss]ize") as torchs:
            net(images)
    made, needed = ("24", "23") if name == "bisenet_v1" else ("48", "45")
    assert made in str(torchs.value)
    assert needed in str(torchs.value)
    assert f"{made}x" in str(ours.value)
    assert f"{needed}x" in str(ours.value)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((360, 640), ((352, 640), (384, 640))),
        ((1, 1), ((32, 32),)),
        ((33, 31), ((32, 32), (64, 32))),
        ((64, 64), ((64, 64),)),
    ],
    ids=str,
)
def test_nearest_sizes(size: tuple[int, int], expected: tuple[tuple[int, int], ...]) -> None:
    assert sides.nearest_sizes(*size, step=32) == expected


@given(height=st.integers(1, 2**40), width=st.integers(1, 2**40), step=st.sampled_from([1, 8, 32]))
def test_nearest_sizes_work_and_are_near(height: int, width: int, step: int) -> None:
    for near_height, near_width in sides.nearest_sizes(height, width, step):
        assert near_height % step == near_width % step == 0
        assert near_height > 0
        assert near_width > 0
        assert abs(near_height - height) < step
        assert abs(near_width - width) < step


@pytest.mark.parametrize("joins", [(), sides.BISENET_V1, sides.BISENET_V2, sides.TMO])
def test_sides_of_one_multiple_are_those_that_every_join_takes(joins: Sequence[Join]) -> None:
    for side in range(1, 130):
        fits = all(-(-side // join.coarse) * (join.coarse // join.fine) == -(-side // join.fine) for join in joins)
        assert fits == (side % sides.multiple_of(joins) == 0)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 4, 64, 64), (64,), (1, 1, 3, 64, 64)], ids=str)
@pytest.mark.parametrize("name", WITH_JOINS)
def test_what_is_no_batch_of_images_is_refused(name: str, shape: tuple[int, ...]) -> None:
    images = [torch.empty(shape, device="meta") for _ in NETS[name].inputs]
    with pytest.raises(ValueError, match=rf"{name} takes images of shape \(N, 3, H, W\), got \({shape[0]},"):
        unchecked(name)(*images)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 100)], ids=str)
def test_a_resnet_takes_any_size(size: tuple[int, int]) -> None:
    NETS["resnet18"].check_size(*size)
    assert unchecked("resnet18")(torch.empty(1, 3, *size, device="meta")).shape == (1, 1000)
