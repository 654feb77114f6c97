"""Compares what segcli says with what real PyTorch and real NumPy do, on one case and on many random ones."""

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from segcli.errors import SegcliError
from segcli.shapes import Answer, explain
from segcli.shapes.result import UNKNOWN
from tests.shapes.cases import Case
from tests.shapes.oracle import Verdict, ask_numpy, ask_torch

# The environment raises the number for a long run, and gives the seed of one that failed.
CASES = int(os.environ.get("SEGCLI_FUZZ_CASES", "20000"))
SEED = int(os.environ.get("SEGCLI_FUZZ_SEED", "20261123"))

# Which of several positions out of range a kernel meets first is its own affair; PyTorch's parser lists overloads.
_WORDS_THAT_VARY = re.compile(
    "out of bounds|Dimension out of range|return_types|invalid combination|takes no arguments"
)
# What segcli refuses, and does not answer, for a reason.
_REFUSED = (
    "returns two tensors",
    "which tensor is picked",
    "complex32",
    "array of objects",
    "of objects",
    "repeats the",
    "is no number",
    "formatted with %",
    "of a text",
    "which is complex",
    "the strides of",
)

Draw = Callable[[random.Random], Case]


@dataclass(frozen=True)
class Family:
    """A generator of random cases, and how they are compared.

    Attributes:
        name: What the operations are called together.
        draw: Draws a case.
        cases: How many of every 20,000 that the tests compare.
        words: The libraries whose words of an exception are compared too, and not only its type.
        varying: A pattern of words that vary, on top of those that always do.
        known: Whether segcli must know what NumPy does, too.
        raised: The least and the greatest share of answers that are exceptions.
        threads: How many threads PyTorch has.
        formulas: How many cases the tests try for formulas; 0 where none has one.
    """

    name: str
    draw: Draw
    cases: int = 1250
    words: tuple[str, ...] = ("torch",)
    varying: str = ""
    known: bool = True
    raised: tuple[float, float] = (0.1, 0.8)
    threads: int = 1
    formulas: int = 0


@dataclass
class Tally:
    """What came of many cases.

    Attributes:
        cases: How many.
        asked: How many answers of a library there were.
        raised: How many of these were exceptions.
        refused: How many cases segcli does not answer.
        failures: What went wrong, a text each.
        seconds: How long it took.
    """

    cases: int = 0
    asked: int = 0
    raised: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: "Tally") -> None:
        self.cases += other.cases
        self.asked += other.asked
        self.raised += other.raised
        self.refused += other.refused
        self.failures += other.failures
        self.seconds += other.seconds


def disagreement(answer: Answer, verdict: Verdict, *, words: bool = True, varying: str = "") -> str | None:
    """Say in what an answer differs from what the library did.

    Args:
        answer: Ours.
        verdict: The library's.
        words: Whether the words of an exception are compared too, and not only its type.
        varying: A pattern of words that are not compared.
    """
    if (answer.error.type if answer.error else None) != verdict.error:
        return "exception"
    if answer.error is not None:
        if not words or _WORDS_THAT_VARY.search(verdict.message) or (varying and re.search(varying, verdict.message)):
            return None
        # Whether Python names the class or its base varies.
        told = (verdict.message, re.sub(r"\bTensor\.", "TensorBase.", verdict.message, count=1))
        return None if answer.error.message in told else "words"
    if verdict.shape is None:
        return _plain_disagreement(answer, verdict)
    ours = (answer.shape, answer.dtype, answer.view)
    if ours != (verdict.shape, verdict.dtype, verdict.view):
        return "shape, dtype or view"
    members = tuple((member.shape, member.dtype) for member in answer.members for _ in range(int(member.count)))
    return None if members == verdict.members else "members"


