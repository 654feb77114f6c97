"""Walks the tree of an expression with one library's rules. Nothing is executed: only shapes and dtypes flow."""

from dataclasses import replace
from typing import NoReturn

from segcli.shapes.attributes import visit_attribute
from segcli.shapes.calling import visit_call
from segcli.shapes.calls import Layer
from segcli.shapes.finish import finish_indexing
from segcli.shapes.index.numpy_index import index_numpy
from segcli.shapes.index.numpy_sequence import INVALID
from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.slicing import visit_slice
from segcli.shapes.stages import Evaluation, Library
from segcli.shapes.text.nodes import (
    Assign,
    Attribute,
    Constant,
    Name,
    Node,
    Operator,
    Sequence,
    Slice,
    Starred,
    Subscript,
    Text,
)
from segcli.shapes.text.nodes import Call as CallNode
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import ELLIPSIS, DType, Item, Listed, Pair, Parts, RaisedError, Span, Tensor, Value, type_name
from segcli.shapes.walking import (
    LITERALS,
    NO_TENSOR,
    VISITORS,
    apply,
    read_item,
    read_items,
    read_tensor,
    visit,
    visit_value,
)

TORCH = Library("torch", index_torch)
NUMPY = Library("numpy", index_numpy)


def evaluate(state: Evaluation, node: Node) -> Value:
    """Find what an expression gives, noting the way there in ``state``.

    Args:
        state: The expression, its bindings and the library whose rules hold.
        node: The expression's tree.

    Raises:
        RaisedError: As the library would raise.
        SegcliError: Where the expression uses what is not supported.
    """
    if isinstance(node, Assign):
        return _assigned(state, node)
    result = visit(state, node)
    if isinstance(node, LITERALS) or (isinstance(node, Name) and not isinstance(result, Tensor)):
        raise refusal(state.expr, node.span, NO_TENSOR)
    if isinstance(result, Layer):
        hint = f"apply it to a tensor: {state.text(node)}(x)"
        raise refusal(state.expr, node.span, "a layer alone has no shape", hint)
    return result


def _assigned(state: Evaluation, node: Assign) -> Value:
    """Evaluate the value first, as Python does, then what is assigned to, and then the index."""
    if node.mark or not isinstance(node.target, Subscript):
        return _updated(state, node)
    value = read_item(state, node.value)
    target = read_tensor(state, node.target.base)
    state.depth += 1
    index = _index_item(state, node.target.index)
    state.depth -= 1
    # Most expressions assign nothing.
    from segcli.shapes.select.overlapping import check_copied, check_put
    from segcli.shapes.select.placing import copied_note

    state.notes.extend(copied_note(state, target))
    check_put(state, target, index, value)
    result = apply(state, "[]=", [("", target), ("", index), ("", value)], node)
    check_copied(state, target, index, value)
    return result


def _updated(state: Evaluation, node: Assign) -> Value:
    """Evaluate ``x[i] += v``: the place first, as Python does, and then the value."""
    name = f"{node.mark}="
    if not isinstance(node.target, Subscript):
        target = read_tensor(state, node.target)
        value = read_item(state, node.value)
        return _change(state, name, [target, value], node)
    from segcli.shapes.select.placing import copied_note

    base = node.target.base
    target = read_tensor(state, base)
    state.depth += 1
    index = _index_item(state, node.target.index)
    state.depth -= 1
    if isinstance(target.value, Tensor):
        # An index that raises does so before the value.
        state.library.index(target.value, index, len(state.stages))
    value = read_item(state, node.value)
    state.notes.extend(copied_note(state, target))
    return _change(state, f"[]{name}", [target, index, value], node)


def _change(state: Evaluation, name: str, items: list[Item], node: Assign) -> Value:
    """Do what ``+=`` and the like do; that they read what they write, PyTorch sees before shapes and dtypes."""
    from segcli.shapes.select.overlapping import check_changed, check_unchanged

    try:
        result = apply(state, name, [("", item) for item in items], node)
    except RaisedError as error:
        check_unchanged(state, items, error)
        raise
    check_changed(state, items[0], items[-1])
    return result


def _constant(_: Evaluation, node: Constant) -> Value:
    return ELLIPSIS if isinstance(node.value, str) else node.value


