"""Notes down what an operation did, and makes the result that the rest of the expression works on."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.labels import label_indexed, label_reduced
from segcli.shapes.reduced import Reduced
from segcli.shapes.stages import Done, Evaluation, Input, Stage
from segcli.shapes.strides import Strides, along_memory, made_strides, row_major, strides_of
from segcli.shapes.values import Item, Pair, Tensor, Value
from segcli.shapes.view_strides import view_strides


def finish(state: Evaluation, call: Call, done: Done) -> Value:
    """Note down a call, and return what it gives."""
    if isinstance(done, Computed):
        inputs = tuple(state.input(item.text, item.value) for item in done.inputs)
        made = _laid_out(state, call, done)
        note(state, Stage(call.result_text, inputs, done, made))
        return made
    item = next(item for _, item in call.arguments if isinstance(item.value, Tensor))
    source = item.value
    if isinstance(done, Indexing) and isinstance(source, Tensor):
        return finish_indexing(state, state.input(item.text, source), done, call.result_text)
    result = _reduced(state, source, done, call) if isinstance(done, Reduced) and isinstance(source, Tensor) else None
    note(state, Stage(call.result_text, (state.input(item.text, source),), done, result))
    return result


def finish_indexing(state: Evaluation, source: Input, done: Indexing, text: str) -> Tensor:
    """Note down an indexing, and return what it gives."""
    tensor = cast("Tensor", source.value)
    labels = label_indexed(tensor.labels, done)
    inserts = state.library.name == "torch"
    strides = view_strides(tensor, done, inserts=inserts) if done.view else _copied(state, tensor, done)
    result = Tensor(done.shape, tensor.dtype, text, scalar=done.scalar, labels=labels, strides=strides)
    note(state, Stage(text, (source,), done, result))
    return result


def note(state: Evaluation, stage: Stage) -> None:
    """Add a stage to the trace, and what it needs and notes; inside an index the latter alone."""
    if not isinstance(stage.done, str):
        state.notes.extend(stage.done.notes)
        state.rules |= stage.done.rules
        state.needs.extend(stage.done.needs)
    if not state.depth:
        # What is picked from a pair comes from where the pair does.
        number = stage.inputs[0].stage if isinstance(stage.done, str) else len(state.stages)
        state.made[id(stage.result)] = number
        state.stages.append(stage)


def _laid_out(state: Evaluation, call: Call, done: Computed) -> Value:
    """Give a result the strides that the library gives it; of NumPy's copies none matters."""
    made = done.result
    if not isinstance(made, Tensor) or made.strides is not None or state.library.name != "torch":
        return made
    tensors = _tensors(done.inputs)
    if not done.view:
        strides = made_strides(call.name, tensors, made.shape)
    else:
        strides = tensors[0].strides if tensors and tensors[0].shape == made.shape else None
    return made if strides is None else replace(made, strides=strides)


def _tensors(items: Iterable[Item]) -> list[Tensor]:
    return [item.value for item in items if isinstance(item.value, Tensor)]


def _copied(state: Evaluation, source: Tensor, done: Indexing) -> Strides | None:
    """Return the strides of what an index copies."""
    if state.library.name != "torch" or (source.strides is None and not done.operands):
        return None
    if not done.operands:
        return along_memory([(source.shape, strides_of(source))], done.shape)
    # Here the stride of an axis of one position matters too.
    tensors = (source, *(operand.tensor for operand in done.operands))
    known = all(strides_of(tensor) == row_major(tensor.shape) for tensor in tensors)
    return None if known else (None,) * len(done.shape)


def _reduced(state: Evaluation, source: Tensor, done: Reduced, call: Call) -> Tensor | Pair:
    strides = made_strides(call.name, [source], done.shape) if state.library.name == "torch" else None
    labels = label_reduced(source.labels, done)
    text = call.result_text
    values = Tensor(done.shape, done.dtype, text, scalar=done.scalar and not done.shape, labels=labels, strides=strides)
    if not done.pair:
        return values
    return Pair(replace(values, scalar=False), replace(values, scalar=False, dtype="int64"), call.name)
