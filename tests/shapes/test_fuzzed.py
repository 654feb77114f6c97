"""Cases that long random runs found, and their kin: pinned beside real PyTorch and NumPy."""

import ast

import pytest
import torch

from segcli.shapes import explain
from segcli.shapes.operations import names_in
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.formula_agreement import compare_formula
from tests.shapes.oracle import ask_torch

ATTENTION = "F.scaled_dot_product_attention(q, k, w"
HEADS = {"q": "2,1,4,4", "k": "2,1,4,4", "w": "2,1,4,3"}


def made(spec: str) -> torch.Tensor:
    """Make a tensor of 0, 1, 2 ... of a spec such as ``int32:2,3``; of ``tensor([1])``, that."""
    dtype, _, sizes = spec.rpartition(":")
    if sizes.startswith("tensor("):
        return torch.tensor(ast.literal_eval(sizes[7:-1]), dtype=getattr(torch, dtype or "int64"))
    shape = [int(size) for size in sizes.strip("()").split(",") if size]
    return torch.arange(torch.Size(shape).numel()).reshape(shape).to(getattr(torch, dtype or "float32"))


def case_of(expr: str, specs: dict[str, str], numpy_expr: str = "") -> Case:
    tensors = {name: made(spec) for name, spec in specs.items()}
    return Case(expr, numpy_expr, specs, tensors)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool", "float32", "complex64"])
@pytest.mark.parametrize(
    ("rest", "specs"),
    [
        (", dropout_p=2.0)", HEADS),
        (")", HEADS),
        (", dropout_p=0.5)", HEADS),
        (", dropout_p=2.0)", HEADS | {"k": "2,1,4,5"}),
        (", m, dropout_p=2.0)", HEADS | {"m": "float32:4,5"}),
        (", is_causal=True, dropout_p=2.0)", HEADS),
        (", is_causal=False, dropout_p=2.0, scale=0.5)", {"q": "1,1,3,1", "k": "1,1,1,1", "w": "1,1,1,3"}),
        (", dropout_p=2.0)", HEADS | {"w": "2,1,3,4"}),
    ],
    ids=str,
)
def test_attention_tells_of_dropout_before_of_whole_numbers(dtype: str, rest: str, specs: dict[str, str]) -> None:
    typed = {name: spec if ":" in spec else f"{dtype}:{spec}" for name, spec in specs.items()}
    check(case_of(f"{ATTENTION}{rest}", typed))


@pytest.mark.parametrize("name", [name for name in names_in("nn") if name not in ("Sequential", "Identity")])
def test_every_layer_is_named_as_python_names_what_makes_it(name: str) -> None:
    check(case_of(f"nn.{name}(foo=1)(x)", {"x": "1,4,4"}))


@pytest.mark.parametrize("given", ["reduction='mean', foo=1", "foo=1, reduce=()", "1, 2, 3, 4, 5"])
@pytest.mark.parametrize("name", ["L1Loss", "MSELoss", "SmoothL1Loss"])
def test_losses_without_an_init_of_their_own(name: str, given: str) -> None:
    check(case_of(f"nn.{name}({given})(x, y)", {"x": "3,4", "y": "3,4"}))


@pytest.mark.parametrize("one", ["uint8:2", "int8:()", "float32:()", "float64:2", "bool:2", "int64:()"])
@pytest.mark.parametrize("other", ["uint8:()", "int8:2", "float64:()", "float16:2", "int16:2", "bool:()"])
def test_similarity_takes_the_dtype_of_what_has_axes(one: str, other: str) -> None:
    check(case_of("torch.cosine_similarity(x, y, 0)", {"x": one, "y": other}))


@pytest.mark.parametrize(
    "given",
    [
        "[[2], []], dtype=torch.int32, requires_grad=True",
        "[[2], [3]], dtype=torch.int32, requires_grad=True",
        "[[2], 3], requires_grad=True",
        "[], requires_grad=True, dtype=torch.int32",
        "[300], requires_grad=True, dtype=torch.uint8",
        "[[2], []], requires_grad=True",
    ],
)
def test_rows_come_before_gradients(given: str) -> None:
    check(case_of(f"torch.tensor({given})", {}))