def _plain_disagreement(answer: Answer, verdict: Verdict) -> str | None:
    """Compare what is no tensor: a value of Python, or a dtype."""
    if answer.shape is not None:
        return "plain value"
    real = verdict.plain
    if isinstance(real, tuple | list) and not real and not answer.type:
        # No tensors at all.
        return None if answer.value == () else "plain value"
    kind = type(real).__name__
    if answer.type == "torch.dtype" or "dtype" in kind.lower():
        return None if str(real).removeprefix("torch.") == answer.value else "dtype"
    if answer.type != {"Size": "torch.Size"}.get(kind, kind):
        return "type of a plain value"
    # What is read from memory is not known, and may have a text.
    unknown = answer.value is None or (isinstance(answer.value, str) and not isinstance(real, str))
    expected = tuple(real) if isinstance(real, tuple | list) else real
    return None if unknown or answer.value == expected else "plain value"


def check(case: Case, *, words: bool = True, known: bool = False) -> int:
    """Compare one case with both libraries; return how many of the two raised.

    A case whose ``numpy_expr`` is empty is compared with PyTorch alone.

    Args:
        case: The case.
        words: Whether the words of an exception are compared too, and not only its type.
        known: Whether segcli must know what NumPy does, too.
    """
    family = Family("", lambda _: case, words=("torch", "numpy") if words else (), known=known)
    return compare(case, family)[1]


def compare(case: Case, family: Family) -> tuple[int, int]:
    """Compare one case with the libraries; return how many answered, and how many of them raised.

    Raises:
        SegcliError: Where segcli does not answer.
        AssertionError: Where it is wrong.
    """
    # What was drawn for a name may have been replaced.
    used = set(re.findall(r"\w+", case.expr))
    explanation = explain(case.expr, {name: spec for name, spec in case.specs.items() if name in used})
    pairs = [("torch", explanation.torch, ask_torch(case.expr, case.tensors))]
    if case.numpy_expr and (family.known or not is_unknown(explanation.numpy)):
        pairs.append(("numpy", explanation.numpy, ask_numpy(case.numpy_expr, case.tensors)))
    raised = asked = 0
    for library, answer, verdict in pairs:
        if "INTERNAL ASSERT FAILED" in verdict.message:
            # A defect of PyTorch, such as that of uint8 pictures of one pixel on some processors.
            continue
        wrong = disagreement(answer, verdict, words=library in family.words, varying=family.varying)
        told = f"{case.numpy_expr if library == 'numpy' else case.expr} {case.specs}"
        assert wrong is None, f"{wrong}: {told}\nours: {answer}\nreal: {verdict}"
        asked += 1
        raised += verdict.error is not None
    return asked, raised


def is_unknown(answer: Answer) -> bool:
    return answer.error is not None and answer.error.type == UNKNOWN


def is_refused(error: SegcliError) -> bool:
    """Tell whether segcli does not answer for a reason that the tests know."""
    return any(phrase in error.message for phrase in _REFUSED)


def compare_many(family: Family, count: int, *, seed: int = SEED, chunk: int = 0) -> Tally:
    """Compare random cases; the same family, seed and chunk draw the same ones."""
    threads = torch.get_num_threads()
    torch.set_num_threads(family.threads)
    rng = random.Random(f"{seed} {family.name} {chunk}")
    tally = Tally()
    started = time.perf_counter()
    for number in range(count):
        case = family.draw(rng)
        try:
            asked, raised = compare(case, family)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is told with its case
            if isinstance(error, SegcliError) and is_refused(error):
                tally.refused += 1
                continue
            where = f"SEGCLI_FUZZ_SEED={seed}, {family.name}, chunk {chunk}, case {number}"
            tally.failures.append(f"{where}: {case.expr} {case.specs}\n{type(error).__name__}: {error}")
            continue
        tally.asked += asked
        tally.raised += raised
    torch.set_num_threads(threads)
    tally.cases = count
    tally.seconds = time.perf_counter() - started
    return tally


def agrees(family: Family, count: int, *, chunk: int = 0) -> None:
    """Assert that random cases agree, and that among them both answers and errors are many."""
    tally = compare_many(family, count, chunk=chunk)
    assert not tally.failures, "\n\n".join(tally.failures[:3])
    assert tally.refused <= 0.1 * count, tally
    least, greatest = family.raised
    assert least * tally.asked < tally.raised < greatest * tally.asked, tally
