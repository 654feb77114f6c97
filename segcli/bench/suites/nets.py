"""Whole networks: how many frames a second they take."""

from typing import TYPE_CHECKING

from segcli.bench.kernel import Call, Case, Cost, Kernel, Make, Mode, Suite, Tensors
from segcli.bench.measuring.conditions import Caches
from segcli.bench.suites.net_counts import COUNTS

if TYPE_CHECKING:
    import torch
    from torch import nn

_NAMES = {
    "resnet18": "resnet18_features",
    "resnet50": "resnet50_features",
    "bisenet-v1": "bisenet_v1",
    "bisenet-v2": "bisenet_v2",
    "tmo": "tmo",
}
"""As in `segcli.nn.nets`."""
_WHAT = {
    "resnet18": "ResNet-18, maps at strides 4 to 32",
    "resnet50": "ResNet-50, maps at strides 4 to 32",
    "bisenet-v1": "BiSeNet V1 on ResNet-18, 19 classes",
    "bisenet-v2": "BiSeNet V2, 19 classes",
    "tmo": "TMO on two ResNet-101, image and flow",
}
_BY_DEFAULT = ("bisenet-v2", "resnet18")
"""The others take seconds a frame on a CPU, and much longer in float64."""


def random_net(name: str, seed: int) -> "nn.Module":
    """Return a network in evaluation mode, in float32 on the host, with weights that keep its maps near 1.

    They are rounded to bfloat16, so that they are the same numbers in every dtype.

    Args:
        name: As in `segcli.nn.nets`.
        seed: Of the weights.
    """
    import torch
    from torch import nn

    from segcli.nn.nets import NETS, build

    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        net = build(name, aux=not NETS[name].has_aux).eval()
    net = net.to_empty(device="cpu").requires_grad_(requires_grad=False)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            _draw_convolution(module, generator)
        elif isinstance(module, nn.BatchNorm2d):
            _draw_norm(module, generator)
        else:
            # The colours' mean and deviation, where a network takes those off itself.
            for buffer in module.buffers(recurse=False):
                _draw(buffer, generator, 0.5, 0.05)
    return net


def _draw_convolution(layer: "nn.Conv2d", generator: "torch.Generator") -> None:
    fan_in = layer.weight[0].numel()
    # He et al. 2015, equation 10: what rectified linear units need.
    _draw(layer.weight, generator, 0.0, (2 / fan_in) ** 0.5)
    if layer.bias is not None:
        _draw(layer.bias, generator, 0.0, 0.1)


def _draw_norm(layer: "nn.BatchNorm2d", generator: "torch.Generator") -> None:
    # Halved, so that the sums of residual networks do not grow out of float16 over a hundred layers.
    _draw(layer.weight, generator, 0.5, 0.05)
    _draw(layer.bias, generator, 0.0, 0.1)
    _draw(layer.get_buffer("running_mean"), generator, 0.0, 0.1)
    _draw(layer.get_buffer("running_var"), generator, 1.0, 0.1)
    layer.get_buffer("num_batches_tracked").zero_()


def _draw(tensor: "torch.Tensor", generator: "torch.Generator", mean: float, deviation: float) -> None:
    values = tensor.normal_(mean, deviation, generator=generator)
    values.copy_(values.bfloat16())


def _make(kernel: str) -> Make:
    name = _NAMES[kernel]

    def make(tensors: Tensors) -> Call:
        import torch

        from segcli.nn.nets import NETS, SizeError

        images = tensors["images"]
        try:
            NETS[name].check_size(*images.shape[2:])
        except SizeError as error:
            raise NotImplementedError(str(error)) from error
        net = random_net(name, int(tensors["seed"])).to(images.device, images.dtype)
        if images.is_contiguous(memory_format=torch.channels_last):
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        inputs = [images] if len(NETS[name].inputs) == 1 else [images, tensors["flows"]]
        return lambda: _main_output(net(*inputs), kernel)

    return make


def _main_output(outputs: "torch.Tensor | tuple[torch.Tensor, ...]", kernel: str) -> "torch.Tensor":
    """Return what is compared: the scores, or of a pyramid the last map, which all others go into."""
    if not isinstance(outputs, tuple):
        return outputs
    return outputs[-1] if kernel.startswith("resnet") else outputs[0]


def _kernel(name: str) -> Kernel:
    counts = COUNTS[name]

    def forward(case: Case) -> Cost:
        """Every convolution reads its input and weights and writes its output, with what follows fused into it."""
        items = case.batch * counts.total_items(case.size) + counts.weights
        return Cost(items * case.item_bytes, 2 * case.batch * counts.total_macs(case.size))

    return Kernel(
        name,
        _WHAT[name],
        _make(name),
        _make(name),
        forward,
        against=name,
        items=lambda case: case.batch,
        unit="frames",
        by_default=name in _BY_DEFAULT,
        # Its 93 million weights, in float32 and float64, and maps of 256 channels at stride 4.
        check_items=400 if name == "tmo" else 0,
    )


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    return {
        "images": torch.randn(case.shape, generator=generator),
        "flows": torch.randn(case.shape, generator=generator),
        "seed": torch.randint(2**62, (), generator=generator),
    }


NETS = Suite(
    name="net",
    baseline="bisenet-v2",
    case=Case(1, 3, (512, 1024)),
    tensor="images",
    data="images normal(0, 1); weights normal, in bfloat16's steps; evaluation mode; FLOPs and bytes of convolutions",
    tensors=_tensors,
    check_items=100,
    kernels=tuple(_kernel(name) for name in COUNTS),
    default_modes=(Mode.FORWARD,),
    # What a network reads and writes is far larger than caches.
    caches=(Caches.HOT,),
)
