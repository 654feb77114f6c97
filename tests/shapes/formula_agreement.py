"""Evaluates the formulas of random cases element by element and compares them with what the libraries give."""

import ast
import random
import re
import time
from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from segcli.errors import SegcliError
from segcli.shapes import Explanation, explain
from tests.shapes.agreement import SEED, Family, Tally
from tests.shapes.cases import Case
from tests.shapes.formulas import check_formula, perform_formula
from tests.shapes.oracle import ASSIGNS, Verdict, ask_numpy, ask_torch, evaluate, is_statement, write

# More elements take too long.
_MOST = 60


def filled(case: Case) -> dict[str, torch.Tensor]:
    """Give the tensors that are no positions values of which sums are exact and few are equal."""
    tensors = {}
    for number, (name, tensor) in enumerate(case.tensors.items()):
        told = re.search(r"tensor\(|#", case.specs.get(name, ""))
        if told or not (name == "x" or tensor.is_floating_point() or tensor.is_complex()):
            tensors[name] = tensor
            continue
        values = (torch.arange(tensor.numel()) * 7 + 3 * number) % 11
        tensors[name] = values.reshape(tensor.shape).to(tensor.dtype)
    return tensors


def ask_layer(expr: str, tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, Any], Verdict]:
    """Apply a layer with small whole numbers for what it learns; return the names of these too."""
    call = ast.parse(expr, mode="eval").body
    assert isinstance(call, ast.Call)
    made = ast.get_source_segment(expr, call.func)
    assert made is not None
    layer, _ = evaluate(made, {})
    names = {}
    with torch.no_grad():
        for number, (name, parameter) in enumerate(layer.named_parameters()):
            values = (torch.arange(parameter.numel()) * 5 + number) % 7 - 3
            parameter.copy_(values.reshape(parameter.shape))
            names[name] = parameter
        value, _ = evaluate(f"layer{expr[len(made) :]}", {**tensors, "layer": layer})
        return names, Verdict(value=value)


def _explained(case: Case, lead: str) -> Explanation | None:
    """Return an explanation that has a formula of few elements, which there are."""
    try:
        explanation = explain(case.expr, case.specs, lead=lead)
    except SegcliError:
        return None
    small = prod(int(size) for size in explanation.answer.shape or ()) <= _MOST
    # On the device meta there are no elements.
    return explanation if small and explanation.formula and "'meta'" not in case.expr else None


def compare_formula(case: Case, lead: str = "torch") -> bool:
    """Compare the formula of a case, element by element; tell whether there was one to compare.

    Raises:
        AssertionError: Where it says something else than the library does.
    """
    explanation = _explained(case, lead)
    if explanation is None or explanation.formula is None:
        return False
    tensors = filled(case)
    if is_statement(case.expr):
        return lead == "torch" and _compare_assigned(case, explanation, tensors)
    names, verdict = _ask(case, explanation.formula, tensors, lead)
    if verdict is None or verdict.error is not None:
        # Of other values, such as 0 to divide by.
        return False
    if _is_scattered(explanation.formula, names):
        return _compare_scattered(case, explanation, tensors, verdict)
    try:
        check_formula(explanation, names, verdict.value)
    except OverflowError:
        # A number is larger than those that a tensor holds.
        return False
    except Exception as error:
        message = f"{explanation.formula}\n{type(error).__name__}: {error}"
        raise AssertionError(message) from error
    return True


def _is_scattered(formula: str, names: Mapping[str, Any]) -> bool:
    """Tell whether what stands left is a place that is looked up: no letter of an axis is a name."""
    left = formula.partition("=")[0]
    return bool({*re.findall(r"\w+", left)} & {*names}) or left.rstrip()[-1] in "+*"


def _ask(
    case: Case, formula: str, tensors: dict[str, torch.Tensor], lead: str
) -> tuple[dict[str, Any], Verdict | None]:
    """Return what the names of a formula stand for, and what the library says."""
    if lead == "torch" and re.match(r"nn\.\w+\(.*\)\(", case.expr):
        learned, verdict = ask_layer(case.expr, tensors)
        return {**tensors, **learned}, verdict
    if lead == "torch":
        return dict(tensors), ask_torch(case.expr, tensors)
    # The text of an operation in the middle is PyTorch's.
    known = case.numpy_expr and not re.search(r"\.\w+\(", formula)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items() if tensor.dtype is not torch.bfloat16}
    return arrays, ask_numpy(case.numpy_expr, tensors) if known else None


def _compare_assigned(case: Case, explanation: Explanation, tensors: Mapping[str, torch.Tensor]) -> bool:
    """Compare what stands in every tensor when all has been written."""
    written = write(case.expr, tensors)
    made = {name: tensor.clone() for name, tensor in tensors.items()}
    place, _ = evaluate(ASSIGNS.split(case.expr)[0], tensors)
    perform_formula(explanation, made, place, None)
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, written[name], equal_nan=True)
    return True


def _compare_scattered(
    case: Case, explanation: Explanation, tensors: Mapping[str, torch.Tensor], verdict: Verdict
) -> bool:
    """Compare what is written into a copy of what is scattered into."""
    call = ast.parse(case.expr, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Attribute)
    of_torch = isinstance(call.func.value, ast.Name) and call.func.value.id == "torch"
    base = ast.get_source_segment(case.expr, call.args[0] if of_torch else call.func.value)
    assert base is not None
    start, _ = evaluate(base, tensors)
    places = tensors["i"].flatten().tolist()
    if len(set(places)) < len(places) and "+=" not in str(explanation.formula):
        # Which of several that are written to one place stays, is not said.
        return False
    made, real = perform_formula(explanation, dict(tensors), torch.zeros(()), start.clone()), verdict.value
    if real.is_complex():
        # Which part is no number, hangs on how one adds.
        assert torch.equal(made.isfinite(), real.isfinite()), f"{made} is not {real}"
        made, real = (torch.where(each.isfinite(), each, 0) for each in (made, real))
    assert torch.allclose(made, real, equal_nan=True), f"{made} is not {real}"
    return True


def compare_formulas(family: Family, count: int, *, lead: str = "torch", seed: int = SEED, chunk: int = 0) -> Tally:
    """Compare the formulas of random cases; ``cases`` are those that have one."""
    torch.set_num_threads(family.threads)
    rng = random.Random(f"formulas {seed} {family.name} {chunk}")
    tally = Tally()
    started = time.perf_counter()
    for number in range(count):
        case = family.draw(rng)
        try:
            tally.cases += compare_formula(case, lead)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is told with its case
            where = f"SEGCLI_FUZZ_SEED={seed}, formulas, {family.name}, {lead}, chunk {chunk}, case {number}"
            tally.failures.append(f"{where}: {case.expr} {case.specs}\n{type(error).__name__}: {error}")
    tally.seconds = time.perf_counter() - started
    return tally
