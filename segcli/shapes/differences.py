"""Names the rule by which PyTorch and NumPy differ, where they do."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from segcli.shapes.parting_rules import RULES, Case
from segcli.shapes.result import UNKNOWN, Answer
from segcli.shapes.stages import Evaluation

# Rules and notes under which both may give the same shape, and other numbers.
_SUSPICIOUS = frozenset(
    [
        "transpose-swaps",
        "repeat-tiles",
        "legacy-tuple",
        "uint8-mask",
        "second-ellipsis",
        "dropped-index",
        "split-size",
        "gather-crops",
        "grid-order",
        "positions-wrap",
        "truncated-floats",
        "pair",
        "ordered-pair",
    ]
)
_TELLING = ("std()", "var()", "the median")


def must_differ(case: Case) -> bool:
    """Tell whether two answers differ in what can be seen of them: shape, dtype, or exception."""
    return _differ(case.torch, case.numpy) and not (_is_unknown(case.torch) or _is_unknown(case.numpy))


def may_differ(torch: Evaluation, numpy: Evaluation) -> bool:
    """Tell whether the numbers may differ where the shapes do not.

    Args:
        torch: PyTorch's way to its answer.
        numpy: NumPy's.
    """
    if "front" in numpy.rules and "front" not in torch.rules:
        return True
    return are_telling(torch.rules, torch.notes)


def are_telling(rules: AbstractSet[str], notes: Sequence[str]) -> bool:
    """Tell whether what PyTorch does may give other numbers than NumPy, by its rules and notes.

    Args:
        rules: The rules that were at work.
        notes: What was noted.
    """
    if not _SUSPICIOUS.isdisjoint(rules):
        return True
    return bool(notes) and any(note.startswith(_TELLING) for note in notes)


def name_difference(case: Case) -> str:
    """Return the rule that makes two answers differ; empty where none is known for two of the same shape."""
    if case.lacking:
        return case.lacking
    return next((rule for holds, rule in RULES if holds(case)), "") or _bare_difference(case)


def _bare_difference(case: Case) -> str:
    """Say which of them raises, or which dtypes they give, where no rule says why."""
    if case.torch.error is not None and case.numpy.error is not None:
        return ""
    if case.torch.error is not None:
        return f"PyTorch raises {case.torch.error.type} where NumPy does not"
    if case.numpy.error is not None:
        return f"NumPy raises {case.numpy.error.type} where PyTorch does not"
    one, other = _given(case.torch), _given(case.numpy)
    return "" if one == other else f"PyTorch gives {one}, NumPy {other}"


def _given(answer: Answer) -> str:
    """Say what a library gives, where the shapes are the same or one is no tensor."""
    return answer.dtype or f"a plain {answer.type}"


def is_same(torch: Answer, numpy: Answer) -> bool:
    """Tell whether both give the same shape, of as many tensors, or both raise."""
    if torch.error is not None or numpy.error is not None:
        both = torch.error is not None and numpy.error is not None
        return both and not (_is_unknown(torch) or _is_unknown(numpy))
    alike = torch.shape == numpy.shape and torch.value == numpy.value
    return alike and [member.count for member in torch.members] == [member.count for member in numpy.members]


def _differ(torch: Answer, numpy: Answer) -> bool:
    if torch.error is not None and numpy.error is not None:
        return torch.error.type != numpy.error.type
    return not is_same(torch, numpy) or torch.dtype != numpy.dtype


def _is_unknown(answer: Answer) -> bool:
    return answer.error is not None and answer.error.type == UNKNOWN
