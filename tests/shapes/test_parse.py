import contextlib
import random
import re

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.text.cursor import MAX_DEPTH
from segcli.shapes.text.parse import parse
from segcli.shapes.text.scan import MAX_CHARACTERS, pointed


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("", "the expression ends: expected a name, a number or a bracket"),
        ("x[", "the expression ends: expected a name"),
        ("x[0", r"the expression ends: expected '\]' to close '\['"),
        ("x[0)", r"unexpected '\)': expected '\]' to close '\['"),
        ("x[]", "unexpected ']': expected a name"),
        ("x y", "unexpected 'y': expected the end"),
        ("x, y", "unexpected ',': expected the end"),
        ("x.", "the expression ends: expected a name after '.'"),
        ("x.1", "unexpected '.1': expected the end"),
        ("x[[:, 0]]", "unexpected ':': expected a name"),
        ("x[[0:, 0]]", "unexpected ':': a slice stands alone only in a subscript"),
        ("x.sum(dim=0, dim=1)", "dim is given twice"),
        ("x.sum(dim=0, 1)", "a positional argument follows a keyword argument"),
        ("x.T += 1", r"unexpected '\+=': only what is indexed is assigned to"),
        ("x @= x", "unexpected '@=': expected the end"),
        ("x += x += x", r"unexpected '\+=': expected the end"),
        ("[x for y in x]", r"unexpected 'for': expected '\]' to close '\['"),
        ("torch.stack(x[i] for i in x)", r"unexpected 'for': expected '\)' to close '\('"),
        ("x if x else x", "unexpected 'if': expected the end"),
        ("x + ", "the expression ends: expected a name"),
        ("x = x", "unexpected '=': only what is indexed is assigned to"),
        ("x[0] = x[1] = x", "unexpected '=': expected the end"),
        ("x < x < x", "comparisons of tensors do not chain"),
        ("x and x", "unexpected 'and': expected the end"),
        ("not x", "unexpected 'not': expected a name"),
        ("x['a", 'unexpected "\'" in the expression'),
        ("x?", r"unexpected '\?' in the expression"),
        (" + ".join(["x"] * 66), "more than 64 operators"),
        ("nn.Conv2d(1, 2, 3)", "a layer alone has no shape"),
        ("nn.Conv2d(1, 2, 3).T", "a layer alone is no tensor"),
        ("torch.sum", "torch.sum is not a value"),
        ("(x[0] = x)", "unexpected '='"),
        ("x[007]", "'007' is not a number"),
        ("x[1_]", "'1_' is not a number"),
        ("x[9223372036854775808]", r"9223372036854775808 is larger than 2\^63 - 1"),
        ("lambda: 0", "unexpected 'lambda': expected a name"),
        ("x[" + "0," * 65 + "]", "more than 64 indices"),
        ("f(x)", "f is not a function that is supported"),
        ("x.foo(1)", "foo is not supported"),
        ("x.grad", "grad is not supported"),
        ("x.values", "values is not supported"),
        ("torch.sum()", r"torch.sum\(\) needs a tensor as its first argument"),
        ("torch.eigsum(x)", "eigsum is not supported"),
        ("x.sum(0, True, 1)", r"sum\(1\) is not supported, only dim, keepdim and dtype"),
        ("x.max(x, 1)", r"max\(x\) is not supported, only dim and keepdim"),
        ("x.cumsum(0, 1)", r"cumsum\(1\) is not supported, only dim and dtype, each once"),
        ("x.topk(1, largest=True, sort=1)", r"topk\(sort=1\) is not supported, only k, dim, largest and sorted"),
        ("x.norm(1, axis=0)", r"norm\(axis=0\) is not supported, only p, dim and keepdim"),
        ("torch.maxi(x, x)", "maxi is not supported"),
        ("x.sum(out=1)", r"sum\(out=1\) is not supported"),
        ("x.max(x, 1)", r"max\(x\) is not supported"),
        ("[0][0]", "expected a tensor here"),
        ("x[slice()]", r"slice\(\) takes one to three numbers"),
        ("x[slice(stop=1)]", r"slice\(\) takes one to three numbers"),
        ("x[::2147483648]", r"a step of 2147483648 is larger than 2\^31 - 1"),
        ("x[:x]", "a slice's bound must be a number"),
        ("x.max(1)[:]", r"max\(dim\) returns two tensors: pick one"),
    ],
    ids=lambda value: value[:30],
)
def test_what_cannot_be_read_is_refused(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "2,3"} if re.search(r"\bx\b", expr) else {})


