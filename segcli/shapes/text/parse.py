"""Parses an expression into plain nodes.

Python's own parser is not used: on hostile input it may warn, recurse too deep, or run out of memory.

The grammar is the part of Python's that indexes, calls and computes::

    statement  := expression [ ( "=" | OPERATOR "=" ) expression ]
    expression := unary ( OPERATOR unary )*, the operators with Python's precedence
    unary      := ( "-" | "+" | "~" ) unary | appended [ "**" unary ]
    appended   := primary ( "[" subscript "]" | "." NAME | "(" arguments ")" )*
    primary    := NAME | NUMBER | TEXT | "..." | "(" items ")" | "[" items "]"
    items      := [ item ("," item)* [","] ], where an item is an expression with or without a "*" in front
    subscript  := slice-or-item ("," slice-or-item)* [","]
"""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeGuard

from segcli.marks import IN_PLACE
from segcli.shapes.text.cursor import MAX_DEPTH, NO_NAMES, Cursor
from segcli.shapes.text.nodes import (
    Argument,
    Assign,
    Attribute,
    Call,
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
from segcli.shapes.text.scan import Token, read_number, refusal

if TYPE_CHECKING:
    from segcli.shapes.values import Span

# NumPy has no array of more dimensions.
MAX_ITEMS = 64
# Trees never change, so that expressions that come again share one; long ones seldom come again, and take up room.
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARACTERS = 200

# What nothing but NumPy's words hold.
_NUMPY = ("np.", "numpy.", ".astype", ".copy(")
_WORDS: dict[str, bool | str | None] = {"True": True, "False": False, "None": None, "Ellipsis": "..."}
# The higher, the tighter.
_COMPARING = 1
_PRECEDENCE = {
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _COMPARING),
    "|": 2,
    "^": 3,
    "&": 4,
    **dict.fromkeys(("<<", ">>"), 5),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("*", "/", "//", "%", "@"), 7),
}
_SIGNS = frozenset("-+~")
_LINKS = frozenset("[.(")
# A name or a number in front of one of these is all of its expression, as most are.
_LEAVES = ("name", "number")
_ENDS = frozenset([",", "]", ")", ":", ""])
_IN_PLACE = frozenset(f"{mark}=" for mark in IN_PLACE)
_ENDINGS = {
    ",": "one expression at a time",
    "@=": "write x @ y: PyTorch has no @= that changes x, and makes a new tensor",
}
_STARS = {
    "*": "a star unpacks in a list, a tuple, an index or a call: x.view(*x.shape[:2], -1)",
    "**": "keyword arguments are not unpacked: write them, as in x.sum(dim=1)",
}


def parse(text: str) -> Node:
    """Parse an expression.

    Raises:
        SegcliError: Where it is no expression of the grammar; the message has a caret under the place.

    Examples:
        >>> node = parse("x[0].sum(dim=1)")
        >>> type(node).__name__, node.span
        ('Call', (0, 15))
    """
    return parse_words(text)[0]