@pytest.mark.parametrize(
    ("expr", "spec"),
    [
        ("x[::2][None, 0] = x[:-1]", "uint8:2,3,4"),
        ("x[None][0, None] = x[None, :]", "2,3"),
        ("x[None, ::2][0] = x[:1]", "2,3"),
        ("x[True] = x", "1,1,2"),
        ("x[True] = x.T[None]", "()"),
        ("x[0, None].expand(2, 1, 3)[:-1] = x", "bool:1,3"),
        ("x.expand(1, 1, 2, 3)[0] = x", "2,3"),
        ("x[[0]] = x", "0,3"),
        ("x[[0]] = x[:]", "0,3"),
        ("x[..., None].masked_fill_(x > 0, x)", "int32:()"),
        ("x.masked_fill_(x > 0, x[0, 0])", "2,3"),
        ("x.index_fill_(0, torch.tensor([0]), x[0, 1])", "2,3"),
        ("x.fill_(x[0, 1])", "2,3"),
        ("x.masked_fill_(x[0], True)", "bool:2,3"),
        ("x[None].flatten().masked_fill_(x, 1)", "bool:2,2"),
        ("x[0, None].masked_fill_(x[None], 300)", "bool:2,2"),
        ("x.add_(x[0, 0])", "2,3"),
        ("x.unsqueeze(0).copy_(x[None])", "2,3"),
        ("x[:-1].unsqueeze(0)[True, x > 0] = x[:1]", "bool:3,1"),
        ("x[:, None][None][x > 0, x > 0, ::2] = x[0]", "int64:4"),
    ],
)
def test_what_lies_where_it_is_written(expr: str, spec: str) -> None:
    check(case_of(expr, {"x": spec}))


@pytest.mark.parametrize("mask", ["()", "1,", "2,3", "4,", "4,2,3", "2,1"])
@pytest.mark.parametrize("own", ["()", "2,3", "1,3", "0,3"])
@pytest.mark.parametrize("value", ["300", "-1", "1e30"])
def test_filled_where_it_is_a_mask_fits_before_a_number_does(own: str, mask: str, value: str) -> None:
    check(case_of(f"x.masked_fill_(m, {value})", {"x": f"uint8:{own}", "m": f"bool:{mask}"}))


@pytest.mark.parametrize("value", ["1e999", "-1e999", "1e30", "-1e30", "torch.nan", "2", "1.5", "300"])
@pytest.mark.parametrize("mark", ["+", "-", "*", "/", "//", "%", "**"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "bool"])
def test_numpy_stores_what_it_computed_with_a_scalar(dtype: str, mark: str, value: str) -> None:
    expr = f"x[0][2] {mark}= {value}"
    check(case_of(expr, {"x": f"{dtype}:2,3"}, expr.replace("torch", "np")), words=False)


@pytest.mark.parametrize(
    ("value", "kind"), [("**= 1e30", "unknown"), ("*= 1e30", "unknown"), ("+= 1e30", "OverflowError")]
)
def test_numpy_is_not_answered_for_where_it_hangs_on_values(value: str, kind: str) -> None:
    error = explain(f"x[0][2] {value}", {"x": "int32:2,3"}).numpy.error
    assert error is not None
    assert error.type == kind


@pytest.mark.parametrize(
    "given",
    [
        "1",
        "decimals=1",
        "1, decimals=1",
        "1, 1",
        "1, foo=2",
        "decimals=1, out=3",
        "None",
        "1.0",
        "1, None, None",
        "True",
    ],
)
@pytest.mark.parametrize("spec", ["complex64:()", "2,3", "int64:()", "bool:3"])
def test_round_is_a_function_of_python(given: str, spec: str) -> None:
    check(case_of(f"x.round({given})", {"x": spec}, f"np.round(x, {given})"), words=False, known=True)


@pytest.mark.parametrize(
    "expr",
    [
        "x.flatten(0, end_dim=1, start_dim=1)",
        "x.roll(1, dims=0, shifts=2)",
        "x.roll(1, shifts=2, foo=1)",
        "x.roll(1, foo=1, shifts=2)",
        "torch.gather(x, 0, x.long(), sparse_grad=False, dim=0)",
        "F.scaled_dot_product_attention(x, x, x, None, 0.5, is_causal=False, dropout_p=2.0)",
    ],
)
def test_of_two_keywords_the_one_that_was_given_twice_is_named(expr: str) -> None:
    check(case_of(expr, {"x": "2,3"}))


