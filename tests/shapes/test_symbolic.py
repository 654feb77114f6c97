"""What is said with names must hold for every number, of every family of operations: PyTorch is asked at each."""

import random
import re
from collections import Counter
from dataclasses import replace
from math import ceil
from typing import Any

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import Answer, Explanation, explain
from segcli.shapes.computed import closing
from tests.shapes.agreement import CASES, SEED
from tests.shapes.formulas import check_formula
from tests.shapes.named_cases import NAMES, NUMBERS, NamedCase, with_numbers
from tests.shapes.named_families import FAMILIES, draw
from tests.shapes.oracle import Verdict, ask_torch


def largest(*numbers: Any) -> Any:  # noqa: ANN401 - sizes, or the tensor whose largest element is a size
    return int(numbers[0].max()) if len(numbers) == 1 else max(*numbers)


REDUCING = re.compile(
    r"\.(sum|mean|a?max|a?min|std|var|prod|any|all|norm|logsumexp|median|topk|kthvalue|sort|cumsum|(log_)?softmax)\b"
)
EMPTY = re.compile(r"(non-zero|other) dimensions|batch size|[Nn]on-empty|greater than 0|batch mode|non-batch")
PYTHON: dict[str, Any] = {"max": largest, "min": min, "ceil": ceil, "len": len, "range": range, "torch": torch}


def evaluated(text: object, names: dict[str, Any]) -> Any:  # noqa: ANN401 - a size, or whether a need holds
    # Sizes and needs are Python that segcli wrote.
    return eval(str(text), {**PYTHON, **names})  # noqa: S307 - see above


def holds(need: str, names: dict[str, Any]) -> bool:
    try:
        return bool(evaluated(need, names))
    except (ArithmeticError, SyntaxError):
        # A need in words, of how a tensor lies in storage, is none that could be checked here.
        return False


def difference(answer: Answer, verdict: Verdict, names: dict[str, Any]) -> str:
    """Say in what an answer with names differs from what a library did, where all that is needed holds."""
    if verdict.error:
        return f"raises {verdict.error}: {verdict.message}"
    if verdict.shape is None:
        return _plain(answer, verdict, names)
    sizes = tuple(evaluated(each, names) for each in answer.shape or ())
    if (sizes, answer.dtype) != (verdict.shape, verdict.dtype):
        return f"{sizes} {answer.dtype}, not {verdict.shape} {verdict.dtype}"
    # Without elements there is nothing to share.
    if answer.view is not None and 0 not in sizes and answer.view != verdict.view:
        return f"view {answer.view} {verdict.view}"
    return _members(answer, verdict, names)


def _plain(answer: Answer, verdict: Verdict, names: dict[str, Any]) -> str:
    """Compare what is no tensor; or pieces of which there are none."""
    if verdict.plain == () and answer.members:
        return "" if not any(evaluated(member.count, names) for member in answer.members) else "no members"
    plain = tuple(verdict.plain) if isinstance(verdict.plain, tuple | list) else verdict.plain
    told = answer.value
    value = tuple(evaluated(each, names) for each in told) if isinstance(told, tuple) else told
    value = evaluated(value, names) if isinstance(value, str) else value
    return "" if value == plain else f"value {value} {plain}"


def _members(answer: Answer, verdict: Verdict, names: dict[str, Any]) -> str:
    """Compare the pieces; the last of a number that is not known may be narrower, as the trace says."""
    members = [
        (tuple(evaluated(each, names) for each in member.shape), member.dtype)
        for member in answer.members
        for _ in range(evaluated(member.count, names))
    ]
    left = list(verdict.members)
    if left and any(isinstance(member.count, str) for member in answer.members):
        if len(members) != len(left):
            return f"members {len(members)} {len(left)}"
        members, left = members[:-1], left[:-1]
    return "" if members == left or not left else f"members {members} {left}"


def ask_numpy(case: NamedCase, numbers: dict[str, int], tensors: dict[str, torch.Tensor]) -> Verdict:
    """Return what is said with numbers, which others compare with NumPy: it has no names of PyTorch."""
    specs = {name: with_numbers(spec, numbers) for name, spec in case.specs().items()}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.bool:
            specs[name] += f"#{int(tensor.sum())}"
    answer: Any = explain(case.at(numbers), specs, lead="numpy").numpy
    if answer.error is not None:
        return Verdict(error=answer.error.type, message=answer.error.message)
    members = tuple((each.shape, each.dtype) for each in answer.members for _ in range(int(each.count)))
    return Verdict(answer.shape, answer.dtype, answer.view, members, plain=answer.value)


