import subprocess
import sys

import pytest
import torch

import segcli.shapes
from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.oracle import ask_numpy, ask_torch


@pytest.mark.parametrize(
    ("expr", "specs", "rule"),
    [
        ("y[[[0, 1], [1, 0]]]", {"y": "2,3,4"}, "takes a list of lists or tensors for a tuple"),
        ("y[u]", {"y": "2,3,4", "u": "uint8:2"}, "PyTorch takes uint8 for a mask"),
        ("y[..., 0, ...]", {"y": "2,3,4"}, "lets a second `...` pass"),
        ("y[[(True, False, True), (True, False, True)], ..., [9]]", {"y": "2,3,4"}, "a mask that is written as a list"),
        ("y[::-1]", {"y": "2,3,4"}, "PyTorch has no negative steps"),
        ("y[i]", {"y": "2,3,4", "i": "int8:2"}, "int64, int32, uint8 and bool as indices"),
        ("y[0, :, i]", {"y": "2,3,4", "i": "2,"}, "selects with an integer first"),
        ("w[:, i, ..., i]", {"w": "2,3,5", "i": "4,"}, "an ellipsis that stands for no axis"),
        ("y.max(1)", {"y": "2,3,4"}, "return values and indices"),
        ("y.max(1).values", {"y": "2,3,4"}, "return values and indices"),
        ("y.sum(())", {"y": "2,3,4"}, "an empty tuple of dimensions reduces everything in PyTorch"),
        ("m.argmax()", {"m": "bool:4"}, "no argmax and argmin of bool"),
        ("i.mean()", {"i": "int64:4"}, "no mean of integers"),
        ("y[[0, 1.5]]", {"y": "2,3,4"}, "truncates floats"),
        ("y.median(1)", {"y": "2,3,4"}, "PyTorch returns values and indices, NumPy the values alone"),
        ("y.sort(1)", {"y": "2,3,4"}, "PyTorch returns values and indices, NumPy the values alone"),
        ("y.sort(1, True)", {"y": "2,3,4"}, "NumPy sorts upwards only: sort, then flip the axis"),
        ("y.topk(2)", {"y": "2,3,4"}, "NumPy has no topk: write np.sort(x, axis), or np.partition"),
        ("y.kthvalue(9)", {"y": "2,3,4"}, "NumPy has no kthvalue: write np.partition"),
        ("torch.softmax(y, 1)", {"y": "2,3,4"}, "NumPy has no softmax: write scipy.special.softmax"),
        ("y[0, 0, 0].logsumexp(0)", {"y": "2,3,4"}, "NumPy has no logsumexp: write scipy.special.logsumexp"),
        ("y.norm(dim=1)", {"y": "2,3,4"}, "NumPy has no norm: write np.linalg.vector_norm(x, ord=p, axis=axis)"),
        ("i.std()", {"i": "int64:4"}, "PyTorch takes no std and var of integers"),
        ("y.cumsum()", {"y": "2,3,4"}, "NumPy goes along the flattened array; PyTorch needs a dim"),
        ("y.std(1)", {"y": "2,3,4"}, "std and var divide by n - 1 in PyTorch, by n in NumPy"),
        ("y.sum([0, 1])", {"y": "2,3,4"}, "several axes are a tuple in NumPy, and a list or a tuple in PyTorch"),
        ("y.split(2)", {"y": "5,3"}, "the number in split is the size of a piece in PyTorch"),
        ("torch.where(y, 1, 0)", {"y": "2,3"}, "PyTorch's where wants a bool condition"),
        ("y.nonzero(as_tuple=True)", {"y": "2,3"}, "NumPy's nonzero takes no as_tuple"),
        ("torch.where(y)", {"y": "bool:()#1"}, "NumPy raises ValueError where PyTorch does not"),
        ("y.sum(keepdim=True)", {"y": "2,3,4"}, "PyTorch raises TypeError where NumPy does not"),
        ("u.sum()", {"u": "uint8:4"}, "PyTorch gives int64, NumPy uint64"),
        ("h[0]", {"h": "bfloat16:4"}, "NumPy has no bfloat16: make an array of x.float()"),
        ("y.view(-1)", {"y": "2,3,4"}, "NumPy's view takes a dtype and no shape"),
        ("y.view(6, -1)", {"y": "2,3,4"}, "NumPy's view takes a dtype and no shape"),
        ("y.to('cuda')", {"y": "2,3"}, "x.astype(...), which takes no device"),
        ("torch.zeros(2, 3)", {}, "NumPy takes the shape as one tuple"),
        ("y[i, 9]", {"y": "2,3", "i": "0,"}, ""),
        ("y.sum(9)", {"y": "2,3"}, ""),
        ("y[0]", {"y": "2,3"}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_rule_that_differs(expr: str, specs: dict[str, str], rule: str) -> None:
    differs = explain(expr, specs).differs
    assert rule in differs
    assert bool(differs) == bool(rule)


@pytest.mark.parametrize(
    ("expr", "specs", "rewrite"),
    [
        ("y[0, :, i]", {"y": "2,3,4", "i": "2,"}, "y[0][:, i]"),
        ("y[z, :, i]", {"y": "2,3,4", "i": "2,", "z": "tensor(1)"}, "y[z][:, i]"),
        ("y[k, :, i]", {"y": "2,3,4", "i": "2,", "k": "1"}, "y[k][:, i]"),
        ("x[:, 0, :, i]", {"x": "2,3,5,7", "i": "4,"}, "x[:, 0][:, :, i]"),
        ("x[0, ..., i]", {"x": "2,3,5,7", "i": "4,"}, "x[0][..., i]"),
        ("x[:, i, None, 0]", {"x": "2,3,5,7", "i": "4,"}, "x[:, :, 0][:, i, None]"),
        ("x[0, :, m]", {"x": "2,3,5,7", "m": "bool:5,7#35"}, "x[0][:, m]"),
        ("x[m, :, 0]", {"x": "2,3,5,7", "m": "bool:2,3#6"}, None),
        ("x[0, :, True]", {"x": "2,3,5,7"}, "x[0][:, True]"),
        ("x[0, :, b]", {"x": "2,3,5,7", "b": "True"}, "x[0][:, b]"),
        ("y[[[0, 1], [1, 0]]]", {"y": "2,3,4"}, "y[[0, 1], [1, 0]]"),
        ("y[[..., 0]]", {"y": "2,3,4"}, "y[..., 0]"),
        ("w[:, i, ..., i]", {"w": "2,3,5", "i": "4,"}, "w[:, i, i]"),
        ("y[:, 2]", {"y": "2,3,4"}, None),
        ("y[u]", {"y": "2,3,4", "u": "uint8:tensor([1, 0])"}, None),
        ("y.sum(())", {"y": "2,3,4"}, "y.sum()"),
        ("y[0]", {"y": "2,3,4"}, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rewrite_means_the_same_in_both(expr: str, specs: dict[str, str], rewrite: str | None) -> None:
    assert explain(expr, specs).rewrite == rewrite
    if rewrite is None:
        return
    shapes = {"x": (2, 3, 5, 7), "y": (2, 3, 4), "w": (2, 3, 5)}
    tensors = {
        name: torch.arange(3 * 840)[: torch.Size(shape).numel()].reshape(shape) for name, shape in shapes.items()
    }
    tensors |= {"i": torch.tensor([0, 1, 1, 0] if "4," in specs.get("i", "") else [1, 0]), "m": torch.ones(5, 7) > 0}
    tensors |= {"z": torch.tensor(1), "k": torch.tensor(1), "b": torch.tensor([True])[0]}
    names = {name: tensors[name] for name in specs}
    real = ask_torch(expr, names).value
    assert torch.equal(ask_torch(rewrite, names).value, real)
    assert torch.equal(torch.as_tensor(ask_numpy(rewrite, names).value), real)


@pytest.mark.parametrize(
    ("expr", "specs", "why"),
    [
        ("x[a]", {"x": "2,3", "a": "4,"}, "(4,) takes the place of axis 0, as a alone is advanced"),
        ("x[:, m]", {"x": "2,3,4", "m": "bool:3,4#5"}, "(5,) takes the place of axes 1 and 2, as m alone is advanced"),
        ("x[a, :, a]", {"x": "2,3,4", "a": "4,"}, "(4,) moved to the front because `:` stands between a and a"),
        (
            "x[a, None, :, a]",
            {"x": "2,3,4", "a": "4,"},
            "(4,) moved to the front because `None` and `:` stand between a and a",
        ),
        ("x[True]", {"x": "2,3"}, "(1,) stands at axis 0, as True alone is advanced"),
    ],
)
def test_why_the_advanced_axes_are_where_they_are(expr: str, specs: dict[str, str], why: str) -> None:
    assert explain(expr, specs).broadcasts[0].why == why


@pytest.mark.parametrize(
    ("expr", "specs", "token", "axis"),
    [
        ("x[0, 9]", {"x": "2,3"}, "9", 1),
        ("x[0, :, [7]]", {"x": "2,3,4"}, "[7]", 2),
        ("x[a, b]", {"x": "2,3", "a": "2,", "b": "3,"}, "a, b", None),
        ("x[0][m]", {"x": "2,3", "m": "bool:4"}, "m", 0),
        ("x.sum(dim=7)", {"x": "2,3"}, "7", 7),
        ("x[a].max(5)", {"x": "2,3", "a": "2,"}, "5", 5),
        ("x[a]", {"x": "0,3", "a": "2,"}, "a", 0),
        ("x.std(dim=7)", {"x": "2,3"}, "7", 7),
        ("x.cumsum(-5)", {"x": "2,3"}, "-5", -5),
    ],
)
def test_the_token_and_the_axis_at_fault(expr: str, specs: dict[str, str], token: str, axis: int | None) -> None:
    for lead in ("torch", "numpy"):
        error = explain(expr, specs, lead=lead).answer.error
        assert error is not None
        assert (error.token, error.axis) == (token, axis)
        assert expr[error.start : error.end] == token


@pytest.mark.parametrize(
    ("expr", "token", "axis"),
    [
        ("x.topk(5, 1)", "5", 1),
        ("x.kthvalue(k=0, dim=0)", "0", 0),
        ("x.softmax(dim=2)", "2", 2),
        ("x.norm(-1, (1, 0))", "x.norm(-1, (1, 0))", 1),
        ("x.sort(0, 1)", "0", None),
        ("x.topk(1.5)", "1.5", None),
        ("x.topk()", "x.topk()", None),
    ],
)
def test_the_argument_and_the_axis_at_fault_in_torch(expr: str, token: str, axis: int | None) -> None:
    error = explain(expr, {"x": "2,0" if "norm" in expr else "2,3"}).torch.error
    assert error is not None
    assert (error.token, error.axis) == (token, axis)


@pytest.mark.parametrize(
    ("expr", "notes"),
    [
        ("x.std(dim=1)", ["std() divides by n - 1 in PyTorch", "dim= is read as axis="]),
        ("x.var(dim=1, correction=0)", ["dim= is read as axis="]),
        ("x.var(False)", ["unbiased= is read as ddof="]),
        ("x.median()", ["the lower of the two in the middle in PyTorch"]),
        ("x.topk(1, dim=1)", ["take_along_dim is read as np.take_along_axis"]),
    ],
)
def test_notes_say_where_values_differ_and_how_numpy_is_asked(expr: str, notes: list[str]) -> None:
    found = explain(expr, {"x": "2,3"}).notes
    assert len(found) == len(notes)
    assert all(words in note for words, note in zip(notes, found, strict=True))


def test_a_mask_of_the_wrong_shape_names_the_axis_of_the_source() -> None:
    explanation = explain("x[0, m]", {"x": "2,3,4", "m": "bool:3,5"})
    assert explanation.torch.error is not None
    assert explanation.torch.error.axis == 2
    assert "PyTorch's message says 1, but it is axis 2 that is at fault" in explanation.notes


def test_deprecations_are_noted() -> None:
    assert any("x[tuple(index)]" in note for note in explain("y[[[0, 1]]]", {"y": "2,3"}).notes)
    assert any("m.bool()" in note for note in explain("y[u]", {"y": "2,3", "u": "uint8:2"}).notes)


def test_a_number_where_a_shape_may_be_meant_is_noted() -> None:
    explanation = explain("y[i]", {"y": "2,3", "i": "1"})
    assert explanation.notes == ("i=1 is the number 1; a tensor of that size is i=1,",)


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(SegcliError, match="unknown library 'jax', expected torch or numpy"):
        explain("x", {"x": "3,"}, lead="jax")


def test_the_public_names_are_lazy() -> None:
    assert segcli.shapes.Explanation is type(explain("x", {"x": "3,"}))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = segcli.shapes.nothing


def test_neither_library_is_imported() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['numpy'] = None\n"
        "from segcli.shapes import explain\n"
        "print(explain('src[a, b, :].max(dim=0)', {'src': '8,16,3', 'a': '4,5', 'b': '4,5'}).torch.shape)\n"
        "print(explain('y[::-1, [[0, 1.5]]]', {'y': '2,3,4'}).numpy.error.type)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(5, 3)\nIndexError\n"


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning", "ignore:.*non-tuple.*:UserWarning")
def test_a_mask_that_reaches_past_the_last_axis_raises_as_torch_does() -> None:
    """A mask written as lists counts for one axis and takes two, so the next one has too few left."""
    x, m = torch.zeros(2, 3, 4), torch.ones(4, 5, dtype=torch.bool)
    with pytest.raises(IndexError, match=r"too many indices|out of range") as raised:
        x[[[True, False, True], [False, False, True]], m]
    error = explain("x[[[True, False, True], [False, False, True]], m]", {"x": "2,3,4", "m": "bool:4,5"}).torch.error
    assert error is not None
    assert (error.type, error.token) == ("IndexError", "m")
    assert error.message == str(raised.value).splitlines()[0]


def test_what_segcli_does_not_know_of_numpy_is_said() -> None:
    told = explain("x.std(0, correction=[1])", {"x": "2,3"})
    assert (told.torch.error and told.torch.error.type) == "TypeError"
    assert told.numpy.error is not None
    assert told.numpy.error.type == "unknown"
    assert told.numpy.error.message == "std(): a list of corrections is not supported"
    assert (told.same, told.differs) == (False, "")


@pytest.mark.parametrize(
    ("expr", "specs", "lead", "words"),
    [
        ("x.sum(0)(1)", {"x": "2,3"}, "torch", "'Tensor' object is not callable"),
        ("x.cumsum(0, dtype=torch.bool)", {"x": "2,3"}, "torch", "\"cumsum_out_cpu\" not implemented for 'Bool'"),
        ("x.sum(dtype=1)", {"x": "2,3"}, "numpy", "Cannot interpret '1' as a data type"),
        ("x.sum(dtype=torch.bfloat16)", {"x": "2,3"}, "numpy", "Cannot interpret 'torch.bfloat16' as a data type"),
        ("x.max(0).abs()", {"x": "2,3"}, "torch", "'torch.return_types.max' object has no attribute 'abs'"),
    ],
)
def test_errors_by_hand(expr: str, specs: dict[str, str], lead: str, words: str) -> None:
    error = explain(expr, specs, lead=lead).answer.error
    assert error is not None
    assert error.message == words


def test_dims_in_a_tuple_may_be_tensors() -> None:
    assert explain("x.sum((0, i))", {"x": "2,3,4", "i": "tensor(1)"}).torch.shape == (4,)
    with pytest.raises(SegcliError, match="the value of i is not known"):
        explain("x.sum((0, i))", {"x": "2,3,4", "i": "int64:()"})
    with pytest.raises(SegcliError, match="the value of N is not known"):
        explain("x.sum(N)", {"x": "N,3,4"})


def test_steps_need_numbers() -> None:
    with pytest.raises(SegcliError, match=r"the value of N is not known, and the size of a slice needs it"):
        explain("x[:, ::N]", {"x": "N,3"})


def test_quoted_braces_have_no_formula() -> None:
    assert explain("x == '{}'", {"x": "3,"}, lead="numpy").formula is None


def test_what_is_no_tensor_has_a_value_and_a_type() -> None:
    told = explain("x.shape", {"x": "N,3"})
    assert (told.torch.shape, told.torch.value, told.torch.type) == (None, ("N", 3), "torch.Size")
    assert (told.numpy.value, told.numpy.type, told.same) == (("N", 3), "tuple", True)
    assert explain("x.size(0)", {"x": "N,3"}).torch.value == "N"
    assert explain("x.dtype", {"x": "N,3"}).torch.value == "float32"
    assert explain("x.item()", {"x": "()"}).torch.type == "float"


@pytest.mark.parametrize("number", ["float('-inf')", "-torch.inf", "torch.nan", "float(2)"])
def test_numbers_have_names(number: str) -> None:
    told = explain(f"x.masked_fill(m, {number})", {"x": "2,3", "m": "bool:2,3"})
    assert (told.torch.shape, told.torch.error) == ((2, 3), None)


@pytest.mark.parametrize(
    ("expr", "hint"),
    [
        ("np.topk(x)", "write torch.topk: NumPy's answer stands beside PyTorch's"),
        ("np.foo(x)", "write x.f() or torch.f(x): NumPy's answer stands beside PyTorch's"),
        ("np.allclose(x, x)", "write ((x - y).abs() < 1e-5).all()"),
        ("np.fft.fft(x)", "segcli shapes --help lists what is supported"),
        ("np .sum(x)", "write torch.sum: NumPy's answer stands beside PyTorch's"),
        (
            "torchvision.ops.nms(x)",
            "write what it does to the tensor: F.interpolate(x, size=(64, 64)), x[..., :64, :64] or x.flip(-1)",
        ),
        ("x.to(device)", "write x.to('cuda'): shapes are the same on every device"),
        ("x.pin_memory()", "leave it out, or write x.to('cuda'): shapes are the same on every device"),
        ("x.cpu().numpy()", "leave it out: NumPy's answer stands beside PyTorch's"),
        ("x.squeeze_(0)", "write x.squeeze(...), for the shape is the same"),
        ("x.shape()", "write x.shape, without brackets"),
        ("x.size", "call it: x.size(...)"),
        ("F.pad", "call it: F.pad(...)"),
        ("nn.conv2d(x)", "the nearest: F.conv2d, F.conv3d, F.conv1d, nn.Conv2d"),
        ("x.qqq()", "segcli shapes --help lists what is supported"),
        ("range(3)", "write torch.arange(3)"),
        ("cumsum(x)", "write x.cumsum(...)"),
        ("model(x)", "write x.sum(...), torch.sum(x, ...), F.pad(x, ...) or nn.Conv2d(...)(x)"),
        ("torch.kl_div(x, x)", "write (y * (y.log() - x)).mean()"),
        ("torch.quantile(x, 0.5)", "write x.median(dim=1), or x.kthvalue(k, dim=1): the shape is the same"),
        ("nn.SyncBatchNorm(3)(x)", "write nn.BatchNorm2d(64)(x): the shape is the same, and it runs on a CPU"),
        ("x @= x", "write x @ y: PyTorch has no @= that changes x, and makes a new tensor"),
        ("[x for y in x]", "comprehensions are not read: write the items, as in torch.stack([x[0], x[1]])"),
        ("x, x", "one expression at a time"),
    ],
)
def test_the_way_out_is_named(expr: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=r"is not|unexpected") as caught:
        explain(expr, {"x": "2,3"} if "x" in expr.replace(".expand", "") else {})
    assert caught.value.hint == hint


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(SegcliError, match=r"x is tuple \(2, 3\), expected text"):
        explain("x[0]", {"x": (2, 3)})  # type: ignore[dict-item]
    with pytest.raises(SegcliError, match="the expression is int 1, expected text"):
        explain(1, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expr", "shape", "view", "needs"),
    [
        ("x.unflatten(1, (8, -1)).transpose(1, 2).flatten(1, 2)", ("N", "C", "H", "W"), None, ("C % 8 == 0",)),
        ("x.view(N, 4, C // 4, H, W).transpose(1, 2).reshape(N, C, H, W)", ("N", "C", "H", "W"), None, ("C % 4 == 0",)),
        ("x.flatten(1)", ("N", "C*H*W"), True, ()),
    ],
)
def test_whether_a_reshape_copies_may_hang_on_sizes(
    expr: str,
    shape: tuple[str, ...],
    view: bool | None,  # noqa: FBT001 - a column of the table
    needs: tuple[str, ...],
) -> None:
    told = explain(expr, {"x": "N,C,H,W"})
    assert (told.torch.shape, told.torch.view, told.needs) == (shape, view, needs)


def test_quoted_text_is_no_ellipsis() -> None:
    told = explain("x[1:, 'a']", {"x": "2,3,4"})
    assert told.torch.error is not None
    assert (told.torch.error.type, told.torch.error.message) == ("TypeError", "new(): invalid data type 'str'")
    assert (told.numpy.error and told.numpy.error.type) == "IndexError"
    error = explain("x[torch.float32]", {"x": "2,3,4"}).torch.error
    assert error is not None
    assert error.message.endswith("(got torch.dtype)")


def test_tuples_of_positions_are_told_apart() -> None:
    formula = explain("x[torch.where(m)]", {"x": "3,4,5", "m": "bool:3,4"}).formula
    assert formula == "result[i, j] = x[torch.where(m)[0][i], torch.where(m)[1][i], j]"
    assert explain("1 - p.std((0, 1))", {"p": "2,3,4"}).formula == "result[i] = 1 - p.std((0, 1))[i]"


def test_norms_have_names() -> None:
    assert explain("x.norm(p='fro', dim=(0, 1))", {"x": "3,4,5"}).torch.shape == (5,)
    with pytest.raises(SegcliError, match="the nuclear norm is not supported"):
        explain("x.norm('nuc', (0, 1))", {"x": "3,4,5"})