@pytest.mark.parametrize("alpha", ["3", "2.5", "True", "v", "x", "w"])
@pytest.mark.parametrize("own", ["float32", "float16", "complex64", "int64", "bool"])
@pytest.mark.parametrize("other", ["float32", "complex64", "complex128", "uint8", "bool"])
def test_what_multiplies_is_of_no_higher_kind(own: str, other: str, alpha: str) -> None:
    specs = {"x": f"{own}:()", "v": f"{other}:()", "w": "complex64:()"}
    exprs = [f"x.{name}{mark}(v, {alpha})" for name in ("add", "sub") for mark in ("", "_")]
    exprs += [f"torch.{name}(x, x, alpha={alpha})" for name in ("add", "sub", "subtract")]
    for expr in [*exprs, f"x.add(x, alpha={alpha})", f"x.add_(1, alpha={alpha})"]:
        check(case_of(expr, {name: spec for name, spec in specs.items() if name in expr.replace("alpha", "")}))


@pytest.mark.parametrize("padding", ["(1,)", "(True, 1)", "(1, 1, 1)", "()", "(1, 0, 1, 1)", "[0]", "(1, 0, 0)", "2"])
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "zeros"])
@pytest.mark.parametrize("shape", ["2,4,5", "1,2,4,5", "1,2,4,4,5", "2,4,4,5"])
def test_a_layer_pads_from_the_last_axis_on(shape: str, mode: str, padding: str) -> None:
    for axes, channels in ((1, 2), (2, 2), (2, 4), (3, 2)):
        expr = f"nn.Conv{axes}d({channels}, 2, 1, 1, {padding}, padding_mode='{mode}')(x)"
        check(case_of(expr, {"x": shape}))
        compare_formula(case_of(expr, {"x": shape}))


def test_a_layer_tells_of_the_axes_that_it_pads() -> None:
    layer = "nn.Conv3d(2, 4, [4, 3, 3], 1, (True, 1), bias=(), padding_mode='reflect', groups=2)(x)"
    steps = {step.kind: step.effect for step in explain(layer, {"x": "2,4,2,5"}).steps}
    assert steps["depth"] == "(4 + 2*0 - 1*(4 - 1) - 1) // 1 + 1 = 1"
    assert steps["height"] == "(2 + 2*1 - 1*(3 - 1) - 1) // 1 + 1 = 2, reflect padding"


@pytest.mark.parametrize(
    "layer", ["nn.Conv3d(2, 2, {}, padding='same')", "nn.Conv3d(2, 2, {})", "nn.Conv3d(2, 2, {}, 2)"]
)
@pytest.mark.parametrize("kernel", ["1", "2", "(1, 1, 2)"])
def test_windows_of_one_position_need_no_columns(kernel: str, layer: str) -> None:
    check(case_of(f"{layer.format(kernel)}(x)", {"x": "bool:2,4,4,4"}))


@pytest.mark.parametrize("stride", ["1", "0", "(0, 1)", "(1, 1, 1)"])
@pytest.mark.parametrize("padding", ["0", "-1", "(0, -1)"])
@pytest.mark.parametrize("dilation", ["1", "-1", "(0, 1)"])
def test_fold_looks_at_its_numbers_in_another_order_than_unfold(dilation: str, padding: str, stride: str) -> None:
    for kernel in ("3", "-1", "(2, 0)", "(1, 2, 3)"):
        numbers = f"{kernel}, {dilation}, {padding}, {stride}"
        check(case_of(f"F.fold(x, (4, 4), {numbers})", {"x": "2,18,4"}))
        check(case_of(f"F.unfold(x, {numbers})", {"x": "2,2,4,4"}))


@pytest.mark.parametrize("asked", ["torch.int32", "torch.float64", "torch.complex64", "None", "torch.bool"])
@pytest.mark.parametrize("dtype", ["complex64", "float32", "int64"])
@pytest.mark.parametrize("bounds", ["x, 1", "1, x", "x, x"])
def test_numbers_from_a_complex_one_are_complex(bounds: str, dtype: str, asked: str) -> None:
    for steps in ("2", "0", "-1"):
        check(case_of(f"torch.linspace({bounds}, {steps}, dtype={asked})", {"x": f"{dtype}:()"}))


