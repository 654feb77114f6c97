"""What people do about an error, by what PyTorch says."""

from functools import lru_cache

from segcli.shapes.mending import arguments, indices, layers, operands, sizes
from segcli.shapes.mending.fault import Mend

# Much the same is said again and again in a batch.
_MAX_REMEMBERED = 1024


@lru_cache(_MAX_REMEMBERED)
def remedies(message: str) -> tuple[Mend, ...]:
    """Return what may help, the likeliest first.

    Args:
        message: What PyTorch says.

    Examples:
        >>> len(remedies("slice step cannot be zero")), len(remedies("step must be greater than zero"))
        (0, 1)
    """
    return tuple(mend for phrases, mend in _MENDS if any(phrase in message for phrase in phrases))


# What PyTorch says, in one way or another, and what people do about it.
_MENDS: tuple[tuple[tuple[str, ...], Mend], ...] = (
    (("view size is not compatible",), sizes.renamed("view", "reshape")),
    (("is invalid for input of size", "don't multiply up to"), sizes.size_left_open),
    (("duplicate dims", "number of dimensions in the tensor input"), sizes.every_dim),
    (("start_dim cannot come after end_dim",), sizes.other_way_round),
    (("sum exactly to",), sizes.last_size),
    (("Number of dimensions of repeat dims",), sizes.renamed("repeat", "tile")),
    (("t() expects a tensor with",), sizes.transposed),
    (("index k out of range", "number k out of range"), sizes.in_range),
    (("step must be greater than zero",), indices.flip),
    (("refer to a single memory location",), operands.cloned),
    (("only supports boolean masks",), indices.as_masks),
    (("tensors used as indices must be",), operands.token_as("long")),
    (("The shape of the mask",), indices.fit_mask),
    (("is out of bounds for dimension", "too many indices", "Dimension out of range"), arguments.one_ellipsis),
    (("is out of bounds for dimension",), indices.last_position),
    (("too many indices",), indices.fewer_indices),
    (("indexing tensors could not be broadcast",), operands.grid),
    (("must match the size of tensor b", "not broadcastable", "must match the existing size"), operands.line_up),
    (("cannot be broadcast to indexing result", "expanded size of the tensor", "value tensor of shape"), operands.turn),
    (
        ("shapes cannot be multiplied", "Expected size for first two dimensions of batch2", "size mismatch, got"),
        operands.turn,
    ),
    (("must match the size of tensor b", "shapes cannot be multiplied"), operands.turn),
    (
        ("must be a 3D tensor", "must be a matrix", "must be 2D", "vector + matrix", "1D tensors expected"),
        operands.as_matmul,
    ),
    (
        ("could not infer output dtype", "std and var only support", "Expected a floating point or complex"),
        operands.source_as("float()"),
    ),
    (
        (
            "not implemented for 'Long'",
            "not implemented for 'Int'",
            "not implemented for 'Short'",
            "not implemented for 'Byte'",
            "not implemented for 'Char'",
            "not implemented for 'Bool'",
        ),
        operands.source_as("float()"),
    ),
    (("does not support bool input",), operands.source_as("int()")),
    (("index tensor", "Expected dtype int"), operands.any_as("long()")),
    (("expected condition to be a boolean", "boolean masks", "BoolTensor for mask"), operands.any_as("bool()")),
    (("bitwise_", "only implemented on integer"), operands.any_as("bool()")),
    (("shift_",), operands.any_as("long()")),
    (("must be tuple of Tensors, not Tensor",), operands.as_list),
    (
        ("must be tuple of Tensors, not Tensor", "cat() takes from 1 to 2", "stack() takes from 1 to 2"),
        arguments.one_list,
    ),
    (
        ("not float", "but got float", "slice indices must be integers", "got size with types", "(got float)"),
        arguments.whole,
    ),
    (("must be bool, not int",), arguments.flag),
    (("at most half of effective kernel size",), arguments.half_padding),
    (("argument 'pad' (position 2) must be tuple of ints, not int",), arguments.every_side),
    (("only one of size or scale_factor",), arguments.one_of_two),
    (("takes 2 positional arguments but",), sizes.renamed("transpose", "permute")),
    (("log_softmax_kernel_impl", "log_softmax_lastdim_kernel_impl"), arguments.swapped),
    (("scalar types: Long",), operands.any_as("long()")),
    (("number of sizes provided",), sizes.kept_sizes),
    (("self.dtype to be equal to src.dtype",), operands.token_as("float")),
    (("with two bool tensors", "on a bool tensor"), operands.other_mark),
    (("return_types",), operands.values_of_pair),
    (("must have the same number of dimensions", "same number of dimensions as input"), operands.index_axes),
    (("supposed to be a vector", "Index should have dimension 1"), operands.any_as("flatten()")),
    (("Sizes of tensors must match except", "stack expects each tensor"), operands.join_elsewhere),
    (("number of spatial dimensions", "spatial dimensions in the input"), layers.spatial_sizes),
    (
        ("channels, but got", "Expected target size", "size mismatch (got input"),
        operands.source_as("movedim(-1, 1)"),
    ),
    (
        ("Expected floating point type for target", "expected scalar type Long", "target dtype to be Long"),
        operands.target_as("long()"),
    ),
    (("type for target with class probabilities",), layers.before_argmax),
    (("but got targets of dimension",), operands.target_as("squeeze(1)")),
    (("but got targets of dimension",), operands.target_as("argmax(-1)")),
    (("size mismatch (got input", "Expected target size", "Target size"), layers.resized),
    (("to match target batch_size",), layers.both_batched),
    (("can't be cast to the desired output type",), operands.target_as("float()")),
    (("can't be cast to the desired output type", "output with shape"), operands.out_of_place),
    (
        (
            "expected scalar type Float",
            "expected scalar type Double",
            "expected scalar type Half",
            "must have the same dtype",
        ),
        operands.target_as("float()"),
    ),
    (
        ("should be the same", "expected scalar type", "must have the same dtype", "mixed dtype (CPU)"),
        operands.source_as("float()"),
    ),
    (("must be the same as input size", "Expected target size"), operands.target_as("squeeze(1)")),
    (("must be the same as input size",), operands.target_as("unsqueeze(1)")),
    (("must be the same as input size",), arguments.expanded),
    (("shapes cannot be multiplied",), layers.channels_last),
    (("channels, but got", "shapes cannot be multiplied", "should contain"), layers.wider_layer),
    (("normalized_shape", "num_channels", "number of channels", "D input", "D or"), layers.other_norm),
    (
        (
            "batched)",
            "ot 1D input",
            "ot 2D input",
            "ot 3D input",
            "ot 4D input",
            "ot 5D input",
            "batch mode",
            "spatial dimensions",
            "Expected 1D",
            "Expected 2D",
            "Expected 3D",
            "Expected 4D",
            "Expected 5D",
            "Input Error",
        ),
        layers.batched,
    ),
    (("align_corners option can only be set", "mode needs"), arguments.fitting_mode),
    (("(batched) input to conv",), layers.grey),
    (("Kernel size can't be greater",), layers.padded),
    (("adding length", "adding with non-constant", "adding size", "Only 2D, 3D, 4D"), layers.fitting_padding),
    (("size 2 in last dimension", "grid"), layers.grid_last),
    (("Dimension out of range",), sizes.last_dim),
    (("same number of dimensions",), operands.more_axes),
    (("invalid combination of arguments",), sizes.all_dims),
    (("required positional", "invalid combination of arguments"), sizes.with_dim),
    (("must be int, not tuple",), sizes.one_dim),
)
