"""Sizes that have names: what is said of all numbers must hold for each, by real PyTorch and by ``explain`` itself."""

import random
from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.indexing import slice_size
from segcli.shapes.symbols import at_least, most
from segcli.shapes.values import SliceBounds
from tests.shapes.oracle import ask_torch

_CASES = 3_000
_NAMES = ["N", "C", "H", "M"]
Sizes = list[str | int]
PYTHON: dict[str, Any] = {"max": max, "min": min, "ceil": ceil, "len": len, "range": range}


def evaluated(text: str, numbers: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a size, or whether a need holds
    # Symbols and needs are Python that segcli wrote.
    return eval(text, {**PYTHON, **numbers})  # noqa: S307


def holds(need: str, numbers: Mapping[str, Any]) -> bool:
    return bool(evaluated(need, numbers))


class Drawn:
    """A random expression over named sizes; ``bound`` has a name's dtype and sizes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        choices: Sizes = [*_NAMES, *_NAMES, 1, 2, 3]
        sizes: Sizes = [rng.choice(choices) for _ in range(rng.choice([1, 2, 2, 3, 4]))]
        self.bound: dict[str, tuple[str, Sizes]] = {"x": ("float32", sizes)}
        self.expr = "x"
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            self.expr += f"[{', '.join(self.item() for _ in range(rng.choice([1, 1, 2, 3])))}]"
            if rng.random() < 0.3:
                self.expr += self.reduction()

    def item(self) -> str:
        kinds = ["position", "slice", "slice", "None", "...", "tensor", "tensor", "mask", "literal"]
        match self.rng.choice(kinds):
            case "position":
                return str(self.rng.choice([0, 0, 1, -1, 2, -3, 4]))
            case "slice":
                start, stop = (self.rng.choice(["", "", "0", "1", "2", "4", "-1", "-3"]) for _ in range(2))
                return f"{start}:{stop}{self.rng.choice(['', '', ':2', ':3'])}"
            case "literal":
                return self.rng.choice(["[0, 2]", "[-3]", "[0, 0, 1]", "[]", "[True, False]", "[[0, 1], [1, 0]]"])
            case "tensor" | "mask" as kind:
                return self.tensor(kind)
            case other:
                return other

    def tensor(self, kind: str) -> str:
        name = "abcdefghijkl"[len(self.bound) - 1]
        own = self.bound["x"][1]
        sizes = [self.rng.choice([*own, *_NAMES, 1, 2]) for _ in range(self.rng.choice([0, 1, 1, 2]))]
        if kind == "mask":
            start = self.rng.randrange(len(own))
            sizes = own[start : start + self.rng.choice([1, 1, 2])] if self.rng.random() < 0.7 else sizes or ["N"]
        self.bound[name] = ("bool" if kind == "mask" else "int64", sizes)
        return name

    def reduction(self) -> str:
        name = self.rng.choice(["sum", "mean", "amax", "argmax", "any", "max", "min", "along"])
        if name == "along":
            calls = [
                "topk(2, 0)[0]",
                "kthvalue(2, -1).values",
                "sort(-1)[1]",
                "cumsum(0)",
                "softmax(-1)",
                "median(0)[0]",
            ]
            return f".{self.rng.choice(calls)}"
        dim = self.rng.choice(["0", "-1", "1", "dim=0, keepdim=True", ""])
        pick = self.rng.choice([".values", "[1]"]) if name in ("max", "min") and dim else ""
        return f".{name}({dim}){pick}"

    def specs(self, numbers: Mapping[str, int], tensors: Mapping[str, torch.Tensor] | None = None) -> dict[str, str]:
        specs = {}
        for name, (dtype, sizes) in self.bound.items():
            text = ",".join(str(numbers.get(str(size), size)) for size in sizes) + ("," if len(sizes) == 1 else "")
            specs[name] = f"{dtype}:{text or '()'}"
            if dtype == "bool" and tensors is not None:
                specs[name] += f"#{int(tensors[name].sum())}"
        return specs

    def tensors(self, numbers: Mapping[str, int]) -> dict[str, torch.Tensor]:
        draw = torch.Generator().manual_seed(self.rng.randrange(2**31))
        made = {}
        for name, (dtype, sizes) in self.bound.items():
            shape = [numbers.get(str(size), size) for size in sizes]
            made[name] = torch.zeros([int(size) for size in shape], dtype=getattr(torch, dtype))
            if dtype == "bool":
                made[name] = torch.rand([int(size) for size in shape], generator=draw) < 0.6
        return made


def nonzero(mask: torch.Tensor) -> int:
    return int(mask.count_nonzero())


def check(drawn: Drawn, numbers: dict[str, int], counts: dict[str, int]) -> None:
    tensors = drawn.tensors(numbers)
    names = {**numbers, **tensors, "nonzero": nonzero, "torch": torch}
    told = f"{drawn.expr} {drawn.specs({})} at {numbers}"
    general, concrete = explain(drawn.expr, drawn.specs({})), explain(drawn.expr, drawn.specs(numbers, tensors))
    real = ask_torch(drawn.expr, tensors)
    needed = all(holds(need, names) for need in general.needs)
    empty = real.shape is not None and 0 in real.shape
    assert (concrete.torch.error.type if concrete.torch.error else None) == real.error, told
    counts["raises"] += general.torch.error is not None
    if general.torch.error is not None:
        # Without elements nothing is looked up, and what comes after may hide that there were none.
        empty = (
            empty
            or 0 in numbers.values()
            or not all(len(tensor.nonzero()) for tensor in tensors.values() if tensor.dtype == torch.bool)
        )
        assert empty or real.error == general.torch.error.type or (not needed and real.error), told
        return
    assert general.torch.shape is not None
    sizes = tuple(evaluated(str(size), names) for size in general.torch.shape)
    counts["holds" if needed else "fails"] += 1
    if needed:
        assert sizes == real.shape == concrete.torch.shape, f"{told}: {general.torch.shape} {real}"
        assert (general.torch.dtype, general.torch.view) == (real.dtype, real.view), told
    elif not general.steps[-1].stage:
        # What comes after may hide that a shape differed.
        assert real.error or sizes != real.shape or empty, f"{told}: needs {general.needs}"


def test_what_is_said_of_all_numbers_holds_for_each() -> None:
    rng = random.Random(11)
    counts = {"holds": 0, "fails": 0, "raises": 0}
    for _ in range(_CASES):
        drawn = Drawn(rng)
        for _ in range(4):
            check(drawn, {name: rng.choice([0, 1, 2, 3, 4, 5]) for name in _NAMES}, counts)
    assert min(counts.values()) > 1_000


def test_numpys_side_holds_too() -> None:
    rng = random.Random(12)
    seen = 0
    for _ in range(1_000):
        drawn = Drawn(rng)
        general = explain(drawn.expr, drawn.specs({}), lead="numpy")
        numbers = {name: rng.choice([1, 2, 3, 4, 5]) for name in _NAMES}
        tensors = drawn.tensors(numbers)
        names = {**numbers, **tensors, "nonzero": nonzero}
        symbols = [*general.needs, *map(str, general.numpy.shape or ())]
        # What an operation in the middle is called is PyTorch's.
        if general.numpy.shape is None or any("." in symbol for symbol in symbols):
            continue
        if all(holds(need, names) for need in general.needs):
            concrete = explain(drawn.expr, drawn.specs(numbers, tensors)).numpy
            sizes = tuple(evaluated(str(size), names) for size in general.numpy.shape)
            assert sizes == concrete.shape, f"{drawn.expr} {drawn.specs({})} at {numbers}: {general.numpy}"
            seen += 1
    assert seen > 200


def test_slices_of_slices() -> None:
    rng = random.Random(13)
    bounds = [None, None, 0, 1, 2, 3, 7, -1, -2, -3, -8]
    for _ in range(4_000):
        size: int | str = "N"
        cuts: list[tuple[int | None, int | None, int | None]] = []
        first: int | str | None = None
        whole = False
        for _ in range(rng.choice([1, 1, 2, 3])):
            cuts.append((rng.choice(bounds), rng.choice(bounds), rng.choice([None, 1, 2, 3, -1, -2])))
            size, first, whole = slice_size(SliceBounds(*cuts[-1]), size)
        for number in range(9):
            positions, last = range(number), range(0)
            for cut in cuts:
                here = slice(*cut)
                last, positions = range(len(positions))[here], positions[here]
            assert evaluated(str(size), {"N": number}) == len(positions), (cuts, size, number)
            assert not whole or len(positions) == number or len(cuts) > 1
            if isinstance(size, str):
                assert evaluated(at_least(size, 3), {"N": number}) == (len(positions) >= 3)
                assert most(size) is None or len(positions) <= int(most(size) or 0)
            if first is not None and last and len(cuts) == 1:
                assert evaluated(str(first), {"N": number}) == last.start


@pytest.mark.parametrize(
    ("expr", "shape", "needs"),
    [
        ("x[:2]", ("min(2, N)", "M"), ()),
        ("x[1:]", ("max(N - 1, 0)", "M"), ()),
        ("x[::2]", ("ceil(N / 2)", "M"), ()),
        ("x[:]", ("N", "M"), ()),
        ("x[1:][:, 1:-1]", ("max(N - 1, 0)", "max(M - 2, 0)"), ()),
        ("x[-3:]", ("min(3, N)", "M"), ()),
        ("x[1:][::2]", ("ceil(max(N - 1, 0) / 2)", "M"), ()),
        ("x[:0]", (0, "M"), ()),
        ("x[-3:2]", ("len(range(N)[-3:2])", "M"), ()),
        ("x[-1:-3]", (0, "M"), ()),
        ("x[0, None]", (1, "M"), ("N >= 1",)),
        ("x[3]", ("M",), ("N >= 4",)),
        ("x[1:][3]", ("M",), ("N >= 5",)),
        ("x[::2][-2]", ("M",), ("N >= 3",)),
        ("x[k]", ("M",), ("N >= 1",)),
        ("x[[0, 3]]", (2, "M"), ("N >= 4",)),
        ("x[[0, 3], 0]", (2,), ("M >= 1", "N >= 4")),
        ("x[n]", ("N", "M"), ()),
        ("x[n, 1:][0]", ("max(M - 1, 0)",), ("N >= 1",)),
        ("x[n, m]", ("N",), ("M >= 1", "M == N or M == 1")),
        ("x[square]", ("nonzero(square)",), ("M == N",)),
        ("x[[True, False]]", (1, "M"), ("N == 2",)),
        ("x.amax(0)", ("M",), ("N >= 1",)),
        ("x.argmax()", (), ("N >= 1", "M >= 1")),
    ],
)
def test_by_hand(expr: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    specs = {"x": "N,M", "n": "N,", "m": "M,", "k": "int64:()", "square": "bool:N,N"}
    used = {name: spec for name, spec in specs.items() if f"{name}]" in expr or f"{name}," in expr or name == "x"}
    explanation = explain(expr, used)
    assert explanation.torch.shape == shape
    assert set(explanation.needs) == set(needs)


def test_a_position_that_no_number_reaches() -> None:
    explanation = explain("x[:2][5]", {"x": "N,3"})
    assert explanation.torch.error is not None
    assert explanation.numpy.error is not None
    assert explanation.torch.error.message == "index 5 is out of bounds for dimension 0 with size min(2, N)"


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("x[-2:]", {"x": "N,3"}, "result[i, j] = x[max(N - 2, 0) + i, j]"),
        ("x[-3:][1:]", {"x": "N,"}, "result[i] = x[max(N - 3, 0) + 1 + i]"),
        ("x[-3:][1]", {"x": "N,"}, "result = x[max(N - 3, 0) + 1]"),
        ("x[-3:][0]", {"x": "N,"}, "result = x[max(N - 3, 0)]"),
        ("x[2:][-3:]", {"x": "N,"}, None),
        ("x.argmax()", {"x": "N,C,4"}, "result = the 4*C*i + 4*j + k where x[i, j, k] is largest"),
        ("x[1:].argmax()", {"x": "4,N"}, "result = the N*i + j where x[1 + i, j] is largest"),
        ("x.argmax()", {"x": "2,i"}, "result = the i*j + k where x[j, k] is largest"),
    ],
)
def test_formulas_have_the_names_in_them(expr: str, specs: dict[str, str], formula: str | None) -> None:
    assert explain(expr, specs).formula == formula


def test_rows_of_a_list_that_may_be_equal_or_not() -> None:
    with pytest.raises(SegcliError, match="a list has rows of 2 and N positions, which may be equal or not"):
        explain("x[[[[0, 1], a]]]", {"x": "4,3", "a": "N,"})
    with pytest.raises(SegcliError, match="a list has rows of N and M positions"):
        explain("x[[a, b]]", {"x": "4,3", "a": "N,", "b": "M,"}, lead="numpy")
    error = explain("x[[a, b]]", {"x": "4,3", "a": "N,", "b": "M,"}).numpy.error
    assert error is not None
    assert error.type == "unknown"
    assert explain("x[[a, a]]", {"x": "4,3", "a": "N,"}).numpy.shape == (2, "N", 3)


def test_numpy_walks_named_sizes_backwards() -> None:
    explanation = explain("x[::-2]", {"x": "N,"}, lead="numpy")
    assert explanation.numpy.shape == ("ceil(N / 2)",)
    assert explanation.formula == "result[i] = x[N - 1 - 2*i]"
    assert explain("x[::-1][2:]", {"x": "N,"}, lead="numpy").formula == "result[i] = x[N - 1 - 2 - i]"
    for number in range(6):
        array = np.arange(number)
        assert [array[number - 1 - 2 * place] for place in range(ceil(number / 2))] == array[::-2].tolist()


def test_a_name_stands_for_one_thing() -> None:
    with pytest.raises(SegcliError, match="i is a size of x, and bound to 3, too"):
        explain("x[i]", {"x": "i,4", "i": "3,"})