@pytest.mark.parametrize("steps", ["2", "-1"])
@pytest.mark.parametrize("bounds", ["x, 1", "1, x", "x, x", "v, x", "x, v", "end=x, start=1"])
def test_what_is_wide_of_two_bounds_is_counted_beside_other_tensors(bounds: str, steps: str) -> None:
    specs = {name: spec for name, spec in {"x": "1,", "v": "complex64:()"}.items() if name in bounds}
    check(case_of(f"torch.linspace({bounds}, steps={steps}, dtype=torch.int32)", specs))


@pytest.mark.parametrize("rest", ["", ", 1", ", 1, 2", ", 1, 2, 3", ", 'a'", ", 1, foo=2", ", 1, size=2"])
@pytest.mark.parametrize("size", ["x", "2", "1.5", "None", "(2,)", "'a'"])
def test_full_counts_before_it_reads_sizes(size: str, rest: str) -> None:
    check(case_of(f"torch.full({size}{rest})", {"x": "2,"} if size == "x" else {}))


@pytest.mark.parametrize("upper", ["'a'", "...", "None", "1", "True", "slice(1)", "y"])
@pytest.mark.parametrize("lower", ["'a'", "...", "None", "0", "slice(1)", "y"])
@pytest.mark.parametrize("spec", ["int64:4", "float32:()", "complex64:2", "bool:2"])
def test_of_bounds_that_are_no_numbers_only_texts_are_arrays(spec: str, lower: str, upper: str) -> None:
    bounds = f"x, min={lower}, max={upper}"
    specs = {name: each for name, each in {"x": spec, "y": "int64:1"}.items() if name in bounds.replace("max", "")}
    if {"'a'", "...", "slice(1)"} & {lower, upper}:
        check(case_of(f"torch.clip({bounds})", specs, f"np.clip({bounds})"), known=True)


@pytest.mark.parametrize("value", ["'a'", "'1.5'", "''", "[1]", "(1, 2)", "()"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16", "complex64"])
def test_a_sequence_is_not_multiplied_by_a_scalar(dtype: str, value: str) -> None:
    for mark in "*+-/":
        if value != "'1.5'" or mark != "*":
            check(
                case_of(f"x[2] {mark}= {value}", {"x": f"{dtype}:3,"}, f"x[2] {mark}= {value}"), words=False, known=True
            )


@pytest.mark.parametrize("value", ["[]", "[1.5]", "(1, 2)", "2.5", "None", "'a'", "...", "[[1]]"])
@pytest.mark.parametrize("mark", ["//", "%", "@", "+"])
@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "complex64"])
def test_of_a_scalar_and_what_is_no_array_python_itself_speaks(dtype: str, mark: str, value: str) -> None:
    for scalar in ["x[0]", "x.sum()", *(["x", "x[:0]"] if mark == "@" else [])]:
        check(case_of(f"{scalar} {mark} {value}", {"x": f"{dtype}:3,"}, f"{scalar} {mark} {value}"))
        if value != "'a'" or mark != "%":
            check(case_of(f"{value} {mark} {scalar}", {"x": f"{dtype}:3,"}, f"{value} {mark} {scalar}"))


