"""Compares an explanation with what real PyTorch and real NumPy do."""

import os

from segcli.errors import SegcliError
from segcli.shapes import Answer, explain
from segcli.shapes.result import UNKNOWN
from tests.shapes.cases import Case
from tests.shapes.oracle import Verdict, ask_numpy, ask_torch

# The environment raises the number for a long run, and gives the seed of one that failed.
CASES = int(os.environ.get("SEGCLI_FUZZ_CASES", "20000"))
SEED = int(os.environ.get("SEGCLI_FUZZ_SEED", "20261123"))

# Which of several positions out of range a kernel meets first is its own affair; PyTorch's parser lists overloads.
_WORDS_THAT_VARY = (
    "out of bounds",
    "Dimension out of range",
    "return_types",
    "invalid combination",
    "takes no arguments",
)


def disagreement(answer: Answer, verdict: Verdict, *, words: bool = True) -> str | None:
    """Say in what an answer differs from what the library did.

    Args:
        answer: Ours.
        verdict: The library's.
        words: Whether the words of an exception are compared too, and not only its type.
    """
    if (answer.error.type if answer.error else None) != verdict.error:
        return "exception"
    if answer.error is not None:
        varies = not words or any(phrase in verdict.message for phrase in _WORDS_THAT_VARY)
        return None if varies or answer.error.message == verdict.message else "words"
    if verdict.shape is None:
        plain = tuple(verdict.plain) if isinstance(verdict.plain, tuple | list) else verdict.plain
        return None if (answer.shape, answer.value) == (None, plain) else "plain value"
    ours = (answer.shape, answer.dtype, answer.view)
    if ours != (verdict.shape, verdict.dtype, verdict.view):
        return "shape, dtype or view"
    members = tuple((member.shape, member.dtype) for member in answer.members for _ in range(int(member.count)))
    return None if members == verdict.members else "members"


def check(case: Case, *, words: bool = True, known: bool = False) -> int:
    """Compare one case with both libraries; return how many of the two raised.

    A case whose ``numpy_expr`` is empty is compared with PyTorch alone.

    Args:
        case: The case.
        words: Whether the words of an exception are compared too, and not only its type.
        known: Whether segcli must know what NumPy does, too.
    """
    try:
        explanation = explain(case.expr, case.specs)
    except SegcliError as error:
        # Slices of the pair that max(dim) returns, and picks from it by a value that is not known.
        if not any(words in error.message for words in ("returns two tensors", "which tensor is picked")):
            raise
        return 0
    pairs = [(explanation.torch, ask_torch(case.expr, case.tensors))]
    if case.numpy_expr and (known or not is_unknown(explanation.numpy)):
        pairs.append((explanation.numpy, ask_numpy(case.numpy_expr, case.tensors)))
    raised = 0
    for answer, verdict in pairs:
        wrong = disagreement(answer, verdict, words=words)
        assert wrong is None, f"{wrong}: {case.expr} {case.specs}\nours: {answer}\nreal: {verdict}"
        raised += verdict.error is not None
    return raised


def is_unknown(answer: Answer) -> bool:
    return answer.error is not None and answer.error.type == UNKNOWN
