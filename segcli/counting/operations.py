"""Which of torch's operations is counted how. Names are those of ``torch.ops.aten``, without overload."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from segcli.counting.formulas import attention_macs, convolution_macs, product_macs

Kind = Literal["macs", "norm", "activation", "free", "other"]
Bound = Mapping[str, Any]
Shape = tuple[int, ...]


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_NORMS = _words(
    "native_batch_norm cudnn_batch_norm miopen_batch_norm batch_norm_with_update _batch_norm_with_update",
    "_batch_norm_no_update _native_batch_norm_legit _native_batch_norm_legit_functional",
    "_native_batch_norm_legit_no_training native_layer_norm native_group_norm _fused_rms_norm renorm",
)
_ACTIVATIONS = _words(
    "relu leaky_relu sigmoid silu gelu hardswish hardsigmoid hardtanh tanh elu mish softplus softshrink hardshrink",
    "threshold _prelu_kernel rrelu_with_noise rrelu glu log_sigmoid_forward _softmax _safe_softmax _log_softmax",
)
# They compute nothing: memory that is not filled, and names for what there is.
_FREE = _words(
    "empty empty_like empty_strided new_empty new_empty_strided detach lift lift_fresh alias _unsafe_view",
    "_reshape_alias",
)


@dataclass(frozen=True)
class Cost:
    """What an operation costs.

    Attributes:
        macs: Multiply-accumulates.
        bias_adds: Additions of a bias beside them.
    """

    macs: int
    bias_adds: int = 0


def _convolution(bound: Bound, result: Shape) -> Cost:
    weight, biased = bound["weight"].shape, bound["bias"] is not None
    macs = convolution_macs(bound["input"].shape, weight, result, transposed=bound["transposed"])
    return Cost(macs, prod(result) if biased else 0)


def _conv_tbc(bound: Bound, result: Shape) -> Cost:
    kernel, in_channels, _ = bound["weight"].shape
    return Cost(prod(result) * kernel * in_channels, prod(result))


def _product(left: str, right: str, added: str = "") -> Callable[[Bound, Shape], Cost]:
    def cost(bound: Bound, result: Shape) -> Cost:
        macs = product_macs(bound[left].shape, bound[right].shape)
        return Cost(macs, prod(result) if added and bound[added] is not None else 0)

    return cost


def _attention(bound: Bound, _: Shape) -> Cost:
    return Cost(attention_macs(bound["query"].shape, bound["key"].shape, bound["value"].shape))


_COUNTED: dict[str, Callable[[Bound, Shape], Cost]] = {
    "convolution": _convolution,
    "conv_tbc": _conv_tbc,
    "mm": _product("self", "mat2"),
    "_int_mm": _product("self", "mat2"),
    "_scaled_mm": _product("self", "mat2", "bias"),
    "bmm": _product("self", "mat2"),
    "mv": _product("self", "vec"),
    "dot": _product("self", "tensor"),
    "vdot": _product("self", "other"),
    "addmm": _product("mat1", "mat2", "self"),
    "_addmm_activation": _product("mat1", "mat2", "self"),
    "addmv": _product("mat", "vec", "self"),
    "addbmm": _product("batch1", "batch2", "self"),
    "baddbmm": _product("batch1", "batch2", "self"),
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
}


def kind_of(name: str) -> Kind:
    """Return how an operation is counted, its in-place form as well.

    Examples:
        >>> kind_of("relu_"), kind_of("convolution"), kind_of("max_pool2d_with_indices")
        ('activation', 'macs', 'other')
    """
    plain = name.removesuffix("_")
    if plain in _COUNTED:
        return "macs"
    if plain in _NORMS:
        return "norm"
    if plain in _ACTIVATIONS:
        return "activation"
    return "free" if plain in _FREE else "other"


def cost_of(name: str, bound: Bound, result: Shape) -> Cost:
    """Return what an operation costs whose kind is ``macs``.

    Args:
        name: Of the operation.
        bound: Its arguments by name, as its schema has them.
        result: The shape of what it returns.
    """
    return _COUNTED[name.removesuffix("_")](bound, result)
