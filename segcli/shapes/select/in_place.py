"""Methods that change their tensor and give it back, such as ``add_`` and ``masked_fill_``, as PyTorch 2.13 does.

Each does what its namesake without the underscore does; the result must fit into the tensor, which does not grow and
keeps its dtype (``aten/src/ATen/TensorIterator.cpp``). NumPy has no such methods.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.clamping import clamp_torch
from segcli.shapes.compute.elementwise import FUNCTIONS as BINARY
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.compute.keeping import refuse_arguments, same, tensor_of
from segcli.shapes.compute.pointwise import apply_torch
from segcli.shapes.compute.promotion import is_number, torch_dtype
from segcli.shapes.compute.single import FUNCTIONS as SINGLE
from segcli.shapes.compute.torch_arithmetic import call_torch
from segcli.shapes.computed import Computed
from segcli.shapes.dims import bind
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.kinds import C_NAMES, SCALARS
from segcli.shapes.layer.layers import check_cast
from segcli.shapes.select.assigning import OVERLAPS
from segcli.shapes.select.looking import brackets
from segcli.shapes.select.masking import FILL, check_fill, masked_fill_torch
from segcli.shapes.select.overlapping import SCATTERED_LATER, SEEN_LATER
from segcli.shapes.select.placing import EXPANDED, fitting_needs, is_expanded
from segcli.shapes.select.selecting import OPERATIONS as SELECTING
from segcli.shapes.select.storing import check_number, explain_stored
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Shape, Tensor

# What makes a new tensor only.
_NEW = ("maximum", "minimum", "positive", "isnan", "isinf", "isfinite")
_SELECTING = ("scatter", "scatter_add", "scatter_reduce", "index_add", "index_fill")
_CLAMPS = ("clamp_", "clip_")
# These let several elements be one in storage: each gets the same value.
_LENIENT = ("masked_fill", "index_fill")
_FILL = Signatures(("number value", "Tensor value"), ())
_COPY = Signatures(("Tensor other, bool non_blocking=",), ())
_GRADIENTS = Signatures(("bool requires_grad=",), ())

_Made = Callable[[Call], Computed | Indexing]
_Rules = dict[str, _Made]


def change(call: Call, name: str, made: _Made, *, spreads: bool = True) -> Computed:
    """Change a tensor where it is.

    Args:
        call: The call.
        name: What it is called where it makes a new tensor.
        made: Makes that.
        spreads: Whether what is given is broadcast to the tensor.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    source = tensor_of(call, call.first)
    try:
        done = cast("Computed", made(call if name in _BINARY else replace(call, name=name)))
    except RaisedError as error:
        if error.kind == "TypeError":
            # Errors of arguments name the method.
            words = error.message.replace(f"{name}()", f"{name}_()")
            raise RaisedError(error.span, error.kind, words, error.axis) from error
        if spreads:
            _refuse_before(call, source, error)
        elif name.startswith(("scatter", "index_add")) and any(words in error.message for words in SCATTERED_LATER):
            _refuse_overlap(call.first, source)
        raise
    result = cast("Tensor", done.result)
    if name == "abs" and source.dtype in COMPLEX:
        raise RaisedError(call.first.span, "RuntimeError", "In-place abs is not supported for complex tensors.")
    if _clamps_by_numbers(call):
        _check_cast(call, result.dtype, source.dtype)
    if name not in _LENIENT:
        _refuse_overlap(call.first, source)
    _refuse_growth(source.shape, result.shape, call)
    if spreads:
        _check_cast(call, result.dtype, source.dtype)
    return _changed(call, source, done, spreads=spreads)


def _refuse_before(call: Call, source: Tensor, error: RaisedError) -> None:
    """Refuse what PyTorch refuses before it finds that there is no code for a dtype, or that shapes do not fit."""
    if not any(words in error.message for words in SEEN_LATER):
        return
    _refuse_overlap(call.first, source)
    if error.kind == "NotImplementedError" or "alpha" in error.message:
        given = [item for keyword, item in call.arguments if keyword != "alpha"]
        # In the old order, x.add_(alpha, other).
        given = given[::2] if len(given) == 3 and call.name in ("add_", "sub_") else given  # noqa: PLR2004 - see above
        items = [item for item in given if isinstance(item.value, Tensor) or is_number(item.value)]
        _refuse_growth(source.shape, broadcast_operands(call, items).shape, call)
        # What is compared is no result.
        if call.name[:-1] not in BINARY or BINARY[call.name[:-1]].kind != "truth":
            _check_cast(call, torch_dtype([item.value for item in items]), source.dtype)


