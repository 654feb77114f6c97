import random
import re
from typing import Any

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.confirm import Confirmation, confirm, document
from segcli.shapes.machine import Walk
from segcli.shapes.operations import is_known
from segcli.shapes.text.parse import parse
from segcli.tensorrun import TensorRunner
from tests.conftest import Run
from tests.shapes.cases import random_case

# Without how it was built.
VERSION = torch.__version__.partition("+")[0]


def confirmed(expr: str, specs: dict[str, str], machine: TensorRunner | None = None) -> Confirmation:
    return confirm(explain(expr, specs), machine or TensorRunner(is_known))


@pytest.mark.parametrize(
    ("expr", "specs"),
    [
        ("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"}),
        ("src[0]", {"src": "8,16,3"}),
        ("src", {"src": "8,16,3"}),
        ("x[1:, None, ..., True, ::2]", {"x": "2,3,4"}),
        ("x[[[0, 1], [1, 0]]]", {"x": "2,3,4"}),
        ("x[i]", {"x": "2,3,4", "i": "[1,0]"}),
        ("x[i]", {"x": "2,3,4", "i": "[(1,0),(0,1)]"}),
        ("x[[[i, 0]]]", {"x": "2,3,4", "i": "[1,0]"}),
        ("x[slice(1, 2), slice(1)]", {"x": "2,3,4"}),
        ("x[i:, :i]", {"x": "2,3,4", "i": "tensor(1)"}),
        ("x[m]", {"x": "8,16", "m": "bool:8,16#37"}),
        ("x[m]", {"x": "3,4", "m": "tensor([True,False,True])"}),
        ("x[m]", {"x": "3,4", "m": "uint8:3,#2"}),
        ("x.max(dim=1)", {"x": "2,3,4"}),
        ("x.max(1)[0]", {"x": "2,3,4"}),
        ("x.max(1).indices[0]", {"x": "2,3,4"}),
        ("x.max(1).values.sum()", {"x": "2,3,4"}),
        ("torch.amax(x, dim=(0, 1), keepdim=True)", {"x": "2,3,4"}),
        ("torch.argmax(x, 1)", {"x": "int32:2,3,4"}),
        ("x[x.argmax(0)]", {"x": "4,4"}),
        ("x.mean()", {"x": "int64:2,3"}),
        ("x[9]", {"x": "2,3"}),
        ("x[a]", {"x": "2,3", "a": "[5]"}),
        ("x[::-1]", {"x": "2,3"}),
    ],
)
def test_torch_agrees(expr: str, specs: dict[str, str]) -> None:
    found = confirmed(expr, specs)
    assert (found.agrees, found.why, found.device, found.assumed) == (True, "", "cpu", {})
    assert found.version == torch.__version__


def test_random_expressions_are_confirmed() -> None:
    rng, machine, asked = random.Random(3), TensorRunner(is_known), 0
    for _ in range(500):
        case = random_case(rng)
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError:
            continue
        found = confirm(explanation, machine)
        assert found.agrees, f"{case.expr} {case.specs}: {found}"
        asked += 1
    assert asked > 450


@pytest.mark.parametrize(
    ("expr", "specs", "assumed", "shape"),
    [
        ("x[m]", {"x": "8,16,3", "m": "bool:8,16"}, {"nonzero(m)": 64}, (64, 3)),
        ("x[m].sum(0)", {"x": "8,3", "m": "uint8:8,"}, {}, (3,)),
        ("x[1:]", {"x": "N,C,H"}, {"N": 2, "C": 3, "H": 5}, (1, 3, 5)),
        ("x[a, b]", {"x": "9,9", "a": "N,", "b": "M,"}, {"N": 4, "M": 4}, (4,)),
    ],
)
def test_sizes_without_a_number_get_one(
    expr: str, specs: dict[str, str], assumed: dict[str, int], shape: tuple[int, ...]
) -> None:
    found = confirmed(expr, specs)
    assert found.agrees
    assert found.assumed == assumed
    assert found.found is not None
    assert found.found.shape == shape


def test_a_size_that_only_data_can_tell_may_be_any() -> None:
    found = confirmed("x[y[0]]", {"x": "3,4", "y": "bool:2,3"})
    assert found.agrees
    assert found.found is not None
    assert found.found.shape is not None
    assert found.found.shape[1] == 4


def test_large_tensors_are_not_made() -> None:
    assert confirmed("x[:, a].amax(0)", {"x": "1000000,1000000,3", "a": "4,5"}).device == "meta"
    assert confirmed("x[a]", {"x": "99,", "a": "tensor([1])"}).device == "cpu"
    found = confirmed("x[:, m]", {"x": "1000000,1000,3", "m": "bool:1000#7"})
    assert (found.agrees, found.device) == (True, "meta")


