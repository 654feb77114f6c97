"""Formulas are evaluated element by element and compared with what the library gives."""

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import Family
from tests.shapes.cases import Case
from tests.shapes.families import FAMILIES, INDEXING
from tests.shapes.formula_agreement import compare_formulas
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.formulas], ids=lambda family: family.name)
def test_formulas_of_random_cases(family: Family) -> None:
    tally = compare_formulas(family, family.formulas)
    assert not tally.failures, "\n\n".join(tally.failures[:3])
    # So that it cannot pass without a formula; all families together compare many thousands.
    assert tally.cases >= (700 if family is INDEXING else 10), tally


def test_formulas_of_numpy() -> None:
    tally = compare_formulas(INDEXING, INDEXING.formulas, lead="numpy")
    assert not tally.failures, "\n\n".join(tally.failures[:3])
    assert tally.cases >= 700, tally


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"}, "result[i, j, k] = src[a[i, j], b[i, j], k]"),
        ("src[a, b]", {"src": "8,16,3", "a": "4,1", "b": "5,"}, "result[i, j, k] = src[a[i, 0], b[j], k]"),
        ("x.argmax(dim=1)", {"x": "2,3,4"}, "result[i, k] = the j where x[i, j, k] is largest"),
        ("x.argmin()", {"x": "2,3,4"}, "result = the 12*i + 4*j + k where x[i, j, k] is smallest"),
        ("x.argmax()", {"x": "()"}, "result = 0"),
        ("x.sum((0, 2), True)", {"x": "2,3,4"}, "result[0, j, 0] = sum over i, k of x[i, j, k]"),
        ("x.any(())", {"x": "2,3"}, "result[i, j] = x[i, j] != 0"),
        ("x[1:][::2]", {"x": "9,"}, "result[i] = x[1 + 2*i]"),
        ("x[1:][3]", {"x": "9,2"}, "result[i] = x[4, i]"),
        ("x[1:][a]", {"x": "9,", "a": "4,"}, "result[i] = x[1:][a[i]]"),
        ("x[-1]", {"x": "9,"}, "result = x[8]"),
        ("x[k, None]", {"x": "9,2", "k": "int64:()"}, "result[i, j] = x[k, j]"),
        ("x[m]", {"x": "8,16,3", "m": "bool:8,16"}, "result[i, j] = x[m.nonzero()[i, 0], m.nonzero()[i, 1], j]"),
        ("x[[True, False, True]]", {"x": "3,2"}, "result[i, j] = x[[0, 2][i], j]"),
        ("x[[0, 5, -1]]", {"x": "9,"}, "result[i] = x[[0, 5, -1][i]]"),
        ("i[j]", {"i": "5,", "j": "2,"}, "result[k] = i[j[k]]"),
        ("x", {"x": "2,3"}, "result[i, j] = x[i, j]"),
        ("x.max(dim=0)[0][1:]", {"x": "2,3"}, "result[i] = x.max(dim=0)[0][1 + i]"),
        ("x.sum(0).sum(0)", {"x": "2,3"}, "result = sum over i of x.sum(0)[i]"),
        ("x.max(dim=0).indices", {"x": "2,3"}, "result[j] = the i where x[i, j] is largest"),
        ("x.min(0)", {"x": "2,"}, "values = min over i of x[i]; indices = the i where x[i] is smallest"),
        ("x.std(1)", {"x": "2,3"}, "result[i] = std with correction 1 over j of x[i, j]"),
        ("x.var(unbiased=False)", {"x": "2,3"}, "result = variance with correction 0 over i, j of x[i, j]"),
        ("x.std(0)", {"x": "()"}, "result = std with correction 1 of x"),
        ("x.prod(0)", {"x": "2,3"}, "result[j] = product over i of x[i, j]"),
        ("x.median()", {"x": "2,3"}, "result = lower median over i, j of x[i, j]"),
        ("x.median(0)[1]", {"x": "2,3"}, "result[j] = the i where x[i, j] is the lower median"),
        ("x.kthvalue(2).values", {"x": "2,3"}, "result[i] = 2nd smallest over j of x[i, j]"),
        ("x.topk(2).indices", {"x": "2,3"}, "result[i, j] = the k where x[i, k] is (j + 1)-th largest"),
        ("x.topk(2, 0, False, False)[0]", {"x": "2,3"}, "result[i, j] = one of the 2 smallest over k of x[k, j]"),
        ("x.sort(0, True)[0]", {"x": "2,3"}, "result[i, j] = (i + 1)-th largest over k of x[k, j]"),
        ("x.sort()", {"x": "()"}, "values = x; indices = 0"),
        ("x.argsort()", {"x": "2,3"}, "result[i, j] = the k where x[i, k] is (j + 1)-th smallest"),
        ("x.cumsum(1)", {"x": "2,3"}, "result[i, j] = sum over k <= j of x[i, k]"),
        ("x[:, 1:].cumsum(1)", {"x": "2,3"}, "result[i, j] = sum over k <= j of x[i, 1 + k]"),
        ("x.norm()", {"x": "2,3"}, "result = 2-norm over i, j of x[i, j]"),
        ("x.norm(1e999, 1)", {"x": "2,3"}, "result[i] = inf-norm over j of x[i, j]"),
        ("x.logsumexp(1)", {"x": "2,3"}, "result[i] = logsumexp over j of x[i, j]"),
        ("x.softmax(1)", {"x": "2,3"}, "result[i, j] = exp(x[i, j]) / sum over k of exp(x[i, k])"),
        ("x.log_softmax(0)", {"x": "2,3"}, "result[i, j] = x[i, j] - logsumexp over k of x[k, j]"),
        ("x.softmax(0)", {"x": "()"}, "result = exp(x) / exp(x)"),
        ("x.log_softmax(0)", {"x": "()"}, "result = 0 * x"),
        ("x[m][-2:]", {"x": "9,", "m": "bool:9"}, "result[i] = x[m.nonzero()[max(nonzero(m) - 2, 0) + i, 0]]"),
        ("x[m][-4:2]", {"x": "9,", "m": "bool:9"}, "result[i] = x[m.nonzero()[max(nonzero(m) - 4, 0) + i, 0]]"),
        (
            "x[:, m].argmax()",
            {"x": "2,9", "m": "bool:9"},
            "result = the nonzero(m)*i + j where x[i, m.nonzero()[j, 0]] is largest",
        ),
        ("x[m].argmax()", {"x": "2,9", "m": "bool:2"}, "result = the 9*i + j where x[m.nonzero()[i, 0], j] is largest"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str | None) -> None:
    assert explain(expr, specs).formula == formula


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.cumsum()", "result[k] = sum over 3*i + j <= k of x[i, j]"),
        ("x.sort(None)", "result[k] = (k + 1)-th smallest over i, j of x[i, j]"),
        ("x.argsort(dim=None)", "result[k] = the 3*i + j where x[i, j] is (k + 1)-th smallest"),
        ("x.median(1)", "result[i] = median over j of x[i, j]"),
        ("x.std(1, correction=True)", "result[i] = std with correction 1 over j of x[i, j]"),
    ],
)
def test_formulas_of_numpy_by_hand(expr: str, formula: str) -> None:
    assert explain(expr, {"x": "2,3"}, lead="numpy").formula == formula


def test_letters_go_on_with_numbers() -> None:
    formula = explain("x[...]", {"x": ",".join(["1"] * 16)}).formula
    assert formula is not None
    assert formula.startswith("result[i, j, k, l, m, n, p, q, r, s, t, u, v, w, i1, j1] = x[i,")


def test_the_notes_formula_holds() -> None:
    tensors = {
        "x": torch.arange(8 * 16 * 3).reshape(8, 16, 3),
        "a": torch.randint(-8, 8, (4, 5), generator=torch.Generator().manual_seed(0)),
        "b": torch.randint(-16, 16, (4, 5), generator=torch.Generator().manual_seed(1)),
    }
    case = Case("x[a, b, :]", "x[a, b, :]", {"x": "8,16,3", "a": "4,5", "b": "4,5"}, tensors)
    check_formula(explain(case.expr, case.specs), dict(tensors), ask_torch(case.expr, tensors).value)
