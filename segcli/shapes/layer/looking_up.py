"""``F.embedding``: rows of a table by their numbers. PyTorch 2.13's rules."""

from dataclasses import replace

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import tensor_type
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, tensor_with
from segcli.shapes.layer.layers import as_tensor, make_parameter, say_parameters, weight_dtype
from segcli.shapes.request import Given
from segcli.shapes.select.looking import POSITIONS, check_positions, letters
from segcli.shapes.values import Item, RaisedError, Size, check_elements

_FUNCTION = "input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False"
_INNER = "Tensor weight, Tensor indices, int padding_idx, bool scale_grad_by_freq, bool sparse"
_LAYER = (
    "self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
    "sparse=False, _weight=None, _freeze=False, device=None, dtype=None"
)
_TABLE = 2


def embedding(call: Call) -> Computed:
    """Look up rows of a table.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    return _looked_up(call, bind_known(call, "embedding", _FUNCTION))


def _layer(call: Call) -> Computed:
    """Look up rows of the table that ``nn.Embedding`` learns."""
    made = call.layer or call
    bound = bind_known(made, "Embedding.__init__", _LAYER)
    dtype = weight_dtype(bound)
    sizes = [bound["num_embeddings"].item, bound["embedding_dim"].item]
    _check_number(item_of(bound, "padding_idx", None, made.span), sizes[0])
    weight = make_parameter("weight", sizes, dtype, made.span)
    if sizes[0].value == 0 and "padding_idx" in bound and bound["padding_idx"].value is not None:
        words = "index 0 is out of bounds for dimension 0 with size 0"
        raise RaisedError(bound["padding_idx"].item.span, "IndexError", words)
    given = bind_known(call, "Embedding.forward", "self, input")
    pairs = {"input": given["input"], "weight": Given("weight", weight, 0)}
    done = _looked_up(call, pairs)
    return replace(done, notes=(*done.notes, say_parameters(weight, None)))


def _check_number(padding: Item, rows: Item) -> None:
    """Refuse a row that is not learnt and not there, in Python."""
    if not isinstance(padding.value, int) or not isinstance(rows.value, int | float):
        return
    if padding.value and not -rows.value <= padding.value < rows.value:
        raise RaisedError(padding.span, "AssertionError", "Padding_idx must be within num_embeddings")


def _looked_up(call: Call, given: dict[str, Given]) -> Computed:
    padding = item_of(given, "padding_idx", None, call.span)
    _check_padding(padding, given["weight"].item)
    if padding.value is None:
        padding = Item(-1, "-1", call.span)
    options = [item_of(given, name, default=False, span=call.span) for name in ("scale_grad_by_freq", "sparse")]
    bound = bind_inner(call, "embedding", _INNER, [given["weight"].item, given["input"].item, padding, *options])
    table, index = bound["weight"].item, bound["indices"].item
    rows, positions = as_tensor(table), as_tensor(index)
    if len(rows.shape) != _TABLE:
        raise RaisedError(table.span, "RuntimeError", "'weight' must be 2-D")
    if positions.dtype not in POSITIONS:
        words = (
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{tensor_type(positions.dtype)} instead (while checking arguments for embedding)"
        )
        raise RaisedError(index.span, "RuntimeError", words)
    needs = _check_rows(index, rows.shape[0])
    shape = (*positions.shape, rows.shape[1])
    check_elements(shape, call.text)
    last = len(positions.shape)
    axes = tuple(range(last))
    steps = (
        Step(call.stage, index.text, index.span, f"{positions.dtype} index", axes, axes, "each names a row", 0),
        Step(call.stage, table.text, table.span, "rows", (0,), (), f"{rows.shape[0]} rows to look up", 1),
        Step(call.stage, table.text, table.span, "features", (1,), (last,), "the row, as the last axis", 1),
    )
    formula = Formula("{1}", (Read(0, letters(positions.shape)), Read(1, ("{0}", f"{{i{last}}}"))))
    made = call.make(shape, rows.dtype)
    return Computed(made, (index, table), steps, formula=None if 0 in shape else formula, needs=tuple(needs))


def _check_padding(padding: Item, weight: Item) -> None:
    """Compare the number of the row that is not learnt with the number of rows, in Python."""
    value = padding.value
    if not isinstance(value, int | float) or not value:
        return
    table = tensor_with(weight, "size")
    if not table.shape:
        words = "Dimension specified as 0 but tensor has no dimensions"
        raise RaisedError(weight.span, "IndexError", words)
    rows = table.shape[0]
    if isinstance(rows, int) and not -rows <= value < rows:
        raise RaisedError(padding.span, "AssertionError", "Padding_idx must be within num_embeddings")


def _check_rows(index: Item, rows: Size) -> list[str]:
    if rows == 0 and 0 not in as_tensor(index).shape:
        words = "index_select(): self indexing axis dim should be positive"
        raise RaisedError(index.span, "RuntimeError", words)
    return check_positions(index, rows, 0, "IndexError", "index out of range in self")


OPERATIONS = {
    "embedding": Operation(embedding, None, "write weight[x]"),
    "Embedding": Operation(_layer, None, "write weight[x]"),
}
