"""Padding, and the windows of ``F.unfold``: PyTorch 2.13's."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.layer.affine import add
from segcli.shapes.layer.kernels import bind_inner, item_of, made_like
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.pad_checks import Padding, check_modes, check_padding
from segcli.shapes.layer.pad_trace import pad_formula, pad_steps
from segcli.shapes.layer.unfolding import unfold
from segcli.shapes.layer.windows import need_at_least, read_sizes
from segcli.shapes.python_call import bind_python
from segcli.shapes.values import Item, Tensor, Unknown

_FUNCTION = "input, pad, mode='constant', value=None"
_INNER = "Tensor input, sizes pad, str mode=, float? value="
_ADVICE = "write np.pad(x, ((0, 0), (1, 2))): a (before, after) pair for every axis, the first axis first"
_UNFOLD_ADVICE = "np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3)) gives the windows, to be reshaped"


def _pad(call: Call) -> Computed:
    given = bind_python(call, "pad", _FUNCTION)
    value = item_of(given, "value", None, call.span)
    if isinstance(value.value, Unknown):
        # What is put there changes no shape.
        value = Item(Tensor((), "float64", value.text), value.text, value.span)
    parts = [
        given["input"].item,
        given["pad"].item,
        item_of(given, "mode", "constant", call.span),
        value,
    ]
    bound = bind_inner(call, "pad", _INNER, parts)
    source, amounts = bound["input"].item, bound["pad"].item
    sizes = read_sizes("pad", "pad", bound["pad"], 0)
    mode = check_modes(bound["mode"].item)
    padding = Padding(source, as_tensor(source), amounts, sizes, mode, value)
    shape = check_padding(padding)
    needs = tuple(need for axis in padding.walked for need in need_at_least(shape[axis], padding.least))
    if mode in ("reflect", "circular"):
        # A position is read once at most: more would go beyond the axis.
        more = int(mode == "reflect")
        widths = [(axis, width) for axis in padding.walked for width in padding.pair(axis)]
        needs += tuple(
            need
            for axis, width in widths
            for need in need_at_least(padding.x.shape[axis], add((1, width), (1, more)).size)
        )
    result = made_like(call, padding.x, shape)
    return Computed(
        result, (source,), pad_steps(call, padding, shape), formula=pad_formula(padding, shape), needs=needs
    )


OPERATIONS = {"pad": Operation(_pad, None, _ADVICE), "unfold": Operation(unfold, None, _UNFOLD_ADVICE)}