def parse_words(text: str) -> tuple[Node, str | None]:
    """Parse an expression, and say how PyTorch writes it where it is written in NumPy's words.

    Args:
        text: The expression.

    Returns:
        Its tree, in PyTorch's words; and the expression in these, None where it is written so.

    Raises:
        SegcliError: As ``parse`` does.

    Examples:
        >>> parse_words("np.argmax(x, axis=1)")[1], parse_words("x.argmax(1)")[1]
        ('torch.argmax(x, axis=1)', None)
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED_CHARACTERS else _parsed(text)


def _parsed(text: str) -> tuple[Node, str | None]:
    node = _Parser(text).statement()
    if not any(word in text for word in _NUMPY):
        return node, None
    # Most expressions are written in PyTorch's words.
    from segcli.shapes.text.numpy_words import read_numpy

    return read_numpy(text, node)


_remembered = lru_cache(_MAX_REMEMBERED)(_parsed)


class _Parser(Cursor):
    """Recursive descent over the tokens of one expression."""

    def statement(self) -> Node:
        """Read an expression, or the assignment of one to an index; then nothing may follow."""
        node = self.expression()
        if self.at("=") or self.next.text in _IN_PLACE:
            node = self._assignment(node)
        if self.next.kind != "end":
            raise self.unexpected(expected="expected the end", hint=_ENDINGS.get(self.next.text, ""))
        return node

    def _assignment(self, target: Node) -> Node:
        if not isinstance(target, Subscript) and not (isinstance(target, Name) and not self.at("=")):
            hint = "write src[a, b] = v, or the expression alone"
            raise self.unexpected(expected="only what is indexed is assigned to", hint=hint)
        mark = self.take()
        value = self.expression()
        return Assign(target, value, (target.span[0], value.span[1]), mark.text[:-1], mark.span)

    def expression(self, lowest: int = _COMPARING) -> Node:
        """Read operands and the operators between them, from a precedence on."""
        if self.next.kind in _LEAVES and self.peek(1).text in _ENDS:
            return self._primary()
        node = self._unary()
        compared = False
        while (level := _PRECEDENCE.get(self.next.text, 0)) >= lowest:
            mark = self.operator()
            if level == _COMPARING and compared:
                hint = "write (a < b) & (b < c)"
                raise refusal(self.text, mark.span, "comparisons of tensors do not chain", hint)
            compared = level == _COMPARING
            right = self.expression(level + 1)
            node = Operator(mark.text, (node, right), mark.span, (node.span[0], right.span[1]))
        return node

    def _unary(self) -> Node:
        if self.next.text in _SIGNS:
            mark = self.operator()
            operand = self._unary()
            span = (mark.span[0], operand.span[1])
            if mark.text == "-" and isinstance(operand, Constant) and _is_number(operand.value):
                return Constant(-operand.value, span)
            return Operator(mark.text, (operand,), mark.span, span)
        node = self._linked()
        if not self.at("**"):
            return node
        mark = self.operator()
        right = self._unary()
        return Operator("**", (node, right), mark.span, (node.span[0], right.span[1]))

    def _linked(self) -> Node:
        """Read a primary and what is appended to it."""
        node = self._primary()
        links = 0
        while self.next.text in _LINKS:
            links += 1
            if links > MAX_DEPTH:
                raise refusal(self.text, self.next.span, f"more than {MAX_DEPTH} steps in one chain")
            node = self._appended(node)
        return node

    def _appended(self, base: Node) -> Node:
        opening = self.take()
        start = base.span[0]
        if opening.text == ".":
            if self.next.kind != "name":
                raise self.unexpected(expected="expected a name after '.'")
            name = self.take()
            return Attribute(base, name.text, name.span, (start, name.span[1]))
        self.open(opening)
        if opening.text == "[":
            index = self._subscript()
            return Subscript(base, index, (start, self.close(opening).span[1]))
        arguments = self._arguments()
        return Call(base, arguments, (start, self.close(opening).span[1]))

    def _primary(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Constant(read_number(token, self.text), token.span)
        if token.kind == "name" and token.text not in NO_NAMES:
            if token.text in _WORDS:
                return Constant(_WORDS[token.text], token.span)
            return Name(token.text, token.span)
        if token.kind == "text":
            return Text(token.text[1:-1], token.span)
        if token.kind == "mark":
            if token.text == "...":
                return Constant("...", token.span)
            if token.text in ("(", "["):
                return self._bracketed(token)
        self.go(-1)
        raise self.unexpected(expected="expected a name, a number or a bracket", hint=_STARS.get(token.text, ""))

    def _bracketed(self, opening: Token) -> Node:
        self.open(opening)
        closing_mark = ")" if opening.text == "(" else "]"
        items: list[Node] = []
        comma = False
        while not self.at(closing_mark):
            items.append(self._item())
            comma = self.at(",")
            if not comma:
                break
            self.take()
        if self.at(":"):
            hint = "write slice(None) inside a list"
            raise self.unexpected(expected="a slice stands alone only in a subscript", hint=hint)
        span = (opening.span[0], self.close(opening).span[1])
        if opening.text == "(" and len(items) == 1 and not comma:
            if isinstance(items[0], Starred):
                raise refusal(self.text, span, "a star in brackets needs a comma", "write (*sizes,)")
            # The brackets belong to the text that formulas quote.
            return replace(items[0], span=span)
        return Sequence(tuple(items), opening.text == "(", span)

    def _item(self) -> Node:
        """Read an expression, which a star may unpack."""
        if not self.at("*"):
            return self.expression()
        star = self.take()
        value = self.expression()
        return Starred(value, (star.span[0], value.span[1]))

    def _subscript(self) -> Node:
        start = self.next.span[0]
        items = [self._slice_or_item()]
        comma = isinstance(items[0], Starred)
        while self.at(","):
            comma = True
            self.take()
            if self.at("]"):
                break
            items.append(self._slice_or_item())
            if len(items) > MAX_ITEMS:
                raise refusal(self.text, items[-1].span, f"more than {MAX_ITEMS} indices")
        if not comma:
            return items[0]
        return Sequence(tuple(items), is_tuple=True, span=(start, items[-1].span[1]))

    def _slice_or_item(self) -> Node:
        start = self.next.span[0]
        if not self.at(":"):
            first = self._item()
            if not self.at(":") or isinstance(first, Starred):
                return first
        else:
            first = None
        end = self.take().span[1]
        stop, end = self._bound(end)
        step = None
        if self.at(":"):
            end = self.take().span[1]
            step, end = self._bound(end)
        return Slice((first, stop, step), (start, end))

    def _bound(self, end: int) -> tuple[Node | None, int]:
        if any(self.at(mark) for mark in (":", ",", "]")):
            return None, end
        node = self.expression()
        return node, node.span[1]

    def _arguments(self) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        while not self.at(")"):
            arguments.append(self._argument(arguments))
            if not self.at(","):
                break
            self.take()
        return tuple(arguments)

    def _argument(self, before: list[Argument]) -> Argument:
        token = self.next
        if token.kind == "name" and self.peek(1).text == "=":
            self.go(2)
            node = self.expression()
            span: Span = (token.span[0], node.span[1])
            if any(argument.keyword == token.text for argument in before):
                raise refusal(self.text, span, f"{token.text} is given twice")
            return Argument(token.text, node, span)
        node = self._item()
        if any(argument.keyword for argument in before):
            raise refusal(self.text, node.span, "a positional argument follows a keyword argument")
        return Argument("", node, node.span)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
