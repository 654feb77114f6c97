"""``F.layer_norm`` and ``F.group_norm``, with weights that are given; and ``outer``: beside real PyTorch and NumPy."""

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.sampling_cases import holds, refused
from tests.shapes.test_fuzzed import case_of


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        (
            "F.layer_norm(x, (8,), w, b)",
            {"x": "2,4,8", "w": "8,", "b": "8,"},
            "result[i, j, k] = (x[i, j, k] - mean[i, j]) / sqrt(var[i, j] + 1e-05) * w[k] + b[k]",
        ),
        (
            "F.layer_norm(x, x.shape[1:], w, eps=1e-3)",
            {"x": "2,3,4", "w": "3,4"},
            "result[i, j, k] = (x[i, j, k] - mean[i]) / sqrt(var[i] + 1e-3) * w[j, k]",
        ),
        (
            "F.layer_norm(x, [5], None, b)",
            {"x": "5,", "b": "5,"},
            "result[i] = (x[i] - mean) / sqrt(var + 1e-05) + b[i]",
        ),
        (
            "F.group_norm(x, 2, w, b)",
            {"x": "2,4,3", "w": "4,", "b": "4,"},
            "result[i, j, k] = (x[i, j, k] - mean[i, j // 2]) / sqrt(var[i, j // 2] + 1e-05) * w[j] + b[j]",
        ),
        (
            "F.group_norm(x, 1)",
            {"x": "2,4"},
            "result[i, j] = (x[i, j] - mean[i, j // 4]) / sqrt(var[i, j // 4] + 1e-05)",
        ),
        ("torch.outer(x, y)", {"x": "3,", "y": "4,"}, "result[i, j] = x[i] * y[j]"),
        ("x[1:].outer(y)", {"x": "int64:3", "y": "bool:4"}, "result[i, j] = x[1 + i] * y[j]"),
    ],
)
def test_formulas(expr: str, specs: dict[str, str], formula: str) -> None:
    holds(expr, specs, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "kind", "words", "token"),
    [
        (
            "F.layer_norm(x, 3)",
            {"x": "2,3"},
            "TypeError",
            "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of ints, not int",
            "3",
        ),
        (
            "F.layer_norm(x, [3], w)",
            {"x": "2,3", "w": "1,3"},
            "RuntimeError",
            (
                "Expected weight to be of same shape as normalized_shape, but got weight of shape [1, 3] and "
                "normalized_shape = [3]"
            ),
            "w",
        ),
        (
            "F.layer_norm(x, [3], w, b)",
            {"x": "float16:2,3", "w": "3,", "b": "float16:3"},
            "RuntimeError",
            "mixed dtype (CPU): expect parameter to have scalar type of Float",
            "x",
        ),
        (
            "F.layer_norm(x, [3], w, b)",
            {"x": "2,3", "w": "3,", "b": "float64:3"},
            "RuntimeError",
            "expected scalar type Float but found Double",
            "b",
        ),
        ("F.group_norm(x, 0)", {"x": "2,4"}, "ZeroDivisionError", "integer division or modulo by zero", "0"),
        (
            "F.group_norm(x, 'a')",
            {"x": "2,4"},
            "TypeError",
            "unsupported operand type(s) for //: 'int' and 'str'",
            "'a'",
        ),
        (
            "F.group_norm(x, 2)",
            {"x": "4,"},
            "RuntimeError",
            "Expected at least 2 dimensions for input tensor but received 1",
            "x",
        ),
        (
            "torch.outer(x, y)",
            {"x": "2,3", "y": "4,"},
            "RuntimeError",
            "outer: Expected 1-D argument self, but got 2-D",
            "x",
        ),
        ("x.outer(y)", {"x": "3,", "y": "()"}, "RuntimeError", "outer: Expected 1-D argument vec2, but got 0-D", "y"),
    ],
)
def test_errors(expr: str, specs: dict[str, str], kind: str, words: str, token: str) -> None:
    refused(expr, specs, kind, words, token)


def test_of_a_bias_pytorch_tells_the_shape_of_the_weight() -> None:
    check(case_of("F.group_norm(x, 2, w, b)", {"x": "2,4,3", "w": "4,", "b": "5,"}))
    check(case_of("F.group_norm(x, 2, bias=b)", {"x": "2,4,3", "b": "5,"}))


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("F.layer_norm(x, (8,), w)", {"x": "N,4,C", "w": "8,"}, ("C == 8",)),
        ("F.layer_norm(x, x.shape[1:], w)", {"x": "N,4,8", "w": "C,8"}, ("C == 4",)),
        ("F.group_norm(x, 2, w, b)", {"x": "N,C,8", "w": "C,", "b": "C,"}, ("C % 2 == 0",)),
        ("F.group_norm(x, 2, w)", {"x": "N,C,8", "w": "8,"}, ("C % 2 == 0", "C == 8")),
        ("nn.GroupNorm(2, 8)(x)", {"x": "N,C,8"}, ("C == 8",)),
        ("torch.outer(x, y)", {"x": "N,", "y": "M,"}, ()),
    ],
)
def test_sizes_that_are_not_known(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.error is None
    assert explanation.needs == needs


def test_a_number_of_groups_may_have_a_name() -> None:
    assert explain("F.group_norm(x, x.size(1), w)", {"x": "N,C,4", "w": "C,"}).torch.shape == ("N", "C", 4)
    with pytest.raises(SegcliError, match="n is a tensor, expected the number of groups"):
        explain("F.group_norm(x, n)", {"x": "2,4,3", "n": "int64:()"})


@pytest.mark.parametrize(
    ("x", "y"),
    [("2,3", "4,"), ("()", "4,"), ("0,", "3,"), ("int64:3", "bool:2"), ("float16:2", "uint8:3"), ("2,", "2,")],
)
def test_numpy_takes_any_array_for_a_vector(x: str, y: str) -> None:
    check(case_of("torch.outer(x, y)", {"x": x, "y": y}, "np.outer(x, y)"), known=True)


@pytest.mark.parametrize("given", ["x", "x, x, out=3", "x, x, 3, 4", "x, x, foo=1", "x, [1, 2]", "2, x"])
def test_numpys_own_words(given: str) -> None:
    check(case_of(f"torch.outer({given})", {"x": "3,"}, f"np.outer({given})"))


def test_led_by_numpy() -> None:
    explanation = explain("np.outer(x, y)", {"x": "2,3", "y": "4,"})
    assert explanation.numpy.shape == (6, 4)
    with pytest.raises(SegcliError, match="out= is not supported"):
        explain("torch.outer(x, x, out=x)", {"x": "3,"})
