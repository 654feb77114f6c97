import random

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.text.spec import parse_spec, split_specs
from segcli.shapes.values import Tensor


@pytest.mark.parametrize(
    ("spec", "shape", "dtype"),
    [
        ("8,16,3", (8, 16, 3), "float32"),
        ("8x16x3", (8, 16, 3), "float32"),
        ("(8, 16, 3)", (8, 16, 3), "float32"),
        ("()", (), "float32"),
        ("3,", (3,), "float32"),
        ("(3,)", (3,), "float32"),
        ("int64:4,5", (4, 5), "int64"),
        ("int64:3", (3,), "int64"),
        ("int64:()", (), "int64"),
        ("uint8:0,3", (0, 3), "uint8"),
        ("tensor(3)", (), "int64"),
        ("tensor([0, 2, 5])", (3,), "int64"),
        ("tensor([[0.5], [1]])", (2, 1), "float32"),
        ("tensor([True, False])", (2,), "bool"),
        ("tensor([[], []])", (2, 0), "float32"),
        ("uint8:tensor([0, 255])", (2,), "uint8"),
        ("bool:tensor([0, 2])", (2,), "bool"),
        ("float16:tensor([0, 2])", (2,), "float16"),
        ("int64:tensor([])", (0,), "int64"),
        ("N,19,H,W", ("N", 19, "H", "W"), "float32"),
        ("N,", ("N",), "float32"),
        ("(N)", ("N",), "float32"),
        ("int64:N", ("N",), "int64"),
        ("bool:(N, 3)", ("N", 3), "bool"),
        ("h:8,w:16", (8, 16), "float32"),
        ("(h: 8, w: N)", (8, "N"), "float32"),
        ("int64:h:8,w:16", (8, 16), "int64"),
        ("bool:h:8#3", (8,), "bool"),
        ("h:8", (8,), "float32"),
    ],
)
def test_tensors(spec: str, shape: tuple[int | str, ...], dtype: str) -> None:
    tensor = parse_spec("x", spec)
    assert isinstance(tensor, Tensor)
    assert (tensor.shape, tensor.dtype) == (shape, dtype)


@pytest.mark.parametrize(("spec", "count"), [("bool:8,16#37", 37), ("bool:8,16#0", 0), ("uint8:4#4", 4), ("bool:0", 0)])
def test_masks_of_known_count(spec: str, count: int) -> None:
    tensor = parse_spec("m", spec)
    assert isinstance(tensor, Tensor)
    assert tensor.nonzero == count


def test_hints_say_the_way_out() -> None:
    for spec, hint in (
        ("N", "one named size is written with a comma: x=N,"),
        ("h:8,16", "label every size, as h:8,w:16, or none"),
        ("flaot32:4", "did you mean float32"),
        ("float32,3", "a dtype stands before the sizes: float32:8,16"),
        ("min,3", "choose another size"),
    ):
        with pytest.raises(SegcliError, match="x=") as caught:
            parse_spec("x", spec)
        assert hint in caught.value.hint


def test_a_mask_whose_size_has_a_name_may_be_counted() -> None:
    tensor = parse_spec("m", "bool:N,4#3")
    assert isinstance(tensor, Tensor)
    assert (tensor.nonzero, tensor.values) == (3, None)


def test_a_mask_of_unknown_count_is_a_symbol() -> None:
    tensor = parse_spec("m", "bool:8,16")
    assert isinstance(tensor, Tensor)
    assert tensor.nonzero == "nonzero(m)"


@pytest.mark.parametrize(("spec", "value"), [("3", 3), ("-3", -3), ("True", True), ("False", False)])
def test_plain_literals(spec: str, value: int) -> None:
    assert parse_spec("i", spec) is value or parse_spec("i", spec) == value


