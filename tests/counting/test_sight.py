"""Receptive fields against the real thing: which pixels change an output, found by running the network on each."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.counting.known import counted

LENGTH = 360


class Resize(nn.Module):
    def __init__(self, scale: float, mode: str) -> None:
        super().__init__()
        self.scale, self.mode = scale, mode

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, None, (1.0, self.scale), self.mode)


class Sum(nn.Module):
    """Paths of the same stride that meet."""

    def __init__(self, *paths: nn.Module) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        made = [path(x) for path in self.paths]
        width = min(one.shape[-1] for one in made)
        y: Tensor = sum(one[..., :width] for one in made)
        return y


@dataclass(frozen=True)
class Layer:
    """A layer along one axis; a maximum is looked at as a mean, which reads the same positions."""

    kind: str
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    paths: tuple[tuple["Layer", ...], ...] = field(default=())

    def build(self, *, real: bool) -> nn.Module:
        kernel, stride, padding, dilation = ((0 if one == "padding" else 1, getattr(self, one)) for one in NUMBERS)
        made: dict[str, Callable[[], nn.Module]] = {
            "conv": lambda: nn.Conv2d(1, 1, kernel, stride, padding, dilation, bias=False),
            "transposed": lambda: nn.ConvTranspose2d(1, 1, kernel, stride, padding, dilation=dilation, bias=False),
            "max": lambda: (nn.AvgPool2d if real else nn.MaxPool2d)(kernel, stride, padding),
            "mean": lambda: nn.AvgPool2d(kernel, stride, padding),
            "sum": lambda: Sum(*(build(path, real=real) for path in self.paths)),
        }
        return made[self.kind]() if self.kind in made else Resize(self.stride, self.kind)


NUMBERS = ("kernel", "stride", "padding", "dilation")


def build(layers: tuple[Layer, ...], *, real: bool) -> nn.Sequential:
    return nn.Sequential(*(layer.build(real=real) for layer in layers))


def sight_of(net: nn.Module) -> int:
    """Return the largest extent of what outputs in the middle see: each pixel on its own is an image of a batch."""
    net = net.double()
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data.uniform_(0.5, 1.5, generator=generator)
    with torch.no_grad():
        changes = net(torch.eye(LENGTH, dtype=torch.float64).view(LENGTH, 1, 1, LENGTH))
    # Row by row: what pixel i changes, along the outputs.
    changes = changes.view(LENGTH, -1).abs() > 1e-9
    middle = range(changes.shape[1] // 3, 2 * changes.shape[1] // 3)
    # All phases of a pattern have to be among them.
    assume(len(middle) >= 12)
    seen = [changes[:, output].nonzero().view(-1) for output in middle]
    return max(int(pixels[-1] - pixels[0]) + 1 if len(pixels) else 0 for pixels in seen)


def is_inside(extent: int) -> bool:
    """Tell whether what the middle outputs see lies within the image, and so no layer on the way sees its padding."""
    return extent < LENGTH // 3 - 12


def conv_like(kind: str, most: int) -> st.SearchStrategy[Layer]:
    return st.builds(
        Layer, st.just(kind), st.integers(1, most), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3)
    )


def pool(kind: str) -> st.SearchStrategy[Layer]:
    return st.integers(2, 4).flatmap(
        lambda kernel: st.builds(Layer, st.just(kind), st.just(kernel), st.integers(1, 3), st.integers(0, kernel // 2))
    )


def same(kernel: int, dilation: int) -> Layer:
    return Layer("conv", 2 * kernel + 1, 1, kernel * dilation, dilation)


MODES = ("nearest", "bilinear", "bicubic", "corners", "nearest-exact", "bilinear-aa", "bicubic-aa")
BRANCH = st.lists(st.builds(same, st.integers(0, 3), st.integers(1, 2)), max_size=2).map(tuple)
HALVING = st.sampled_from((Layer("conv", 3, 2, 1), Layer("mean", 2, 2), Layer("max", 3, 2, 1), Layer("conv", 1, 2)))
DOUBLED = st.builds(lambda half, mode: (half, Layer(mode, stride=2)), HALVING, st.sampled_from(MODES[:3]))
LAYERS = st.one_of(
    conv_like("conv", 5),
    conv_like("transposed", 4).filter(lambda layer: layer.kernel >= layer.stride and layer.dilation == 1),
    pool("mean"),
    pool("max"),
    st.builds(lambda mode, stride: Layer(mode, stride=stride), st.sampled_from(MODES[:3]), st.sampled_from((2, 3))),
    st.builds(lambda paths: Layer("sum", paths=paths), st.tuples(BRANCH, st.one_of(BRANCH, DOUBLED))),
    st.builds(lambda one, two: Layer("sum", paths=((one,), (two,))), HALVING, HALVING),
)


@given(st.lists(LAYERS, min_size=1, max_size=5).map(tuple))
@example((Layer("conv", 3, 2, 1), Layer("nearest", stride=2), Layer("conv", 3, 1, 1)))
@example((Layer("mean", 2, 2), Layer("bilinear", stride=2), Layer("mean", 2, 2)))
@example((Layer("bicubic", stride=3), Layer("conv", 3, 2)))
@example((Layer("transposed", 4, 2, 1), Layer("conv", 3, 2, 1), Layer("transposed", 3, 3)))
@example((Layer("sum", paths=((), (Layer("conv", 3, 2, 1), Layer("nearest", stride=2)))), Layer("conv", 3)))
@settings(max_examples=100)
def test_a_drawn_network_sees_what_changes_it(layers: tuple[Layer, ...]) -> None:
    output = counted(lambda: build(layers, real=False), (1, 1, 1, LENGTH)).outputs[0]
    assert output.unknown == ""
    assert output.receptive_field is not None
    assume(is_inside(output.receptive_field[1]))
    assert output.receptive_field == (1, sight_of(build(layers, real=True)))


@given(st.sampled_from(MODES), st.integers(2, 5), st.integers(1, 5))
@settings(max_examples=40)
def test_resizing_to_any_size_sees_what_changes_it(mode: str, above: int, below: int) -> None:
    class To(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            size = (1, x.shape[-1] * above // below)
            corners = True if mode == "corners" else None
            name = "bilinear" if mode == "corners" else mode.removesuffix("-aa")
            smooth = mode.endswith("-aa")
            return functional.interpolate(x, size, mode=name, align_corners=corners, antialias=smooth)

    conv = nn.Conv2d(1, 1, (1, 3), bias=False)
    real = sight_of(nn.Sequential(conv, To()))
    output = counted(lambda: nn.Sequential(copy.deepcopy(conv), To()), (1, 1, 1, LENGTH)).outputs[0]
    assert output.receptive_field == (1, real)


def by_autograd(net: Callable[[Tensor], Tensor], side: int) -> tuple[int, int]:
    """Return the extent of the gradient of one output in the middle."""
    image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    output = net(image)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    rows, columns = image.grad[0, 0].nonzero().unbind(1)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def test_a_residual_network_sees_as_far_as_its_gradient_reaches() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, 1, (3, 5), padding=(1, 2)), nn.Sigmoid(), nn.Conv2d(1, 1, 3, padding=2, dilation=2)
            )

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = torch.sigmoid(x + self.body(x))
            return y

    def net() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), Block(), nn.BatchNorm2d(1), nn.AvgPool2d(3, 2, 1), Block())

    real = by_autograd(net().double().eval(), 97)
    network = counted(net, (1, 1, 97, 97))
    assert network.receptive_field == real
    assert network.stride == (Fraction(4), Fraction(4))