def check(case: NamedCase, explanation: Explanation, numbers: dict[str, int], counts: Counter[str]) -> None:
    tensors = case.tensors(numbers)
    names = {**numbers, **tensors, "nonzero": lambda mask: int(mask.count_nonzero())}
    verdict = ask_torch(case.at(numbers), tensors) if explanation.lead == "torch" else ask_numpy(case, numbers, tensors)
    answer = explanation.answer
    needed = all(holds(need, names) for need in explanation.needs)
    if answer.error is not None:
        counts["raises"] += 1
        # Sizes of 0 and 1 let pass what no other size does.
        small = min(numbers.values()) < 2
        assert verdict.error or not needed or small, f"claims {answer.error}"
        return
    if verdict.error and EMPTY.search(verdict.message) and case.is_layer:
        # A slice before it left nothing.
        counts["empty"] += 1
        return
    counts["holds" if needed else "fails"] += 1
    if needed:
        wrong = difference(answer, verdict, names)
        assert not wrong, wrong
        # Of an axis of size 1 that is repeated, a letter stands for 0.
        alike = all(holds(need.partition(" or ")[0], names) for need in explanation.needs)
        small = is_small(verdict.value) and min(numbers.values()) > 1
        if explanation.formula and alike and small and is_formal(case):
            over = {letter: evaluated(length, names) for letter, length in explanation.over.items()}
            formula = settled(with_numbers(explanation.formula, numbers))
            check_formula(replace(explanation, over=over, formula=formula), dict(tensors), verdict.value)
            counts["formula"] += 1


def settled(formula: str) -> str:
    """Put in what ``ceil`` of numbers is."""
    place = formula.find("ceil(")
    while place >= 0:
        end = closing(formula, place + 4) + 1
        call = formula[place:end]
        if not re.sub(r"ceil|min|max|[0-9 /*+,()-]", "", call):
            formula = formula[:place] + str(evaluated(call, {})) + formula[end:]
        place = formula.find("ceil(", place + 1)
    return formula


def is_formal(case: NamedCase) -> bool:
    """Tell whether a formula is an expression of Python alone: others are compared in the tests of their families."""
    return not re.search(r"where|nn\.|F\.|scatter|arg|einsum|torch\.[^chsv]", case.expr) and not REDUCING.search(
        case.expr
    )


def is_small(value: object) -> bool:
    """Tell whether a result is a tensor with so few elements that each can be computed anew."""
    return isinstance(value, torch.Tensor) and 0 < value.numel() < 60


def numbers_of(family: str) -> list[int]:
    """Return the numbers that names stand for: of layers and what windows walk, 0 is refused in many words."""
    return [number for number in NUMBERS if number or family != "layered"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_said_with_names_holds_for_every_number(family: str) -> None:
    counts = run(family, "torch", CASES // 100)
    assert counts["holds"] > 0.15 * counts.total(), counts
    assert counts["refused"] < 0.2 * counts.total(), counts


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("selected", "layered")])
def test_numpys_side_holds_too(family: str) -> None:
    counts = run(family, "numpy", CASES // 100)
    assert counts["holds"] > 0.1 * counts.total(), counts


def run(family: str, lead: str, count: int) -> Counter[str]:
    """Ask a library about random expressions of a family, each at several numbers."""
    torch.set_num_threads(1)
    counts: Counter[str] = Counter()
    rng = random.Random(f"{SEED} {family} {lead}")
    for _ in range(count):
        case = draw(rng, family)
        try:
            explanation = explain(case.expr, case.specs(), lead=lead)
        except SegcliError:
            counts["refused"] += 1
            continue
        for _ in range(4):
            numbers = {name: rng.choice(numbers_of(family)) for name in NAMES}
            try:
                check(case, explanation, numbers, counts)
            except Exception as error:
                told = f"{case.expr} {case.specs()} at {numbers}: {explanation.answer.shape} needs {explanation.needs}"
                message = f"SEGCLI_FUZZ_SEED={SEED}, {lead}: {told}\n{error}"
                raise AssertionError(message) from error
    return counts