@pytest.mark.parametrize("expr", ["x * {}", "{} * x", "x[2] * {}", "{} * x[2]"])
@pytest.mark.parametrize("value", ["'a'", "'1'", "''"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
def test_of_a_text_numpy_makes_an_array_beside_an_array_of_no_axes(dtype: str, value: str, expr: str) -> None:
    spec = f"{dtype}:{'3,' if '[' in expr else '()'}"
    check(case_of(expr.format(value), {"x": spec}, expr.format(value)), known=True)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32"])
@pytest.mark.parametrize(
    ("x", "w"), [("0,", "0,"), ("2,", "2,"), ("2,0", "0,"), ("0,", "3,0"), ("2,2,0", "0,"), ("0,2", "2,")]
)
def test_empty_rows_have_a_dtype(x: str, w: str, dtype: str) -> None:
    check(case_of("F.linear(x, w)", {"x": f"{dtype}:{x}", "w": f"{dtype}:{w}"}))


@pytest.mark.parametrize("first", ["torch.median(x, 0)", "(x, x)", "3", "None"])
@pytest.mark.parametrize(
    "call",
    [
        *(
            f"torch.{name}({{}}{rest})"
            for name in ("sort", "argsort")
            for rest in (", 0, descending=0, stable=True", "")
        ),
        *(
            f"torch.{name}({{}}{rest})"
            for name in ("cumsum", "sum", "median", "max", "all")
            for rest in ("", ", dim=0")
        ),
        *("torch.softmax({}, 0)", "torch.softmax({}, 0, 1)", "torch.norm({})"),
        *("torch.sum(input={})", "torch.argsort(a={}, dim=0)", "torch.mean({}, 0, True, dtype=None)"),
    ],
)
def test_of_no_tensor_the_arguments_are_counted_first(call: str, first: str) -> None:
    check(case_of(call.format(first), {"x": "2,3"}))


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        (
            "F.linear(x, w, b)",
            {"x": "2,1,1", "w": "2,1", "b": "2,1"},
            "result[i, j, k] = b[i, 0] + sum over l of x[i, j, l] * w[k, l]",
        ),
        (
            "F.linear(x, w, b)",
            {"x": "3,2,1", "w": "3,1", "b": "6,1"},
            "result[i, j, k] = b[2*i + j, 0] + sum over l of x[i, j, l] * w[k, l]",
        ),
        (
            "F.linear(x, w, b)",
            {"x": "3,2,1", "w": "3,1", "b": "1,3"},
            "result[i, j, k] = b[0, k] + sum over l of x[i, j, l] * w[k, l]",
        ),
        ("x.log_softmax(dim=-1, dtype=torch.float32)", {"x": "bool:()"}, "result = 0 * x"),
        ("x.softmax(dim=-1, dtype=torch.float32)", {"x": "bool:()"}, "result = exp(x) / exp(x)"),
        (
            "x.scatter(-1, i, 1e999, reduce='add')",
            {"x": "complex64:2,3", "i": "tensor([[2], [1]])"},
            "result[j, i[j, k]] += 1e999",
        ),
        ("x.scatter(-1, i, 1e30, reduce='multiply')", {"x": "bool:2", "i": "tensor([1])"}, ""),
        ("x.scatter_add(0, i, y)", {"x": "bool:3", "i": "tensor([1, 1])", "y": "bool:2"}, ""),
        ("F.nll_loss(x, y, ignore_index=0)", {"x": "3,", "y": "int64:()"}, "result = nan if y == 0 else -x[y]"),
        (
            "F.nll_loss(x, y, ignore_index=0, reduction='sum')",
            {"x": "3,", "y": "int64:()"},
            "result = 0 if y == 0 else -x[y]",
        ),
        (
            "F.nll_loss(x, y, ignore_index=1, reduction='none')",
            {"x": "2,3", "y": "int64:2"},
            "result[i] = 0 if y[i] == 1 else -x[i, y[i]]",
        ),
        (
            "F.cross_entropy(x, y, ignore_index=0)",
            {"x": "3,", "y": "int64:()"},
            "result = nan if y == 0 else logsumexp over i of x[i] - x[y]",
        ),
        ("torch.var(x, (0, 1), correction=-1)", {"x": "0,3"}, "result = nan"),
        ("x.std(0, correction=-1)", {"x": "0,3"}, "result[j] = nan"),
        ("x.std(1)", {"x": "0,3"}, "result[i] = std with correction 1 over j of x[i, j]"),
        ("x.var(0, correction=2.5)", {"x": "complex64:2,2"}, ""),
        (
            "x[a, 1:-1, :].amax((0, -1)).prod(0)",
            {"x": "float16:2,3,4", "a": "uint8:tensor([2, 2])"},
            "result = product over i of x[a, 1:-1, :].amax((0, -1))[i]",
        ),
        ("torch.median(x)[..., ...]", {"x": "int32:2,0,3"}, "result = torch.median(x)"),
        ("F.nll_loss(x, y)", {"x": "3,", "y": "uint8:()"}, "result = -x[y]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formulas(expr: str, specs: dict[str, str], formula: str) -> None:
    case = case_of(expr, specs)
    found = explain(expr, specs)
    assert not formula or found.formula == formula
    assert compare_formula(case)
    assert ask_torch(expr, case.tensors).error is None
