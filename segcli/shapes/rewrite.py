"""Rewrites an index so that it means in NumPy, too, what it means in PyTorch."""

from segcli.shapes.index.torch_sequence import LEGACY_LENGTH
from segcli.shapes.text.nodes import Constant, Node, Sequence, Slice, Subscript
from segcli.shapes.values import INTEGER, Tensor, Value


def propose_rewrite(expr: str, node: Node, bindings: dict[str, Value]) -> str | None:
    """Propose an expression that leaves NumPy no choice; whether both agree on it is the caller's to check.

    Args:
        expr: The expression.
        node: Its tree.
        bindings: What its names stand for.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> expr = "y[0, :, i]"
        >>> bindings = {"y": Tensor((2, 3, 4), "float32", "y"), "i": Tensor((2,), "int64", "i")}
        >>> propose_rewrite(expr, parse(expr), bindings)
        'y[0][:, i]'
    """
    if not isinstance(node, Subscript):
        return None
    base = expr[slice(*node.base.span)]
    index = node.index
    if not isinstance(index, Sequence):
        return None
    texts = [expr[slice(*item.span)] for item in index.items]
    if not index.is_tuple:
        # What PyTorch takes for a tuple, written as one.
        return f"{base}[{', '.join(texts)}]" if 0 < len(texts) < LEGACY_LENGTH else None
    return _selects_first(base, index, texts, bindings)


def _selects_first(base: str, index: Sequence, texts: list[str], bindings: dict[str, Value]) -> str | None:
    """Select with integers in an index of its own, and then do the rest."""
    first: list[str] = []
    rest: list[str] = []
    for item, text in zip(index.items, texts, strict=True):
        if _is_integer(item, text, bindings):
            first.append(text)
            continue
        rest.append(text)
        first.extend(_stand_ins(item, text, bindings))
    while first and first[-1] in (":", "..."):
        first.pop()
    return f"{base}[{', '.join(first)}][{', '.join(rest)}]" if first and rest else None


def _is_integer(item: Node, text: str, bindings: dict[str, Value]) -> bool:
    if isinstance(item, Constant):
        return isinstance(item.value, int) and not isinstance(item.value, bool)
    bound = bindings.get(text)
    if isinstance(bound, Tensor):
        return not bound.shape and bound.dtype in INTEGER
    return isinstance(bound, int) and not isinstance(bound, bool)


def _stand_ins(item: Node, text: str, bindings: dict[str, Value]) -> list[str]:
    """Return what keeps, in the first index, the axes that an item of the second one takes."""
    if isinstance(item, Constant):
        return ["..."] if item.value == "..." else []
    if isinstance(item, Slice):
        return [":"]
    bound = bindings.get(text)
    if isinstance(bound, Tensor) and bound.dtype == "bool":
        return [":"] * len(bound.shape)
    return [] if isinstance(bound, bool) else [":"]
