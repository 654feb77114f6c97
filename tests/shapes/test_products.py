"""Products of matrices and vectors: ``@``, ``matmul``, ``mm``, ``bmm``, ``mv``, ``dot``, ``einsum``."""

import random

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES
from tests.shapes.cases import Case
from tests.shapes.drawing import bind, holds, refused, run_cases

BATCHES = [(), (), (1,), (5,), (5,), (2, 5), (2, 1), (0,), (3,)]
NAMES = ["@", "@", "@", "matmul", "matmul", "mm", "bmm", "mv", "dot"]
NDIMS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}
SECOND = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "tensor"}
IN_NUMPY = dict.fromkeys(SECOND, "matmul") | {"dot": "dot"}
OTHERS = ["2", "1.5", "None", "[1, 2]", "[1, 2, 3]"]


def draw_pair(rng: random.Random, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw two shapes that mostly fit."""
    if rng.random() < 0.1:
        shapes = [(), (3,), (2, 3), (3, 2), (5, 2, 3), (2,)]
        return rng.choice(shapes), rng.choice(shapes)
    rows, inner, columns = rng.choice([0, 1, 2, 4]), rng.choice([0, 1, 3, 3, 2]), rng.choice([0, 1, 4, 2])
    other = inner if rng.random() < 0.85 else rng.choice([0, 1, 2, 3])
    kinds = NDIMS.get(name, (rng.choice([1, 2, 3, 3]), rng.choice([1, 2, 3, 3])))
    left: tuple[int, ...] = (inner,) if kinds[0] == 1 else (rows, inner)
    right: tuple[int, ...] = (other,) if kinds[1] == 1 else (other, columns)
    if name == "bmm":
        number = rng.choice([0, 1, 5])
        return (number, *left), (number if rng.random() < 0.85 else 5, *right)
    batch: tuple[int, ...] = rng.choice(BATCHES)
    return (
        (*batch, *left) if kinds[0] == 3 else left,
        (*rng.choice([batch, batch, *BATCHES]), *right) if kinds[1] == 3 else right,
    )


def draw_product(rng: random.Random) -> Case:
    case = Case()
    name = rng.choice(NAMES)
    shapes = draw_pair(rng, name)
    dtype = rng.choice(["", "float32", "float32", "int64", "bool", "float64"])
    first, second = (bind(rng, case, letter, shape, dtype) for letter, shape in zip("xy", shapes, strict=True))
    if rng.random() < 0.06:
        second = rng.choice(OTHERS)
        case.specs.pop("y")
    if name == "@":
        case.expr = f"{first} @ {second}"
        case.numpy_expr = case.expr if second != "None" else ""
    else:
        keyword = rng.choice(["", "", "", f"{SECOND[name]}="])
        of_torch = rng.random() < 0.5
        case.expr = f"torch.{name}({first}, {keyword}{second})" if of_torch else f"{first}.{name}({keyword}{second})"
        case.numpy_expr = f"np.{IN_NUMPY[name]}({first}, {second})" if second != "None" else ""
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case


@pytest.mark.parametrize("chunk", range(2))
def test_agreement_on_random_products(chunk: int) -> None:
    run_cases(draw_product, CASES // 8, chunk=chunk)


LETTERS = ["i", "j", "k", "b", "A", "C"]
SIZES = {"i": 2, "j": 3, "k": 4, "b": 5, "A": 1, "C": 0}


def draw_operand(rng: random.Random, case: Case, name: str, dtype: str) -> tuple[str, str]:
    """Draw the labels of an operand, and a tensor that mostly fits."""
    labels = [rng.choice(LETTERS[:4] * 3 + LETTERS) for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3]))]
    sizes = [SIZES[label] if rng.random() < 0.93 else rng.choice([1, 2, 3]) for label in labels]
    if rng.random() < 0.25:
        at = rng.randrange(len(labels) + 1)
        batch = rng.choice([(), (7,), (7,), (1,), (2, 7), (2, 1), (2,)])
        labels.insert(at, "...")
        sizes[at:at] = batch
    if rng.random() < 0.06:
        sizes = sizes[:-1] if rng.random() < 0.5 else [*sizes, 2]
    return "".join(labels), bind(rng, case, name, sizes, dtype)


def draw_einsum(rng: random.Random) -> Case:
    case = Case()
    dtype = rng.choice(["", "float32", "float32", "float32", "int64", "bool", "int32"])
    count = rng.choice([1, 1, 2, 2, 2, 3])
    if count == 3 and not dtype:
        dtype = "float64"
    labels, operands = zip(*(draw_operand(rng, case, name, dtype) for name in "xyz"[:count]), strict=True)
    equation = ",".join(labels)
    if rng.random() < 0.7:
        known = list(dict.fromkeys(char for char in "".join(labels) if char != "."))
        rng.shuffle(known)
        output = known[: rng.randrange(len(known) + 1)]
        if "..." in equation and rng.random() < 0.8:
            output.insert(rng.randrange(len(output) + 1), "...")
        if rng.random() < 0.06:
            output.append(rng.choice(["i", "z", "...", ".", "1"]))
        equation += "->" + "".join(output)
    kind = rng.random()
    if kind < 0.15:
        equation = "".join(char + " " * (char not in ".-") for char in equation)
    elif kind < 0.22:
        at = rng.randrange(len(equation) + 1)
        equation = equation[:at] + rng.choice([".", ",", "1", "-", ">", "->", "q", "..."]) + equation[at:]
    case.expr = f"torch.einsum('{equation}', {', '.join(operands)})"
    case.numpy_expr = f"np.einsum('{equation}', {', '.join(operands)})"
    if rng.random() < 0.1:
        case.expr = f"torch.einsum('{equation}', [{', '.join(operands)}])"
        case.numpy_expr = ""
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case


@pytest.mark.parametrize("chunk", range(2))
def test_agreement_on_random_einsums(chunk: int) -> None:
    run_cases(draw_einsum, CASES // 8, chunk=chunk)


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("a @ b", {"a": "2,3", "b": "3,4"}, "result[i, j] = sum over k of a[i, k] * b[k, j]"),
        ("a @ b", {"a": "3,", "b": "3,"}, "result = sum over i of a[i] * b[i]"),
        ("a @ b", {"a": "5,1,2,3", "b": "7,3,4"}, "result[i, j, k, l] = sum over m of a[i, 0, k, m] * b[j, m, l]"),
        ("a.mv(b)", {"a": "2,3", "b": "3,"}, "result[i] = sum over j of a[i, j] * b[j]"),
        ("a.bmm(b)", {"a": "5,2,3", "b": "5,3,4"}, "result[i, j, k] = sum over l of a[i, j, l] * b[i, l, k]"),
        ("a[:, 1:] @ b", {"a": "2,4", "b": "3,4"}, "result[i, j] = sum over k of a[i, 1 + k] * b[k, j]"),
        ("torch.einsum('ij,jk->ik', x, y)", {"x": "2,3", "y": "3,4"}, "result[i, k] = sum over j of x[i, j] * y[j, k]"),
        ("torch.einsum('ii', x)", {"x": "3,3"}, "result = sum over i of x[i, i]"),
        ("torch.einsum('ii->i', x)", {"x": "3,3"}, "result[i] = x[i, i]"),
        ("torch.einsum('ba', x)", {"x": "2,3"}, "result[a, b] = x[b, a]"),
        ("torch.einsum('i,j', x, y)", {"x": "2,", "y": "3,"}, "result[i, j] = x[i] * y[j]"),
        ("torch.einsum('q,k', q, k)", {"q": "2,", "k": "3,"}, "result[i, j] = q[j] * k[i]"),
        ("torch.einsum('...i,i', x, y)", {"x": "2,3", "y": "3,"}, "result[j] = sum over i of x[j, i] * y[i]"),
        ("torch.einsum('...i->...', x)", {"x": "2,4,3"}, "result[j, k] = sum over i of x[j, k, i]"),
        ("torch.einsum(x, [0, 1], y, [1, 0])", {"x": "2,3", "y": "3,2"}, "result = sum over i, j of x[i, j] * y[j, i]"),
        ("torch.einsum('ij,ij->j', x, y)", {"x": "2,3", "y": "1,3"}, "result[j] = sum over i of x[i, j] * y[0, j]"),
        ("torch.einsum(',i', x, y)", {"x": "()", "y": "3,"}, "result[i] = x * y[i]"),
    ],
)  # fmt: skip
def test_formulas(expr: str, specs: dict[str, str], formula: str) -> None:
    holds(expr, specs, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("x @ y", {"x": "B,T,C", "y": "C,D"}, ("B", "T", "D"), ()),
        ("x @ y", {"x": "N,K", "y": "M,D"}, ("N", "D"), ("K == M",)),
        ("x @ y", {"x": "N,3", "y": "M,D"}, ("N", "D"), ("M == 3",)),
        ("x @ y", {"x": "B,2,3", "y": "A,3,4"}, ("A", 2, 4), ("B == A (or 1)",)),
        ("torch.einsum('ij,jk', x, y)", {"x": "N,K", "y": "M,D"}, ("N", "D"), ("M == K (or 1)",)),
        ("torch.einsum('ii->i', x)", {"x": "N,M"}, ("N",), ("N == M",)),
        ("x.dot(y)", {"x": "N,", "y": "M,"}, (), ("N == M",)),
    ],
)
def test_unknown_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    for lead in ("torch", "numpy"):
        explanation = explain(expr, specs, lead=lead)
        assert (explanation.answer.shape, explanation.needs) == (shape, needs)


def test_batches_of_unknown_number() -> None:
    explanation = explain("x.bmm(y)", {"x": "B,2,3", "y": "5,3,4"})
    assert (explanation.torch.shape, explanation.needs) == ((5, 2, 4), ("B == 5",))
    explanation = explain("x.bmm(y)", {"x": "B,2,3", "y": "B,3,4"})
    assert (explanation.torch.shape, explanation.needs) == (("B", 2, 4), ())


def test_np_dot_pairs_no_batches() -> None:
    explanation = explain("x.dot(y)", {"x": "5,2,3", "y": "5,3,4"}, lead="numpy")
    assert explanation.answer.shape == (5, 2, 5, 4)
    assert explain("x.dot(2)", {"x": "2,3"}, lead="numpy").answer.dtype == "float64"
    refused(
        "x.sum().dot(x)", {"x": "2,"}, "AttributeError", "'numpy.float32' object has no attribute 'dot'", "x.sum()",
        lead="numpy",
    )  # fmt: skip
    refused(
        "x.dot(None)", {"x": "2,"}, "TypeError", "unsupported operand type(s) for *: 'float' and 'NoneType'", "None",
        lead="numpy",
    )  # fmt: skip
    refused(
        "x.sum() @ x.sum()", {"x": "2,"}, "TypeError",
        "unsupported operand type(s) for @: 'numpy.float32' and 'numpy.float32'", "x.sum() @ x.sum()", lead="numpy",
    )  # fmt: skip
    refused(
        "x.matmul()", {"x": "2,"}, "TypeError", "matmul() takes from 2 to 3 positional arguments but 1 were given",
        "x.matmul()", lead="numpy",
    )  # fmt: skip
    with pytest.raises(SegcliError, match="array of objects"):
        explain("torch.einsum(',i', None, x)", {"x": "2,"}, lead="numpy")


@pytest.mark.parametrize(
    ("arguments", "kind", "lead"),
    [
        ("", "ValueError", "torch"),
        ("'i'", "ValueError", "torch"),
        ("'i', []", "ValueError", "torch"),
        ("'i', 1", "TypeError", "torch"),
        ("['i'], x", "TypeError", "torch"),
        ("['i'], x", "TypeError", "numpy"),
        ("'i', x, out=None", "TypeError", "torch"),
        ("x, [60]", "ValueError", "torch"),
        ("x, [60]", "ValueError", "numpy"),
        ("x, 0", "TypeError", "torch"),
        ("x, 0", "TypeError", "numpy"),
        ("x, x", "RuntimeError", "torch"),
        ("x, ['a']", "TypeError", "torch"),
    ],
)
def test_arguments_of_einsum(arguments: str, kind: str, lead: str) -> None:
    error = explain(f"torch.einsum({arguments})", {"x": "2,"} if "x" in arguments else {}, lead=lead).answer.error
    assert error is not None
    assert error.type == kind


def test_lists_of_numbers_may_hold_an_ellipsis() -> None:
    assert explain("torch.einsum(x, [..., 0], [0, ...])", {"x": "2,3"}).torch.shape == (3, 2)


def test_errors_point_at_the_factor() -> None:
    words = "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"
    refused("x @ y", {"x": "2,3", "y": "2,3"}, "RuntimeError", words, "y")
    with pytest.raises(SegcliError, match="out= is not supported"):
        explain("torch.mm(x, x, out=x)", {"x": "2,2"})
    error = explain("torch.mm([x], x)", {"x": "2,2"}).torch.error
    assert error is not None
    assert error.type == "TypeError"


def test_einsum_takes_what_unbind_gives() -> None:
    assert explain("torch.einsum('i,i', x.unbind())", {"x": "2,3"}).torch.shape == ()
    assert explain("torch.einsum('i,i', x.unbind())", {"x": "N,3"}).torch.error is not None
