"""Evaluates what stands behind a dot, and says what is near to a name that nothing has."""

from typing import NoReturn

from segcli.shapes.operations import CONSTANTS, find_operation, find_space
from segcli.shapes.stages import Evaluation, Library
from segcli.shapes.text.nodes import Attribute
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import DTYPES, DType, Pair, RaisedError, Tensor, Value, type_name
from segcli.shapes.walking import read_tensor, run

_DTYPE_ALIASES = {"half": "float16", "float": "float32", "double": "float64"} | {
    "short": "int16",
    "int": "int32",
    "long": "int64",
}


def visit_attribute(state: Evaluation, node: Attribute) -> Value:
    """Evaluate an attribute of a tensor, or a name of torch such as ``torch.float32``."""
    space = find_space(node.base, state.bindings)
    if node.name in CONSTANTS and (space == "torch" or (space == "math" and node.name != "newaxis")):
        return CONSTANTS[node.name]
    if space is not None:
        dtype = _DTYPE_ALIASES.get(node.name, node.name)
        if space == "torch" and dtype in DTYPES:
            return DType(dtype)
        hint = _nearest(node.name, (space,))
        raise refusal(state.expr, node.name_span, f"{state.text(node)[:40]} is not a value", hint)
    operation = find_operation("attribute", node.name)
    if operation is None and node.name not in ("values", "indices"):
        unsupported(state, node, ("attribute", "method"))
    base = read_tensor(state, node.base)
    if isinstance(base.value, Pair) and node.name in ("values", "indices"):
        from segcli.shapes.picking import pick_member

        return pick_member(state, node, base, node.name)
    if operation is None and state.library.name == "torch":
        unsupported(state, node, ("attribute", "method"))
    if operation is None or not isinstance(base.value, Tensor):
        raise no_attribute(base.value, node, state.library)
    return run(state, operation, "attribute", node.name, [("", base)], node)


def no_attribute(owner: Value, node: Attribute, library: Library) -> RaisedError:
    """Return the error for an attribute that a value lacks."""
    name = type_name(owner)
    if library.name == "numpy" and isinstance(owner, Tensor):
        name = f"numpy.{owner.dtype}" if owner.scalar else "numpy.ndarray"
    return RaisedError(node.name_span, "AttributeError", f"'{name}' object has no attribute '{node.name}'")


def unsupported(state: Evaluation, node: Attribute, spaces: tuple[str, ...]) -> NoReturn:
    """Refuse a name, and say which ones are near."""
    raise refusal(state.expr, node.name_span, f"{node.name} is not supported", _nearest(node.name, spaces))


def _nearest(name: str, spaces: tuple[str, ...]) -> str:
    """Return what to write instead."""
    # Most expressions are understood.
    from segcli.shapes.hints import hint_for

    return hint_for(name, spaces)
