"""Masks whose True elements nobody counted: symbols, which must hold for every content."""

import re
from math import ceil

import pytest
import torch

from segcli.shapes import explain

EXPRS = [
    "x[m]",
    "x[:, n]",
    "x[m][:, 0]",
    "x[m][1:]",
    "x[m][::2]",
    "x[m][-3:-1]",
    "x[m, 0]",
    "x[m].sum(0)",
    "x[m].sum(1)",
    "x[m].any()",
    "x[m].argmax(1)",
    "x[0][n][None]",
    "x[b]",
    "x[m][m2]",
    "x[m][x[m].any(1)]",
]


@pytest.mark.parametrize("expr", EXPRS)
@pytest.mark.parametrize("seed", range(4))
def test_symbols_stand_for_real_sizes(expr: str, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    tensors = {
        "x": torch.zeros(4, 3),
        "m": torch.rand(4, generator=draw) < 0.6,
        "n": torch.rand(3, generator=draw) < 0.4,
        "b": torch.rand((), generator=draw) < 0.5,
    }
    tensors["m2"] = torch.rand(int(tensors["m"].sum()), generator=draw) < 0.5
    specs = {"x": "4,3", "m": "bool:4", "n": "bool:3", "b": "bool:()", "m2": f"bool:{len(tensors['m2'])},"}
    names = set(re.findall(r"\w+", expr)) & set(tensors)
    explanation = explain(expr, {name: specs[name] for name in names})
    real = eval(expr, {}, dict(tensors))  # noqa: S307 - written above
    assert explanation.torch.shape is not None
    python = {"len": len, "range": range, "max": max, "min": min, "ceil": ceil}
    scope = {**python, "nonzero": lambda mask: int(mask.count_nonzero()), **tensors}
    # Symbols are Python that segcli wrote.
    sizes = [eval(str(size), scope) for size in explanation.torch.shape]  # noqa: S307 - see above
    assert tuple(sizes) == tuple(real.shape)
    assert explanation.numpy.shape == explanation.torch.shape


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("x[m]", {"m": "bool:4"}, ("nonzero(m)", 3), ()),
        ("x[m][2]", {"m": "bool:4"}, (3,), ("nonzero(m) >= 3",)),
        ("x[m][-2]", {"m": "bool:4"}, (3,), ("nonzero(m) >= 2",)),
        ("x[m, i]", {"m": "bool:4", "i": "2,"}, (2,), ("nonzero(m) == 2 or nonzero(m) == 1",)),
        ("x[m, i]", {"m": "bool:4", "i": "1,"}, ("nonzero(m)",), ()),
        ("x[m, n]", {"m": "bool:4", "n": "bool:3"}, ("nonzero(m)",), ("nonzero(n) == nonzero(m) or nonzero(n) == 1",)),
        ("x[m][n]", {"m": "bool:4", "n": "bool:2"}, ("nonzero(n)", 3), ("nonzero(m) == 2",)),
        ("x[m].max(0).values", {"m": "bool:4"}, (3,), ("nonzero(m) >= 1",)),
        ("x[m].argmax()", {"m": "bool:4"}, (), ("nonzero(m) >= 1",)),
        ("x[m].topk(2, 0).values", {"m": "bool:4"}, (2, 3), ("nonzero(m) >= 2",)),
        ("x[m].kthvalue(2, 0)[0]", {"m": "bool:4"}, (3,), ("nonzero(m) >= 2",)),
        ("x[m].norm(-1, 0)", {"m": "bool:4"}, (3,), ("nonzero(m) >= 1",)),
        ("x[m].median(0)[0]", {"m": "bool:4"}, (3,), ("nonzero(m) >= 1",)),
        ("x[m].sort(0)[0]", {"m": "bool:4"}, ("nonzero(m)", 3), ()),
        ("x[u]", {"u": "uint8:4"}, ("nonzero(u)", 3), ()),
        ("x[[m, n]]", {"m": "bool:4", "n": "bool:3#2"}, (2,), ("nonzero(m) == 2 or nonzero(m) == 1",)),
        ("x[:, [q, q, q]]", {"q": "bool:()"}, (4, "nonzero([q, q, q])"), ()),
    ],
)
def test_what_symbols_need(
    expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]
) -> None:
    explanation = explain(expr, {"x": "4,3", **specs})
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


def test_numpy_masks_of_unknown_count() -> None:
    assert explain("x[m].cumsum(None)", {"x": "4,3", "m": "bool:4"}).numpy.shape == ("3*nonzero(m)",)
    assert explain("x[:, :0][m].cumsum(None)", {"x": "4,3", "m": "bool:4"}).numpy.shape == (0,)
    explanation = explain("x[m][n]", {"x": "4,3", "m": "bool:4", "n": "bool:2"}, lead="numpy")
    assert explanation.numpy.shape == ("nonzero(n)", 3)
    assert explanation.needs == ("nonzero(m) == 2",)
    assert explain("y[[q, q]]", {"y": "2,", "q": "bool:()"}).numpy.shape == ("nonzero([q, q])",)
    assert explain("y[[m, m]]", {"y": "2,4", "m": "bool:4#3"}).numpy.shape == (6,)
