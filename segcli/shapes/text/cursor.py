"""Goes through the tokens of an expression, and refuses what does not belong there."""

from segcli.errors import SegcliError
from segcli.shapes.text.scan import Token, refusal, scan

# Deeper than any tensor has dimensions to index, and shallow for the interpreter's stack.
MAX_DEPTH = 40
# Each is a step down the tree; a line of code that a person wrote has a few.
MAX_OPERATORS = 64
# Words of Python that no expression has, and what to write.
NO_NAMES = {
    "and": "for tensors, and is written &, with brackets around both",
    "or": "for tensors, or is written |, with brackets around both",
    "not": "for tensors, not is written ~",
    "for": "comprehensions are not read: write the items, as in torch.stack([x[0], x[1]])",
    "if": "write torch.where(condition, x, y), or the one of the two that you mean",
    "else": "write torch.where(condition, x, y), or the one of the two that you mean",
    "is": "for tensors, is is written ==",
    "in": "write (y == 0) | (y == 2) for y in (0, 2)",
    "lambda": "functions are not read: write what it gives",
}


class Cursor:
    """A place among the tokens of an expression.

    Attributes:
        text: The expression.
        next: The token at the place.
    """

    def __init__(self, text: str) -> None:
        """Begin with the first token."""
        self.text = text
        tokens = scan(text)
        # Behind the end there is nothing: what comes next is the end still.
        self._tokens = [*tokens, tokens[-1], tokens[-1]]
        self._place = 0
        self.next = self._tokens[0]
        self._depth = 0
        self._operators = 0

    def peek(self, count: int) -> Token:
        """Return the token that stands so many behind the next one; in front of it for -1."""
        return self._tokens[self._place + count]

    def go(self, count: int) -> None:
        """Move on, or back."""
        self._place += count
        self.next = self._tokens[self._place]

    def take(self) -> Token:
        """Return the next token, and move on."""
        token = self.next
        self._place += 1
        self.next = self._tokens[self._place]
        return token

    def at(self, mark: str) -> bool:
        """Tell whether a mark is next."""
        # No name and no number is written as a mark is, and a text has its quotes.
        return self.next.text == mark

    def open(self, opening: Token) -> None:
        """Go down into brackets.

        Raises:
            SegcliError: Where that is too deep.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refusal(self.text, opening.span, f"brackets are nested deeper than {MAX_DEPTH}")

    def close(self, opening: Token) -> Token:
        """Take the bracket that ends what another began.

        Raises:
            SegcliError: Where something else is next.
        """
        mark = {"(": ")", "[": "]"}[opening.text]
        if self.next.text != mark:
            raise self.unexpected(expected=f"expected {mark!r} to close {opening.text!r}")
        self._depth -= 1
        return self.take()

    def operator(self) -> Token:
        """Take an operator, and count it.

        Raises:
            SegcliError: For one too many.
        """
        mark = self.take()
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise refusal(self.text, mark.span, f"more than {MAX_OPERATORS} operators")
        return mark

    def unexpected(self, expected: str, hint: str = "") -> SegcliError:
        """Return the error for the next token."""
        hint = hint or NO_NAMES.get(self.next.text, "")
        what = "the expression ends" if self.next.kind == "end" else f"unexpected {self.next.text!r}"
        return refusal(self.text, self.next.span, f"{what}: {expected}", hint)
