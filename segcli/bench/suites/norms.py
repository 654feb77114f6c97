"""Normalisations: what stands between a convolution and its activation."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segcli.bench.kernel import Call, Case, Cost, Kernel, Make, Suite, Tensors

if TYPE_CHECKING:
    import torch

_CHANNELS = 64
_GROUPS = 32
# torch's default.
_EPS = 1e-5


def _batch(tensors: Tensors) -> Call:
    from torch.nn import functional

    x, weight, bias = tensors["x"], tensors["weight"], tensors["bias"]
    mean, variance = tensors["mean"].clone(), tensors["variance"].clone()
    return lambda: functional.batch_norm(x, mean, variance, weight, bias, training=True, eps=_EPS)


def _batch_eval(tensors: Tensors) -> Call:
    from torch.nn import functional

    x, weight, bias, mean, variance = (tensors[name] for name in ("x", "weight", "bias", "mean", "variance"))
    return lambda: functional.batch_norm(x, mean, variance, weight, bias, training=False, eps=_EPS)


def _instance(tensors: Tensors) -> Call:
    from torch.nn import functional

    x, weight, bias = tensors["x"], tensors["weight"], tensors["bias"]
    return lambda: functional.instance_norm(x, weight=weight, bias=bias, eps=_EPS)


def _instance_eval(tensors: Tensors) -> Call:
    from torch.nn import functional

    x, weight, bias, mean, variance = (tensors[name] for name in ("x", "weight", "bias", "mean", "variance"))
    return lambda: functional.instance_norm(x, mean, variance, weight, bias, use_input_stats=False, eps=_EPS)


def _group(tensors: Tensors) -> Call:
    from torch.nn import functional

    x, weight, bias = tensors["x"], tensors["weight"], tensors["bias"]
    return lambda: functional.group_norm(x, _GROUPS, weight, bias, eps=_EPS)


def _layer(tensors: Tensors) -> Call:
    from torch.nn import functional

    tokens, weight, bias = tensors["tokens"], tensors["weight"], tensors["bias"]
    return lambda: functional.layer_norm(tokens, (_CHANNELS,), weight, bias, eps=_EPS)


def _plain(statistics_of: Callable[[Tensors], tuple["torch.Tensor", "torch.Tensor"]], name: str = "x") -> Make:
    """Return the textbook formula with given mean and variance, as a reference."""

    def make(tensors: Tensors) -> Call:
        x = tensors[name]
        parameters = (-1,) if name == "tokens" else (1, -1, 1, 1)
        weight, bias = tensors["weight"].view(parameters), tensors["bias"].view(parameters)

        def call() -> "torch.Tensor":
            mean, variance = statistics_of(tensors)
            return (x - mean) / (variance + _EPS).sqrt() * weight + bias

        return call

    return make


def _over(dims: tuple[int, ...], name: str = "x") -> Make:
    def moments(tensors: Tensors) -> tuple["torch.Tensor", "torch.Tensor"]:
        x = tensors[name]
        return x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)

    return _plain(moments, name)


def _running(tensors: Tensors) -> tuple["torch.Tensor", "torch.Tensor"]:
    return tensors["mean"].view(1, -1, 1, 1), tensors["variance"].view(1, -1, 1, 1)


def _over_groups(tensors: Tensors) -> tuple["torch.Tensor", "torch.Tensor"]:
    grouped = tensors["x"].reshape(len(tensors["x"]), _GROUPS, -1)
    mean, variance = grouped.mean(2), grouped.var(2, correction=0)
    channels = _CHANNELS // _GROUPS
    return _spread(mean, channels), _spread(variance, channels)


def _spread(moment: "torch.Tensor", channels: int) -> "torch.Tensor":
    """Give every channel its group's moment: (N, groups) to (N, C, 1, 1)."""
    return moment.repeat_interleave(channels, 1)[:, :, None, None]


def _training_cost(case: Case) -> Cost:
    """Read x, write y; a sum, then subtract, square and add, then scale and shift: 6 FLOPs an element."""
    return Cost((2 * case.numel + 2 * case.channels) * case.item_bytes, 6 * case.numel)


def _eval_cost(case: Case) -> Cost:
    """Read x, write y; scale and shift, into which mean and variance are folded: 2 FLOPs an element."""
    return Cost((2 * case.numel + 4 * case.channels) * case.item_bytes, 2 * case.numel)


def _backward_cost(case: Case) -> Cost:
    """Read x and the output's gradient, write the input's; two sums (1 + 3) and a x + b dy + c (4) an element."""
    return Cost((3 * case.numel + 3 * case.channels) * case.item_bytes, 8 * case.numel)


def _eval_backward_cost(case: Case) -> Cost:
    """The same reads and writes; two sums (1 + 3) and a product an element."""
    return Cost((3 * case.numel + 5 * case.channels) * case.item_bytes, 5 * case.numel)


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    channels = case.channels
    x = torch.randn(case.shape, generator=generator)
    return {
        "x": x,
        "tokens": x.permute(0, 2, 3, 1).contiguous(),
        "weight": 1 + 0.1 * torch.randn(channels, generator=generator),
        "bias": 0.1 * torch.randn(channels, generator=generator),
        "mean": 0.1 * torch.randn(channels, generator=generator),
        "variance": 0.5 + torch.rand(channels, generator=generator),
    }


_TRAINED: dict[str, Any] = {"forward": _training_cost, "backward": _backward_cost, "leaves": ("x", "weight", "bias")}
_RUNNING: dict[str, Any] = {**_TRAINED, "forward": _eval_cost, "backward": _eval_backward_cost}

NORMS = Suite(
    name="norm",
    baseline="batch",
    case=Case(2, _CHANNELS, (128, 256)),
    tensor="x",
    data="x normal(0, 1), weights normal(1, 0.01), biases normal(0, 0.01)",
    tensors=_tensors,
    check_items=20,
    kernels=(
        Kernel("batch", "batch norm, batch statistics", _batch, _over((0, 2, 3)), **_TRAINED),
        Kernel("batch-eval", "batch norm, running statistics", _batch_eval, _plain(_running), **_RUNNING),
        Kernel("instance", "instance norm", _instance, _over((2, 3)), **_TRAINED),
        Kernel("instance-eval", "instance norm, running statistics", _instance_eval, _plain(_running), **_RUNNING),
        Kernel("group", f"group norm, {_GROUPS} groups, the same in eval", _group, _plain(_over_groups), **_TRAINED),
        Kernel(
            "layer",
            "layer norm over channels, channels last, the same in eval",
            _layer,
            _over((3,), "tokens"),
            _training_cost,
            _backward_cost,
            leaves=("tokens", "weight", "bias"),
        ),
    ),
)
