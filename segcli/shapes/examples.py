"""What ``segcli shapes`` shows when it is asked nothing: the notes' examples, and where the two libraries part ways."""

from dataclasses import dataclass

from segcli.shapes.explanation import explain
from segcli.shapes.result import Explanation

# The first is worked in full, the others are rows of a table.
EXAMPLES: tuple[tuple[str, dict[str, str]], ...] = (
    ("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"}),
    ("x.argmax(dim=1)", {"x": "2,3,4"}),
    ("x.argmax(1, keepdim=True)", {"x": "2,3,4"}),
    ("x.max(dim=1)", {"x": "2,3,4"}),
    ("src[a, b]", {"src": "8,16,3", "a": "4,1", "b": "5,"}),
    ("src[mask]", {"src": "8,16,3", "mask": "bool:8,16"}),
    ("y[0, :, i]", {"y": "2,3,4", "i": "2,"}),
    ("y[0][:, i]", {"y": "2,3,4", "i": "2,"}),
    ("y[[[0, 1], [1, 0]]]", {"y": "2,3,4"}),
    ("y[::-1]", {"y": "2,3,4"}),
    ("y.sum(dim=())", {"y": "2,3,4"}),
)


@dataclass(frozen=True)
class Examples:
    """The examples, explained."""

    examples: tuple[Explanation, ...]


def explain_examples(lead: str = "torch") -> Examples:
    """Explain every example.

    Examples:
        >>> explain_examples().examples[0].torch.shape
        (4, 5, 3)
    """
    return Examples(tuple(explain(expr, specs, lead=lead) for expr, specs in EXAMPLES))