@pytest.mark.parametrize(
    ("expr", "specs", "why"),
    [
        ("x[a]", {"x": "1000000,1000000", "a": "[1000000]"}, "the tensors are too large to make, and without values"),
        (
            "x[m]",
            {"x": "1000000,1000000", "m": "bool:1000000,1000000"},
            "m is too large to make, and its True elements",
        ),
        ("x.sum()", {"x": "1,1,4611686018427387904"}, "torch makes no tensor of shape (1, 1, 4611686018427387904): "),
    ],
)
def test_what_cannot_be_asked_is_said(expr: str, specs: dict[str, str], why: str) -> None:
    found = confirmed(expr, specs)
    assert found.agrees is None
    assert found.found is None
    assert found.why.startswith(why)


class Wrong(TensorRunner):
    """A torch that has changed."""

    def __init__(self, result: object) -> None:
        super().__init__(is_known)
        self.result = result

    def index(self, tensor: Any, index: Any) -> Any:  # noqa: ANN401 - as the class that it stands for
        super().index(tensor, index)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_what_meta_tensors_cannot_do_is_no_difference() -> None:
    found = confirmed("x[0]", {"x": "1000000,1000000"}, Wrong(NotImplementedError("nonzero on meta")))
    assert (found.agrees, found.device) == (None, "meta")


def test_what_is_not_run_is_not_confirmed() -> None:
    found = confirmed("x.sum()", {"x": "2,3"}, TensorRunner(lambda *_: False))
    assert (found.agrees, found.why) == (None, "sum is not among the operations that are run")


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x.grad", "grad is not among the operations that are run"),
        ("torch.load", "torch.load is not among the dtypes"),
        ("torch.load(x)", "load is not among the operations that are run"),
        ("nn.Module(x)", "Module is not among the operations that are run"),
        ("f(x)", "a function without a tensor is not run"),
    ],
)
def test_what_is_not_explained_is_not_run_either(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        Walk({"x": torch.zeros(2, 3)}, TensorRunner(is_known)).value(parse(expr))


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (torch.zeros(4), "shape: segcli says (3,), PyTorch (4,)"),
        (torch.zeros(3, 1), "shape: segcli says (3,), PyTorch (3, 1)"),
        (torch.zeros(3, dtype=torch.int64), "dtype: segcli says float32, PyTorch int64"),
        (torch.zeros(3), "storage shared: segcli says True, PyTorch False"),
        ((torch.zeros(3), torch.zeros(3)), "number of results: segcli says 0, PyTorch 2"),
        (KeyError(), "segcli says no exception, PyTorch raises KeyError"),
    ],
)
def test_a_difference_is_named(result: object, why: str) -> None:
    found = confirmed("x[0]", {"x": "2,3"}, Wrong(result))
    assert (found.agrees, found.why) == (False, why)


def test_an_exception_that_does_not_come_is_a_difference() -> None:
    class Lenient(TensorRunner):
        def index(self, tensor: Any, index: Any) -> Any:  # noqa: ANN401, ARG002 - as the class that it stands for
            return tensor

    found = confirmed("x[9]", {"x": "2,3"}, Lenient(is_known))
    assert (found.agrees, found.why) == (False, "segcli says IndexError, PyTorch raises no exception")