def _check_cast(call: Call, dtype: str, own: str) -> None:
    """Refuse a result of a higher kind of number; clamp by numbers calls the tensor's dtype by its name in C++."""
    try:
        check_cast(dtype, own, call.arguments[-1][1].span)
    except RaisedError as error:
        if _clamps_by_numbers(call):
            words = error.message.removesuffix(SCALARS[own]) + C_NAMES[own]
            raise RaisedError(error.span, error.kind, words) from error
        raise


def _clamps_by_numbers(call: Call) -> bool:
    return call.name in _CLAMPS and not any(isinstance(item.value, Tensor) for _, item in call.arguments[1:])


def _changed(call: Call, source: Tensor, done: Computed, *, spreads: bool) -> Computed:
    """Show what was done as done to the tensor itself."""
    dtype, own = cast("Tensor", done.result).dtype, source.dtype
    stored = f"the result is {dtype}, stored as {own}, as {call.first.text} is" if dtype != own else ""
    given = [item.value.shape for item in done.inputs[1:] if isinstance(item.value, Tensor)]
    needs = [need for shape in given for need in fitting_needs(shape, source.shape)] if spreads else done.needs
    order = _first(done.inputs, call.first)
    form = done.formula and replace(
        done.formula, reads=tuple(replace(read, operand=order.index(read.operand)) for read in done.formula.reads)
    )
    expanded = [EXPANDED] if is_expanded(source.shape, source.strides) and call.name[:-1] in _LENIENT else []
    # Which values it has from now on, is not followed.
    result = replace(source, text=call.result_text, values=None, true_count=None)
    return replace(
        done,
        result=result,
        inputs=tuple(done.inputs[place] for place in order),
        formula=form,
        view=True,
        steps=tuple(_shown(replace(step, operand=order.index(step.operand)), call.first) for step in done.steps),
        why="; ".join(filter(None, [done.why, stored])),
        needs=tuple(needs),
        notes=(*expanded, *done.notes, f"{call.first.text} itself is changed{_instead(call.name)}"),
    )


def _first(inputs: Sequence[Item], item: Item) -> list[int]:
    """Return the places of what is worked on, with that of the tensor itself first: its storage is the result's."""
    return sorted(range(len(inputs)), key=lambda place: inputs[place].span != item.span)


def _shown(step: Step, item: Item) -> Step:
    is_changed = step.kind == "copied" or step.token.startswith(".") or step.span == item.span
    return replace(step, effect="changed where it is") if is_changed else step


def _instead(name: str) -> str:
    base = name.removesuffix("_")
    return (
        f": x.{base}(...) makes a new tensor"
        if base in {*_BINARY, *_SINGLE, *_SELECTING, "clamp", "clip", "masked_fill"}
        else ""
    )


def _refuse_overlap(item: Item, source: Tensor) -> None:
    if 0 not in source.shape and is_expanded(source.shape, source.strides):
        raise RaisedError(item.span, "RuntimeError", OVERLAPS)


def _refuse_growth(own: Shape, shape: Shape, call: Call) -> None:
    pairs = list(zip(own, shape, strict=False))
    grown = [axis for axis, (size, common) in enumerate(pairs) if size == 1 and isinstance(common, int) and common != 1]
    if len(shape) > len(own) or grown:
        words = f"output with shape {brackets(own)} doesn't match the broadcast shape {brackets(shape)}"
        raise RaisedError(call.arguments[-1][1].span, "RuntimeError", words)


