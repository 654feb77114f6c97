"""The operations that an expression may use, by where their names stand, and the module that has the rules of each.

A module is imported when an expression first asks for one of its operations: most expressions ask for few. It has a
table ``OPERATIONS`` of its operations by name. Where a name means different things in two places, its key there is
``space.name``, such as ``functional.pad``.
"""

from collections.abc import Container
from functools import cache
from importlib import import_module

from segcli.shapes.calls import Operation
from segcli.shapes.text.nodes import Attribute, Name, Node

SPACES = {
    "torch": "torch",
    "F": "functional",
    "nn": "nn",
    "torch.nn": "nn",
    "nn.functional": "functional",
    "torch.nn.functional": "functional",
    "math": "math",
}
# What an expression may not bind by these names and still use.
ROOTS = frozenset(text.partition(".")[0] for text in SPACES)

# The functions of Python that ``python_functions`` has, and those of its module ``math``.
BUILTINS = frozenset(["abs", "float", "int", "len", "list", "max", "min", "tuple"])
MATH = frozenset(["ceil", "exp", "floor", "log", "log2", "prod", "sqrt"])

# What has a name in torch and is no tensor.
CONSTANTS: dict[str, float | None] = {
    "newaxis": None,
    "inf": float("inf"),
    "nan": float("nan"),
    "pi": 3.141592653589793,
    "e": 2.718281828459045,
}

_REDUCING = (
    "argmax argmin max min sum mean amax amin any all std var prod median norm logsumexp kthvalue topk sort argsort "
    "cumsum cumprod count_nonzero softmax log_softmax"
)
_TURNING = "transpose permute movedim moveaxis swapaxes swapdims t squeeze unsqueeze broadcast_to select narrow"
_COMPUTING = (
    "add sub subtract mul multiply div divide true_divide floor_divide remainder pow eq ne lt le gt ge logical_and "
    "logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not maximum minimum"
)
_POINTWISE = (
    "exp log log2 log10 log1p expm1 sqrt rsqrt square abs neg sign floor ceil round trunc sin cos tan tanh sigmoid "
    "relu reciprocal isnan isinf isfinite clamp clip clone detach"
)
_SELECTING = (
    "gather scatter scatter_add scatter_reduce index_add index_fill take_along_dim index_select masked_select "
    "masked_fill where nonzero argwhere"
)
_IN_PLACE = (
    "add sub subtract mul multiply div divide true_divide floor_divide remainder pow eq ne lt le gt ge logical_and "
    "logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not exp log log2 log10 log1p expm1 "
    "sqrt rsqrt square abs neg sign floor ceil round trunc sin cos tan tanh sigmoid relu reciprocal clamp clip "
    "masked_fill scatter scatter_add scatter_reduce index_add index_fill fill zero copy requires_grad"
)
# Module, space, names.
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("reduce.reducing", "method", _REDUCING),
    ("reduce.reducing", "torch", _REDUCING),
    ("arrange.views", "method", f"{_TURNING} expand expand_as"),
    ("arrange.views", "torch", _TURNING),
    ("arrange.views", "attribute", "T mT"),
    ("arrange.reshaping", "method", "reshape view flatten ravel unflatten view_as reshape_as contiguous"),
    ("arrange.reshaping", "torch", "reshape flatten ravel unflatten"),
    ("arrange.repeating", "method", "repeat tile roll flip repeat_interleave"),
    ("arrange.repeating", "torch", "tile roll flip repeat_interleave"),
    ("arrange.diagonals", "method", "diagonal diag tril triu"),
    ("arrange.diagonals", "torch", "diagonal diag tril triu"),
    ("arrange.windowing", "method", "unfold diff"),
    ("arrange.windowing", "torch", "diff"),
    ("arrange.inquiry", "attribute", "shape ndim dtype"),
    ("arrange.inquiry", "method", "size numel dim item stride is_contiguous"),
    ("arrange.inquiry", "torch", "numel"),
    ("compute.arithmetic", "operator", "+ - * / // % ** == != < <= > >= & | ^ << >> unary_+ unary_- unary_~"),
    ("compute.arithmetic", "method", _COMPUTING),
    ("compute.arithmetic", "torch", _COMPUTING),
    ("compute.pointwise", "method", f"{_POINTWISE} cpu"),
    ("compute.keeping", "attribute", "data"),
    ("compute.pointwise", "torch", _POINTWISE),
    ("compute.pointwise", "functional", "relu sigmoid tanh"),
    ("compute.casting", "method", "float double half bfloat16 int long short bool byte char to type type_as cuda"),
    ("join.joins", "torch", "cat concat concatenate stack hstack vstack dstack"),
    ("join.cutting", "method", "chunk split tensor_split unbind"),
    ("join.cutting", "torch", "chunk split tensor_split unbind"),
    ("multiply.products", "operator", "@"),
    ("multiply.products", "method", "matmul mm bmm mv dot outer"),
    ("multiply.products", "torch", "matmul mm bmm mv dot outer einsum"),
    ("join.making", "torch", "arange zeros ones full empty zeros_like ones_like full_like empty_like"),
    ("join.literals", "torch", "tensor as_tensor"),
    ("join.alike", "method", "new_zeros new_ones new_empty new_full"),
    ("join.alike", "torch", "rand randn rand_like randn_like randint"),
    ("join.grids", "torch", "linspace eye meshgrid"),
    ("select.selecting", "method", _SELECTING),
    ("select.selecting", "torch", _SELECTING),
    ("select.counting", "method", "bincount"),
    ("select.counting", "torch", "bincount"),
    ("select.in_place", "method", " ".join(f"{name}_" for name in _IN_PLACE.split())),
    ("select.assigning", "operator", "[]="),
    ("select.updating", "operator", "+= -= *= /= //= %= **= &= |= ^= <<= >>="),
    ("select.updating", "operator", "[]+= []-= []*= []/= []//= []%= []**= []&= []|= []^= []<<= []>>="),
    ("layer.convolution", "functional", "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"),
    ("layer.convolution", "nn", "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"),
    ("layer.chaining", "nn", "Sequential"),
    ("layer.modules", "nn", "ReLU Sigmoid Tanh GELU SiLU LeakyReLU Hardswish ELU Softmax LogSoftmax Flatten Identity"),
    ("layer.modules", "nn", "Dropout Dropout2d Dropout3d Unfold PixelShuffle PixelUnshuffle"),
    ("layer.functions", "functional", "gelu silu leaky_relu hardswish elu dropout dropout2d dropout3d"),
    ("layer.pad_layers", "nn", "ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d"),
    ("layer.pad_layers", "nn", "ReflectionPad1d ReflectionPad2d ReflectionPad3d"),
    ("layer.pad_layers", "nn", "ReplicationPad1d ReplicationPad2d ReplicationPad3d"),
    ("layer.shuffling", "torch", "pixel_shuffle"),
    ("layer.shuffling", "functional", "pixel_shuffle"),
    ("layer.linear", "functional", "linear"),
    ("layer.linear", "nn", "Linear"),
    ("layer.pooling", "functional", "max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d"),
    ("layer.pooling", "nn", "MaxPool2d AvgPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d"),
    ("layer.normalizing", "nn", "BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d"),
    ("layer.normalizing", "nn", "LayerNorm GroupNorm"),
    ("layer.norm_functions", "functional", "layer_norm group_norm"),
    ("layer.resampling", "functional", "interpolate grid_sample"),
    ("layer.resampling", "nn", "Upsample"),
    ("layer.padding", "functional", "pad unfold"),
    ("layer.encoding", "functional", "one_hot softmax log_softmax"),
    ("select.finding", "method", "unique"),
    ("select.finding", "torch", "unique"),
    ("layer.looking_up", "functional", "embedding"),
    ("layer.looking_up", "nn", "Embedding"),
    ("layer.folding", "functional", "fold"),
    ("layer.attention", "functional", "scaled_dot_product_attention"),
    ("layer.affine_grids", "functional", "affine_grid"),
    ("layer.unshuffling", "functional", "pixel_unshuffle"),
    ("layer.unshuffling", "torch", "pixel_unshuffle"),
    ("layer.distances", "functional", "mse_loss l1_loss smooth_l1_loss"),
    ("layer.distances", "nn", "MSELoss L1Loss SmoothL1Loss"),
    ("layer.scaling", "functional", "normalize cosine_similarity"),
    ("layer.scaling", "torch", "cosine_similarity"),
    ("layer.criteria", "functional", "nll_loss cross_entropy binary_cross_entropy_with_logits"),
    ("layer.criteria", "nn", "NLLLoss CrossEntropyLoss BCEWithLogitsLoss"),
)