def test_results_are_compared_one_by_one() -> None:
    class Swapped(TensorRunner):
        def call(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - as the class that it stands for
            return torch.zeros(2, 4), torch.zeros(2, 4)

    found = confirmed("x.max(1)", {"x": "2,3,4"}, Swapped(is_known))
    assert (found.agrees, found.why) == (False, "dtype of indices: segcli says int64, PyTorch float32")


def test_an_operation_that_is_not_listed_is_not_run() -> None:
    runner = TensorRunner(is_known)
    for name in ("__reduce__", "tolist", "save", "load", "resize_"):
        with pytest.raises(SegcliError, match=f"{name} is not among the operations that are run"):
            runner.call("method", name, [torch.zeros(1)], {})


def test_without_torch_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(SegcliError, match="torch cannot be imported") as caught:
        TensorRunner(is_known)
    assert caught.value.code == 3


def test_json_has_the_confirmation_beside_the_rest(segcli: Run) -> None:
    done = segcli("shapes", "x[m]", "x=8,16,3", "m=bool:8,16", "--run", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["run"]["agrees"] is True
    assert done.json["run"]["found"]["shape"] == [64, 3]
    alone = segcli("shapes", "x[m]", "x=8,16,3", "m=bool:8,16", "--json").json
    assert {key: value for key, value in done.json.items() if key != "run"} == alone


def test_the_document_is_an_explanation_and_more() -> None:
    explanation = explain("x[0]", {"x": "2,3"})
    assert document(explanation, confirm(explanation, TensorRunner(is_known)))["run"]["assumed"] == {}


def test_a_reader_sees_that_torch_agrees(segcli: Run) -> None:
    shown = segcli("shapes", "x[m, 0].max(dim=1)", "x=8,16,3", "m=bool:8", "--run").out.splitlines()
    start = shown.index(f"torch {VERSION} agrees")
    assert shown[-1] == "with nonzero(m) = 4"
    assert "values (4,), indices (4,)" in shown[start + 4]


def test_an_exception_that_is_confirmed_is_still_no(segcli: Run) -> None:
    done = segcli("shapes", "x[9]", "x=2,3", "--run")
    assert (done.code, done.err) == (1, "")
    assert done.out.count("IndexError") >= 4


def test_what_is_not_confirmed_is_unavailable(segcli: Run) -> None:
    done = segcli("shapes", "x[a]", "x=1000000,1000000", "a=[1000000]", "--run")
    assert done.code == 3
    assert done.err.startswith("error: x[a] was not confirmed: the tensors are too large to make")
    assert "was not asked" in done.out


def test_the_meta_device_is_named(segcli: Run) -> None:
    assert segcli("shapes", "x[0]", "x=1000000,1000000", "--run").out.endswith(
        "on the meta device, without values: the tensors are too large to make\n"
    )


def test_a_disagreement_is_loud(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TensorRunner, "index", lambda *_: torch.zeros(4))
    done = segcli("shapes", "x[0]", "x=2,3", "--run")
    assert done.code == 1
    assert f"torch {VERSION} DISAGREES" in done.out
    assert (
        "does not do what segcli says of x[0]: shape: segcli says (3,), PyTorch (4,)\nhint: please report" in done.err
    )


def test_a_batch_is_confirmed_line_by_line(segcli: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - a path
    import json

    file = tmp_path / "questions.jsonl"
    file.write_text('{"expr": "x[0]", "bind": {"x": "2,3"}}\n{"expr": "x.sum()", "bind": {"x": "2,3"}}\n')
    done = segcli("shapes", "--batch", file, "--run")
    assert done.code == 0
    assert [json.loads(line)["run"]["agrees"] for line in done.out.splitlines()] == [True, True]
    monkeypatch.setattr(TensorRunner, "index", lambda *_: torch.zeros(4))
    done = segcli("shapes", "--batch", file, "--run")
    assert done.code == 1
    assert [json.loads(line)["run"]["agrees"] for line in done.out.splitlines()] == [False, True]


IMAGES = {"x": "2,16,8,8", "y": "int64:2,8,8", "w": "4,16,3,3", "i": "int64:2,16,8,1", "m": "bool:2,16,8,8#5"}


@pytest.mark.parametrize(
    "expr",
    [
        "x.shape",
        "x.shape[1:]",
        "x.size(1) // 2",
        "x.ndim",
        "x.T",
        "x.view(x.size(0), -1)",
        "x.flatten(1) @ x.flatten(1).T",
        "-x + 2 ** x",
        "~m | (x > 0)",
        "x.to(torch.float16)",
        "torch.cat([x, x], dim=1)",
        "x.split(3, 1)",
        "x.split(3, 1)[2]",
        "m.nonzero(as_tuple=True)",
        "x.gather(3, i)",
        "x[:, 0] = 1.5",
        "x[m] = 0",
        "F.conv2d(x, w, padding=1)",
        "F.pad(x, (1, 2), mode='reflect')",
        "nn.Conv2d(16, 4, 3)(x)",
        "nn.Upsample(scale_factor=2)(nn.BatchNorm2d(16)(x))",
        "F.cross_entropy(x, y)",
        "torch.einsum('nchw,nchw->nc', x, x)",
        "x.max(1)",
        "x.masked_fill(m, float('-inf'))",
        "x * torch.pi",
        "torch.cat([x[:, 1:], x[:, :1]], dim=1).softmax(1)",
        "x.view(3, 5)",
        "nn.Conv2d(3, 4, 3)(x)",
    ],
)
def test_every_kind_of_expression_is_confirmed(expr: str) -> None:
    specs = {name: spec for name, spec in IMAGES.items() if re.search(rf"\b{name}\b", re.sub("'.*?'", "", expr))}
    found = confirmed(expr, specs)
    assert (found.agrees, found.why) == (True, "")


def test_layers_for_large_tensors_are_made_on_the_meta_device() -> None:
    found = confirmed("nn.Conv2d(100000, 100000, 3)(x)", {"x": "8,100000,64,64"})
    assert (found.agrees, found.device) == (True, "meta")


def test_names_of_sizes_are_run_as_their_numbers() -> None:
    found = confirmed("x.view(N, -1)", {"x": "N,19,H,W"})
    assert (found.agrees, found.found and found.found.shape) == (True, (2, 285))


def test_a_plain_value_is_compared(segcli: Run) -> None:
    done = segcli("shapes", "x.shape", "x=2,3", "--run")
    assert done.code == 0
    assert "(2, 3)  torch.Size" in done.out


@pytest.mark.parametrize(
    "expr",
    ["x.topk(5, 1)", "x[:, 5]", "x.unflatten(1, (8, -1))", "nn.GroupNorm(8, 64)(x)", "x.reshape(N, C, H // 2, 2, W)"],
)
def test_sizes_are_chosen_that_fit(expr: str) -> None:
    found = confirmed(expr, {"x": "N,C,H,W"})
    assert (found.agrees, found.why) == (True, "")
    assert found.found is not None
    assert found.found.error is None


def test_without_sizes_that_fit_nothing_is_confirmed() -> None:
    found = confirmed("x.reshape(N, 7, -1).reshape(N, 11, -1).reshape(N, 13, -1)", {"x": "N,C"})
    assert (found.agrees, found.why) == (None, "no sizes were found that fit what the expression needs")