def _filled(call: Call) -> Computed:
    """Give every element one value; several elements that are one in storage get the same."""
    source = tensor_of(call, call.first)
    value = Item(0, "0", call.span)
    if call.name == "zero_":
        refuse_arguments(call)
    else:
        value = bind_call(call, _FILL)["value"].item
    if isinstance(value.value, Tensor) and value.value.shape:
        words = "fill_ only supports 0-dimension value tensor but got tensor with "
        raise RaisedError(value.span, "RuntimeError", f"{words}{len(value.value.shape)} dimensions.")
    if isinstance(value.value, Tensor):
        _refuse_overlap(call.first, source)
    check_number(value, source.dtype)
    together = broadcast_operands(call, [call.first, value])
    made = computed(call, together, source.dtype, "{1}", why=explain_stored(value, call.first))
    steps = made.steps if call.name == "fill_" else made.steps[:1]
    return _changed(call, source, replace(made, steps=steps), spreads=True)


def _copied(call: Call) -> Computed:
    """Give every element the value of another tensor's; of any dtype, which is converted."""
    source = tensor_of(call, call.first)
    # A number is taken for a tensor of it.
    shown = [
        (keyword, replace(item, value=Tensor((), "float32", item.text)) if is_number(item.value) else item)
        for keyword, item in call.arguments
    ]
    other = bind_call(replace(call, arguments=tuple(shown)), _COPY)["other"].item
    given = cast("Tensor", other.value).shape
    together = broadcast_operands(call, [call.first, other])
    _refuse_growth(source.shape, together.shape, call)
    made = computed(call, together, source.dtype, "{1}", why=explain_stored(other, call.first))
    return replace(_changed(call, source, made, spreads=True), needs=tuple(fitting_needs(given, source.shape)))


def _itself(call: Call) -> Computed | Indexing:
    """Record gradients, or do so no more."""
    source = tensor_of(call, call.first)
    given = bind_call(call, _GRADIENTS).get("requires_grad")
    if (given is None or given.value is not False) and source.dtype not in (*FLOATING, *COMPLEX):
        words = "only Tensors of floating point dtype can require gradients"
        raise RaisedError(call.first.span, "RuntimeError", words)
    return same(call, source, "the tensor itself, of which gradients are recorded")


def _filled_at(call: Call) -> Computed:
    """Put one value where a mask is True; what is put is looked at before the shapes are."""
    item, _, bound = bind(call, FILL)
    check_fill(bound["mask"].item, bound["value"].item)
    together = broadcast_operands(call, [item, bound["mask"].item])
    _refuse_growth(tensor_of(call, item).shape, together.shape, call)
    return masked_fill_torch(call)


def _operation(name: str, made: _Made, *, spreads: bool = True) -> Operation:
    rule = partial(change, name=name, made=made, spreads=spreads)
    return Operation(rule, None, _ADVICE.get(name, f"write x[...] = np.{name}(x, ...)"))


_BINARY: _Rules = {
    name: partial(call_torch, function=function) for name, function in BINARY.items() if name not in _NEW
}
_SINGLE: _Rules = {name: partial(apply_torch, name=name) for name in SINGLE if name not in _NEW}
_MARKS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "remainder": "%", "floor_divide": "//"}
_ADVICE = {
    **{name: f"write x {mark}= y" for name, mark in _MARKS.items()},
    **{name: f"write x[...] = np.{name}(x)" for name in _SINGLE},
    "rsqrt": "write x[...] = 1 / np.sqrt(x)",
    "sigmoid": "write x[...] = 1 / (1 + np.exp(-x))",
    "relu": "write x[...] = np.maximum(x, 0)",
    **dict.fromkeys(("masked_fill", "scatter", "index_fill"), "write x[index] = value"),
    **dict.fromkeys(("scatter_add", "index_add", "scatter_reduce"), "write np.add.at(x, index, source)"),
    "masked_fill": "write x[mask] = value",
    "clamp": "write np.clip(x, min, max, out=x)",
}
OPERATIONS = {
    **{f"{name}_": _operation(name, made) for name, made in {**_BINARY, **_SINGLE}.items()},
    **{f"{name}_": _operation(name, clamp_torch) for name in ("clamp", "clip")},
    "masked_fill_": _operation("masked_fill", _filled_at, spreads=False),
    **{f"{name}_": _operation(name, cast("_Made", SELECTING[name].torch), spreads=False) for name in _SELECTING},
    "fill_": Operation(_filled, None, "write x[...] = value"),
    "zero_": Operation(_filled, None, "write x[...] = 0"),
    "copy_": Operation(_copied, None, "write x[...] = y"),
    "requires_grad_": Operation(_itself, None, "leave it out: arrays have no gradients"),
}
