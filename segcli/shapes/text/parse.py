"""Parses an expression into plain nodes.

Python's own parser is not used: on hostile input it may warn, recurse too deep, or run out of memory.

The grammar is the part of Python's that indexes, calls and computes::

    statement  := expression [ "=" expression ]
    expression := unary ( OPERATOR unary )*, the operators with Python's precedence
    unary      := ( "-" | "+" | "~" ) unary | appended [ "**" unary ]
    appended   := primary ( "[" subscript "]" | "." NAME | "(" arguments ")" )*
    primary    := NAME | NUMBER | TEXT | "..." | "(" items ")" | "[" items "]"
    subscript  := slice-or-expression ("," slice-or-expression)* [","]
"""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeGuard

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
    Subscript,
    Text,
)
from segcli.shapes.text.scan import Token, read_number, refusal, scan

if TYPE_CHECKING:
    from segcli.shapes.values import Span

# Deeper than any tensor has dimensions to index, and shallow for the interpreter's stack.
MAX_DEPTH = 40
# Each is a step down the tree; a line of code that a person wrote has a few.
MAX_OPERATORS = 64
# NumPy has no array of more dimensions.
MAX_ITEMS = 64
# Trees never change, so that expressions that come again share one; long ones seldom come again, and take up room.
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARACTERS = 200

_WORDS: dict[str, bool | None] = {"True": True, "False": False, "None": None}
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
_INSTEAD = {"and": "&", "or": "|", "not": "~"}