_PLACES = {(space, name): module for module, space, names in _TABLE for name in names.split()}


def find_operation(space: str, name: str) -> Operation | None:
    """Return an operation, or None where there is no such one.

    Args:
        space: Where its name stands: ``method``, ``attribute``, ``torch``, ``functional``, ``nn`` or ``operator``.
        name: Its name.

    Examples:
        >>> find_operation("torch", "argmax").read_as
        ''
        >>> find_operation("method", "cat") is None
        True
    """
    return operation_of(space, name) if (space, name) in _PLACES else None


@cache
def operation_of(space: str, name: str) -> Operation:
    """Return an operation that there is.

    Raises:
        KeyError: Where there is no such one.
    """
    operations = import_module(f"segcli.shapes.{_PLACES[space, name]}").OPERATIONS
    found: Operation = operations.get(f"{space}.{name}") or operations[name]
    return found


def find_space(node: Node, bound: Container[str]) -> str | None:
    """Return which space a node names, as ``torch.nn`` does; None for anything else, and for a bound name.

    Args:
        node: What stands before the last dot.
        bound: The names that are bound.
    """
    behind = ""
    while isinstance(node, Attribute):
        behind = f".{node.name}{behind}"
        node = node.base
    if not isinstance(node, Name) or node.name in bound:
        return None
    return SPACES.get(node.name + behind)


def is_known(space: str, name: str) -> bool:
    """Tell whether there is such an operation, without its rules."""
    return (space, name) in _PLACES


def names_in(space: str) -> list[str]:
    """List the operations that stand in a space.

    Examples:
        >>> "argmax" in names_in("method"), "cat" in names_in("method")
        (True, False)
    """
    return sorted(name for place, name in _PLACES if place == space)


def written(space: str, name: str) -> str:
    """Write an operation's name as an expression has it.

    Examples:
        >>> written("functional", "pad"), written("method", "sum"), written("torch", "cat")
        ('F.pad', 'x.sum', 'torch.cat')
    """
    return {"method": "x.", "attribute": "x.", "torch": "torch.", "functional": "F.", "nn": "nn."}.get(space, "") + name