def _text(_: Evaluation, node: Text) -> Value:
    return node.value


def _listed(state: Evaluation, node: Sequence) -> Value:
    return Listed(tuple(read_items(state, node.items)), node.is_tuple)


def _computed(state: Evaluation, node: Operator) -> Value:
    items = [read_item(state, operand) for operand in node.operands]
    if not any(isinstance(item.value, Tensor) for item in items):
        # As most expressions compute with tensors.
        from segcli.shapes.plain import compute

        return compute(node.mark, items, node.mark_span)
    mark = node.mark if len(items) > 1 else f"unary_{node.mark}"
    return apply(state, mark, [("", item) for item in items], node)


def _named(state: Evaluation, node: Name) -> Value:
    value = state.bindings[node.name]
    text = state.text(node)
    if not isinstance(value, Tensor):
        return _respanned(value, text, node.span)
    if state.library.name == "numpy" and value.dtype == "bfloat16":
        raise RaisedError(node.span, "TypeError", "data type 'bfloat16' not understood")
    return value if value.text == text else replace(value, text=text)


def _subscript(state: Evaluation, node: Subscript) -> Value:
    base = read_tensor(state, node.base)
    state.depth += 1
    several = isinstance(base.value, Pair | Parts) and not isinstance(node.index, Text)
    index = (_index_item if several or isinstance(base.value, Tensor) else read_item)(state, node.index)
    state.depth -= 1
    if not isinstance(base.value, Tensor):
        return _picked(state, node, base, index)
    done = state.library.index(base.value, index, len(state.stages))
    return finish_indexing(state, state.input(base.text, base.value), done, state.text(node))


def _picked(state: Evaluation, node: Subscript, base: Item, index: Item) -> Value:
    """Index what is no tensor: several, or a plain value. Most expressions do not."""
    if isinstance(base.value, Pair | Parts):
        from segcli.shapes.picking import pick

        return pick(state, node, base, index)
    from segcli.shapes.plain import index_plain

    return index_plain(base, index)


def _starred(state: Evaluation, node: Starred) -> NoReturn:
    raise refusal(state.expr, node.span, "a star is not read here", "write the values themselves")


def _index_item(state: Evaluation, node: Node) -> Item:
    """Evaluate an index; several tensors are a tuple there, and a number that is not known a 0-d tensor."""
    text = state.text(node)
    if isinstance(node, Constant):
        return Item(_constant(state, node), text, node.span)
    if isinstance(node, Sequence):
        items = tuple(read_items(state, node.items, _index_item))
        return Item(Listed(items, node.is_tuple), text, node.span)
    value = visit_value(state, node)
    if isinstance(value, Pair | Parts):
        tensors = [value.values, value.indices] if isinstance(value, Pair) else value.tensors()
        if tensors is None:
            raise refusal(state.expr, node.span, f"how many tensors {value.function}() returns is not known")
        items = tuple(Item(tensor, f"{text}[{place}]", node.span) for place, tensor in enumerate(tensors))
        value = Listed(items, isinstance(value, Pair) or value.is_tuple)
    elif isinstance(value, str | DType):
        raise _no_index(state, node, value)
    return Item(value, text, node.span)


def _no_index(state: Evaluation, node: Node, value: Value) -> RaisedError:
    """Return the error for what no library indexes with."""
    if state.library.name == "numpy":
        return RaisedError(node.span, "IndexError", INVALID)
    if isinstance(value, str):
        return RaisedError(node.span, "TypeError", "new(): invalid data type 'str'")
    words = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"
    return RaisedError(node.span, "IndexError", f"{words} (got {type_name(value)})")


def _respanned(value: Value, text: str, span: Span) -> Value:
    """Let the parts of a bound literal point to the name that stands for it."""
    if not isinstance(value, Listed):
        return value
    items = (Item(_respanned(item.value, text, span), text, span) for item in value.items)
    return Listed(tuple(items), value.is_tuple)


VISITORS.update(
    {
        Constant: _constant,
        Text: _text,
        Name: _named,
        Sequence: _listed,
        Slice: visit_slice,
        Subscript: _subscript,
        Attribute: visit_attribute,
        Operator: _computed,
        Starred: _starred,
        CallNode: visit_call,
    }
)