def parse(text: str) -> Node:
    """Parse an expression.

    Raises:
        SegcliError: Where it is no expression of the grammar; the message has a caret under the place.

    Examples:
        >>> node = parse("x[0].sum(dim=1)")
        >>> type(node).__name__, node.span
        ('Call', (0, 15))
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED_CHARACTERS else _parsed(text)


def _parsed(text: str) -> Node:
    parser = _Parser(text)
    node = parser.statement()
    parser.expect_end()
    return node


_remembered = lru_cache(_MAX_REMEMBERED)(_parsed)


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        tokens = scan(text)
        # Behind the end there is nothing: what comes next is the end still.
        self._tokens = [*tokens, tokens[-1], tokens[-1]]
        self._place = 0
        self._next = self._tokens[0]
        self._depth = 0
        self._operators = 0

    def _go(self, count: int) -> None:
        self._place += count
        self._next = self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        self._next = self._tokens[self._place]
        return token

    def _at(self, mark: str) -> bool:
        # No name and no number is written as a mark is, and a text has its quotes.
        return self._next.text == mark

    def _expect(self, mark: str, opening: Token) -> Token:
        if not self._at(mark):
            raise self._unexpected(expected=f"expected {mark!r} to close {opening.text!r}")
        return self._take()

    def expect_end(self) -> None:
        if self._next.kind != "end":
            hint = ""
            if self._next.text in _INSTEAD:
                hint = (
                    f"for tensors, {self._next.text} is written {_INSTEAD[self._next.text]}, with brackets around both"
                )
            elif self._at(","):
                hint = "one expression at a time"
            raise self._unexpected(expected="expected the end", hint=hint)

    def _unexpected(self, expected: str, hint: str = "") -> Exception:
        token = self._next
        what = "the expression ends" if token.kind == "end" else f"unexpected {token.text!r}"
        return refusal(self._text, token.span, f"{what}: {expected}", hint)

    def statement(self) -> Node:
        """Read an expression, or the assignment of one to an index."""
        node = self.expression()
        if not self._at("="):
            return node
        if not isinstance(node, Subscript):
            hint = "write src[a, b] = v, or the expression alone"
            raise self._unexpected(expected="only what is indexed is assigned to", hint=hint)
        self._take()
        value = self.expression()
        return Assign(node, value, (node.span[0], value.span[1]))

    def expression(self, lowest: int = _COMPARING) -> Node:
        """Read operands and the operators between them, from a precedence on."""
        node = self._unary()
        compared = False
        while (level := _PRECEDENCE.get(self._next.text, 0)) >= lowest:
            mark = self._operator()
            if level == _COMPARING and compared:
                hint = "write (a < b) & (b < c)"
                raise refusal(self._text, mark.span, "comparisons of tensors do not chain", hint)
            compared = level == _COMPARING
            right = self.expression(level + 1)
            node = Operator(mark.text, (node, right), mark.span, (node.span[0], right.span[1]))
        return node

    def _operator(self) -> Token:
        mark = self._take()
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise refusal(self._text, mark.span, f"more than {MAX_OPERATORS} operators")
        return mark

    def _unary(self) -> Node:
        if self._next.text in _SIGNS:
            mark = self._operator()
            operand = self._unary()
            span = (mark.span[0], operand.span[1])
            if mark.text == "-" and isinstance(operand, Constant) and _is_number(operand.value):
                return Constant(-operand.value, span)
            return Operator(mark.text, (operand,), mark.span, span)
        node = self._linked()
        if not self._at("**"):
            return node
        mark = self._operator()
        right = self._unary()
        return Operator("**", (node, right), mark.span, (node.span[0], right.span[1]))

    def _linked(self) -> Node:
        """Read a primary and what is appended to it."""
        node = self._primary()
        links = 0
        while self._next.text in _LINKS:
            links += 1
            if links > MAX_DEPTH:
                raise refusal(self._text, self._next.span, f"more than {MAX_DEPTH} steps in one chain")
            node = self._appended(node)
        return node

    def _appended(self, base: Node) -> Node:
        opening = self._take()
        start = base.span[0]
        if opening.text == ".":
            if self._next.kind != "name":
                raise self._unexpected(expected="expected a name after '.'")
            name = self._take()
            return Attribute(base, name.text, name.span, (start, name.span[1]))
        self._descend(opening)
        if opening.text == "[":
            index = self._subscript()
            closing = self._expect("]", opening)
            self._depth -= 1
            return Subscript(base, index, (start, closing.span[1]))
        arguments = self._arguments()
        closing = self._expect(")", opening)
        self._depth -= 1
        return Call(base, arguments, (start, closing.span[1]))

    def _descend(self, opening: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refusal(self._text, opening.span, f"brackets are nested deeper than {MAX_DEPTH}")

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Constant(read_number(token, self._text), token.span)
        if token.kind == "name" and token.text not in _INSTEAD:
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
        self._go(-1)
        if token.text == "=" and self._place and self._tokens[self._place - 1].text in _PRECEDENCE:
            mark = self._tokens[self._place - 1].text
            hint = f"write x[i] = x[i] {mark} v; where positions come twice, one of them counts"
            raise self._unexpected(expected="no operator may stand before '='", hint=hint)
        hint = "for tensors, not is written ~" if token.text == "not" else ""
        if token.text in ("*", "**"):
            hint = "a starred argument is not read: write its items, as in x.reshape(x.size(0), x.size(1), -1)"
        raise self._unexpected(expected="expected a name, a number or a bracket", hint=hint)

    def _bracketed(self, opening: Token) -> Node:
        self._descend(opening)
        closing_mark = ")" if opening.text == "(" else "]"
        items: list[Node] = []
        comma = False
        while not self._at(closing_mark):
            items.append(self.expression())
            comma = self._at(",")
            if not comma:
                break
            self._take()
        if self._at(":"):
            raise self._unexpected(
                expected="a slice stands alone only in a subscript", hint="write slice(None) inside a list"
            )
        closing = self._expect(closing_mark, opening)
        self._depth -= 1
        span = (opening.span[0], closing.span[1])
        if opening.text == "(" and len(items) == 1 and not comma:
            # The brackets belong to the text that formulas quote.
            return replace(items[0], span=span)
        return Sequence(tuple(items), opening.text == "(", span)

    def _subscript(self) -> Node:
        start = self._next.span[0]
        items = [self._slice_or_expression()]
        comma = False
        while self._at(","):
            comma = True
            self._take()
            if self._at("]"):
                break
            items.append(self._slice_or_expression())
            if len(items) > MAX_ITEMS:
                raise refusal(self._text, items[-1].span, f"more than {MAX_ITEMS} indices")
        if not comma:
            return items[0]
        return Sequence(tuple(items), is_tuple=True, span=(start, items[-1].span[1]))

    def _slice_or_expression(self) -> Node:
        start = self._next.span[0]
        if not self._at(":"):
            first = self.expression()
            if not self._at(":"):
                return first
        else:
            first = None
        end = self._take().span[1]
        stop, end = self._bound(end)
        step = None
        if self._at(":"):
            end = self._take().span[1]
            step, end = self._bound(end)
        return Slice((first, stop, step), (start, end))

    def _bound(self, end: int) -> tuple[Node | None, int]:
        if any(self._at(mark) for mark in (":", ",", "]")):
            return None, end
        node = self.expression()
        return node, node.span[1]

    def _arguments(self) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        while not self._at(")"):
            arguments.append(self._argument(arguments))
            if not self._at(","):
                break
            self._take()
        return tuple(arguments)

    def _argument(self, before: list[Argument]) -> Argument:
        token = self._next
        if token.kind == "name" and self._tokens[self._place + 1].text == "=":
            self._go(2)
            node = self.expression()
            span: Span = (token.span[0], node.span[1])
            if any(argument.keyword == token.text for argument in before):
                raise refusal(self._text, span, f"{token.text} is given twice")
            return Argument(token.text, node, span)
        node = self.expression()
        if any(argument.keyword for argument in before):
            raise refusal(self._text, node.span, "a positional argument follows a keyword argument")
        return Argument("", node, node.span)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