def test_a_literal_list_acts_as_if_it_stood_in_the_expression() -> None:
    for spec, shape in (
        ("[0, 1]", (2, 3, 4)),
        ("[[0, 1], [1, 0]]", (2, 4)),
        ("[...]", (2, 3, 4)),
        ("[(0, 1)]", (2, 3, 4)),
    ):
        bound, written = explain("y[i]", {"y": "2,3,4", "i": spec}), explain(f"y[{spec}]", {"y": "2,3,4"})
        assert bound.torch.shape == written.torch.shape == shape
        assert bound.numpy.shape == written.numpy.shape


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "x= is neither a shape nor a literal"),
        ("N", "x=N is neither a shape nor a literal"),
        ("N,-3", "x=N,-3 is neither"),
        ("N,,3", "x=N,,3 is neither"),
        ("N x H", "x=N x H is neither"),
        ("Ñ,3", "x=Ñ,3 is neither"),
        ("N" * 33 + ",", "x=N{33}, is neither"),
        ("True,3", "has the size True, which means something else"),
        ("min,3", "has the size min, which means something else"),
        ("float32,3", "has the size float32, which means something else"),
        ("h:8,16", "names an unknown dtype 'h'"),
        ("h:8,16,c:3", "x=h:8,16,c:3 labels some of its sizes and not others"),
        ("int64:8,w:16", "x=int64:8,w:16 labels some of its sizes and not others"),
        ("int64:int64:8", "has the label int64, which means something else"),
        ("h:8,float32:16", "has the label float32, which means something else"),
        ("h 1:8", "has the label 'h 1', expected a name"),
        ("h:-8", "x=h:-8 is neither"),
        ("h:8,w:9223372036854775808", r"has the size 9223372036854775808, expected at most 2\^63 - 1"),
        ("int:3", "names an unknown dtype 'int'"),
        ("flaot32:4", "names an unknown dtype 'flaot32'"),
        ("double:4", "names an unknown dtype 'double'"),
        ("int:4,5", "names an unknown dtype 'int'"),
        ("bool:N,0#1", "has 0 elements, fewer than the 1"),
        ("float32:@x.npy", "gives a dtype to a file, which has its own"),
        ("1.5.2", "x=1.5.2 is neither"),
        ("-1,2", "x=-1,2 is neither"),
        ("8,,3", "x=8,,3 is neither"),
        ("(8,3", r"x=\(8,3 is neither"),
        ("x" * 100, "x=x{57}... is neither"),
        (
            "9223372036854775808,",
            r"^x=9223372036854775808, has the size 9223372036854775808, expected at most 2\^63 - 1",
        ),
        ("9223372036854775807,2", r"more than 2\^63 - 1 elements"),
        (",".join(["1"] * 65), "has 65 dimensions, expected at most 64"),
        ("int64:4#2", "counts the True elements of a int64 tensor, expected bool"),
        ("bool:4#5", "has 4 elements, fewer than the 5"),
        ("bool:4#", "has '' behind #, expected how many elements are True"),
        ("tensor", r"is not of the form tensor\(\[0, 2, 5\]\)"),
        ("tensor(1, 2)", r"is not of the form tensor"),
        ("tensor([[1], [1, 2]])", r"is ragged: rows of shapes \(1,\), \(2,\)"),
        ("tensor([None])", "holds something else than numbers"),
        ("tensor(...)", "holds something else than numbers"),
        ("tensor(y)", "is not a literal of numbers"),
        ("[y]", "is not a literal of numbers"),
        ("uint8:tensor([256])", "holds values that are not uint8, expected whole numbers from 0 to 255"),
        ("int64:tensor([0.5])", "holds values that are not int64"),
    ],
    ids=lambda value: value[:30],
)
def test_bad_specs_are_refused(spec: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        parse_spec("x", spec)


def test_a_name_that_is_only_an_index_is_int64() -> None:
    explanation = explain("x[a, b.argmax(0)]", {"x": "8,16,3", "a": "4,", "b": "3,4"})
    assert explanation.torch.shape == (4, 3)
    assert explain("a[a]", {"a": "4,"}).torch.error is not None


def test_names_and_specs_must_match() -> None:
    with pytest.raises(SegcliError, match=r"a is not bound\n  x\[a\]\n    \^"):
        explain("x[a]", {"x": "3,"})
    with pytest.raises(SegcliError, match="b is bound, but x has no such name") as caught:
        explain("x", {"x": "3,", "b": "3,"})
    assert caught.value.hint == "its names: x"
    with pytest.raises(SegcliError, match="x is bound, but the expression has no such name") as caught:
        explain("torch.sum(" + "y" * 50 + ")", {"y" * 50: "2,", "x": "3,"})
    with pytest.raises(SegcliError, match="torch is not bound"):
        explain("torch", {})
    with pytest.raises(SegcliError, match="slice is not bound"):
        explain("x[slice]", {"x": "3,"})


def test_torch_and_slice_may_be_names_of_tensors() -> None:
    assert explain("torch[slice].sum(0)", {"torch": "3,4", "slice": "2,"}).torch.shape == (4,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x"], "'x' is not of the form NAME=SPEC"),
        (["1x=3"], "'1x=3' is not of the form NAME=SPEC"),
        (["x=3,", "x=4,"], "x is bound twice: x=3, and x=4,"),
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        split_specs(arguments)


def test_random_text_is_a_value_or_an_error() -> None:
    rng = random.Random(17)
    parts = ["8", "N", "16", "h", ":", ",", "x", "#", "(", ")", "[", "]", "@", "int64", "bool", "tensor", "-", " ", "é"]
    read = 0
    for _ in range(20_000):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9)))
        try:
            parse_spec("x", text)
        except SegcliError:
            continue
        read += 1
    assert 500 < read < 15_000


@pytest.mark.parametrize("text", ["N," * 500_000, "h:8," * 4_000, "(" * 9_999, "8x" * 5_000, "h:" * 5_000, "@" * 9_999])
def test_long_text_is_refused(text: str) -> None:
    with pytest.raises(SegcliError, match="x=") as caught:
        parse_spec("x", text)
    assert len(caught.value.message) < 200


def test_a_number_with_a_point_or_an_exponent_is_a_float() -> None:
    for spec, value in (("0.7", 0.7), ("-0.3", -0.3), ("1e-6", 1e-6), (".5", 0.5), ("2.", 2.0), ("-1E3", -1000.0)):
        found = parse_spec("x", spec)
        assert isinstance(found, float)
        assert found == value


def test_what_nothing_has_a_name_for_is_told_with_its_reason() -> None:
    for expr, words, hint in (
        ("__import__('os').system('id')", "__import__ is not a function that is supported", "write x.sum"),
        ("torch.cat([])", r"x is bound, but torch.cat\(\[\]\) has no such name", "its names: none"),
        ("len([1])", r"x is bound, but len\(\[1\]\) has no such name", "its names: none"),
    ):
        with pytest.raises(SegcliError, match=words) as caught:
            explain(expr, {"x": "2,"})
        assert hint in caught.value.hint