def test_the_caret_points_to_the_fault() -> None:
    with pytest.raises(SegcliError, match="supported") as caught:
        explain("x[0].argmx(1)", {"x": "2,3"})
    assert caught.value.message == "argmx is not supported\n  x[0].argmx(1)\n       ^^^^^"
    assert caught.value.hint == "the nearest: x.argmax, x.argmin, x.amax"


def test_a_long_line_is_cut_around_the_fault() -> None:
    line, carets = pointed("a" * 500 + "!" + "b" * 500, (500, 501)).split("\n")
    assert line[carets.index("^")] == "!"
    assert line.startswith("  ...")
    assert line.endswith("...")
    assert len(line) < 110


def hostile() -> list[str]:
    deep = 10_000
    return [
        "x" * 1_000_000,
        "x[" * deep,
        "(" * deep + "x" + ")" * deep,
        "x" + "[0]" * deep,
        "-" * deep + "1",
        "x[" + "[" * 3_000 + "]" * 3_000 + "]",
        "x" + "[0]" * 3_000,
        "x" + ".sum(0)" * 1_000,
        "x " + "+= x " * 1_900,
        "x[" + "*" * 9_000 + "]",
        "x[(" + "*x, " * 2_000 + ")]",
        "nn.Sequential(" * 600 + ")" * 600 + "(x)",
        "nn.Sequential(" + "nn.ReLU(), " * 800 + ")(x)",
        "x[0] **= 9999999999 ** 9999999999",
        "(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1),
        "x[" + "9" * 9_000 + "]",
        "x[" + "9" * 900_000 + "]",
        "0" * 9_999,
        "x[" + "0," * 4_000 + "]",
        "__import__('os').system('true')",
        "x.__class__.__bases__",
        "().__class__",
        "x[0].__getitem__(0)",
        "exec(x)",
        "\x00\x1b[2J",
        "x[\ud800]",
        "x if x else x",
        "x[1 is 1]",
        "'\\d'",
        "1[0]",
        "1(0)",
        "()()",
    ]


@pytest.mark.parametrize("expr", hostile(), ids=lambda expr: f"{len(expr)} {expr[:20]!r}")
def test_hostile_input_is_refused(expr: str, recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(SegcliError, match=r"\w") as caught:
        explain(expr, {"x": "2,3"} if re.search(r"\bx\b", expr[:50]) else {})
    assert len(caught.value.message) < 1_000
    assert not recwarn.list


@pytest.mark.parametrize(
    "spec", ["9" * 1_000_000, "[" * 10_000, "1," * 4_000, "[" + "0," * 4_000 + "]", "int64:" + "9" * 5_000]
)
def test_hostile_specs_are_refused(spec: str) -> None:
    with pytest.raises(SegcliError, match="x") as caught:
        explain("x[0]", {"x": spec})
    assert len(caught.value.message) < 1_000


def test_random_text_never_ends_in_a_traceback() -> None:
    rng = random.Random(0)
    pieces = [
        "x",
        "a",
        "[",
        "]",
        "(",
        ")",
        ",",
        ":",
        "...",
        ".",
        "-",
        "=",
        "0",
        "1.5",
        "None",
        "True",
        "sum",
        "max",
        "torch",
        "slice",
        " ",
        "dim",
        "'",
        "\n",
        "\x00",
        "é",
        "\U0001f600",
        "#",
        "9" * 20,
        "1e9",
        "_",
        "values",
    ]
    for _ in range(20_000):
        expr = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 12)))
        specs = {name: rng.choice(["2,3", "bool:2", "[0, 1]", "3", "()"]) for name in ("x", "a") if name in expr}
        with contextlib.suppress(SegcliError):
            assert explain(expr, specs).expr == expr


def test_random_bytes_never_end_in_a_traceback() -> None:
    rng = random.Random(1)
    for _ in range(5_000):
        text = rng.randbytes(rng.randrange(1, 40)).decode("latin-1")
        for expr, specs in ((text, {"x": "2,3"}), ("x[0]", {"x": text})):
            with contextlib.suppress(SegcliError):
                assert explain(expr, specs).expr == expr


def test_the_longest_expression_is_read() -> None:
    expr = "x[" + ", ".join(["[" + ", ".join(["0"] * 1_600) + "]"] * 2) + "]"
    assert len(expr) < MAX_CHARACTERS
    assert explain(expr, {"x": "2,3"}).torch.shape == (1_600,)


def test_grouping_brackets_stay_in_the_text() -> None:
    assert parse("(x)[0]").span == (0, 6)
    assert explain("(x[1:])[a]", {"x": "9,", "a": "2,"}).formula == "result[i] = (x[1:])[a[i]]"
