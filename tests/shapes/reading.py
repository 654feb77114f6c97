"""How NumPy reads an expression, by the rules of docs/shapes.md: as Python text that real NumPy runs."""

import ast

_SPACES = {"torch", "F", "nn"}
_NAMES = {
    "permute": "transpose",
    "movedim": "moveaxis",
    "swapdims": "swapaxes",
    "unsqueeze": "expand_dims",
    "take_along_dim": "take_along_axis",
    "gather": "take_along_axis",
    "repeat_interleave": "repeat",
    "tensor_split": "array_split",
    "unbind": "unstack",
    "contiguous": "ascontiguousarray",
    "cat": "concatenate",
    "concat": "concatenate",
    "clamp": "clip",
    "clip": "clip",
    "mm": "matmul",
    "bmm": "matmul",
    "mv": "matmul",
    "mul": "multiply",
    "div": "divide",
    "sub": "subtract",
    "pow": "power",
    "neg": "negative",
    "eq": "equal",
    "index_select": "take",
}
_CASTS = {
    "bool": "bool",
    "byte": "uint8",
    "char": "int8",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "half": "float16",
    "float": "float32",
    "double": "float64",
}
_KEYWORDS = {"dim": "axis", "keepdim": "keepdims", "input": "a", "unbiased": "ddof"}
# What an array has no method for.
_FUNCTIONS = [
    "amax",
    "amin",
    "median",
    "flip",
    "roll",
    "tile",
    "moveaxis",
    "broadcast_to",
    "expand_dims",
    "take_along_axis",
    "repeat",
    "array_split",
    "transpose",
    "any",
    "all",
    "exp",
    "log",
    "sqrt",
    "abs",
    "sign",
    "floor",
    "ceil",
    "unstack",
    "argwhere",
    "square",
    "negative",
    "multiply",
    "add",
    "subtract",
    "divide",
    "matmul",
    "sin",
    "cos",
    "tan",
    "tanh",
    "reciprocal",
    "log1p",
    "expm1",
    "trunc",
    "std",
    "var",
    "sort",
    "split",
    "ascontiguousarray",
    "clip",
    "logical_and",
    "logical_or",
    "logical_not",
    "equal",
    "isnan",
    "take",
    "power",
    "maximum",
    "minimum",
]
_RENAMED_ALWAYS = {"permute", "repeat_interleave", "movedim", "unsqueeze", "take_along_dim", "tensor_split", "unbind"}
# Several numbers by themselves are one tuple to NumPy.
_GATHERING = ("transpose", "flip", "tile", "broadcast_to")


# The dim comes first in PyTorch.
_SWAPPED = ("gather", "index_select")


def _called(name: str, arguments: list[ast.expr], keywords: list[ast.keyword], *, swapped: bool) -> ast.expr:
    """Call a function of NumPy by the order and the names of its arguments."""
    if swapped:
        given = {each.arg: each.value for each in keywords}
        source, axis, index = (
            (*arguments, *given.values()) if len(arguments) > 1 else (*arguments, given["axis"], given["index"])
        )
        return ast.Call(ast.Attribute(ast.Name("np"), name), [source, index, axis], [])
    if name == "unstack" and len(arguments) > 1:
        arguments, keywords = arguments[:1], [ast.keyword("axis", arguments[1])]
    if name == "clip":
        given = {each.arg: each.value for each in keywords}
        none = ast.Constant(None)
        low, high = (*arguments[1:], none, none)[:2]
        arguments, keywords = [arguments[0], given.get("min", low), given.get("max", high)], []
    return ast.Call(ast.Attribute(ast.Name("np"), name), arguments, keywords)


class _Reading(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        base = self.visit(node.value)
        if isinstance(base, ast.Name) and base.id == "torch":
            return ast.Attribute(ast.Name("np"), _NAMES.get(node.attr, node.attr))
        if isinstance(base, ast.Name) and base.id in _SPACES:
            return ast.Attribute(ast.Name("np"), node.attr)
        return ast.Attribute(base, node.attr)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [
            ast.keyword(_KEYWORDS.get(each.arg or "", each.arg), self.visit(each.value)) for each in node.keywords
        ]
        function = node.func
        if not isinstance(function, ast.Attribute):
            return ast.Call(self.visit(function), arguments, keywords)
        if not (isinstance(function.value, ast.Name) and function.value.id in _SPACES):
            return _method(self.visit(function.value), function.attr, arguments, keywords)
        read = self.visit(function)
        if function.attr in _NAMES:
            return _called(read.attr, arguments, keywords, swapped=function.attr in _SWAPPED)
        return ast.Call(read, arguments, keywords)


def _method(owner: ast.expr, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
    """Call what NumPy has for a method of PyTorch: a method, an attribute, or a function."""
    if name == "numel":
        return ast.Attribute(owner, "size")
    if name in _CASTS:
        arguments = [ast.Attribute(ast.Name("np"), _CASTS[name])]
    if name in (*_CASTS, "to", "clone"):
        return ast.Call(ast.Attribute(owner, "copy" if name == "clone" else "astype"), arguments, keywords)
    known = {"expand": "broadcast_to", **_NAMES}.get(name, name)
    if name in _RENAMED_ALWAYS or (name not in ("repeat", "transpose") and known in _FUNCTIONS):
        if known in _GATHERING and len(arguments) > 1:
            arguments = [ast.Tuple(arguments, ast.Load())]
        return _called(known, [owner, *arguments], keywords, swapped=name in _SWAPPED)
    return ast.Call(ast.Attribute(owner, name), arguments, keywords)


def in_numpy(expr: str) -> str:
    """Write what NumPy reads where PyTorch reads ``expr``."""
    return ast.unparse(_Reading().visit(ast.parse(expr)))
