"""Cases that hang on how tensors lie in storage, pinned beside real PyTorch."""

import random

import pytest
import torch

from segcli.shapes import explain
from segcli.shapes.fitting import fit
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.values import Tensor
from tests.shapes.agreement import check
from tests.shapes.test_fuzzed import case_of

# Pictures and rows that lie in storage as they are, channel beside channel, with gaps, or with axes of one position.
PICTURES = [
    ("x", "2,4,3,5"),
    ("x.permute(0, 3, 1, 2)", "2,3,5,4"),
    ("x.permute(0, 3, 1, 2)", "2,3,5,1"),
    ("x.permute(0, 3, 1, 2)", "2,1,1,4"),
    ("x.permute(0, 3, 1, 2)", "1,3,4,5"),
    ("x.permute(0, 3, 1, 2)[:, 1:]", "2,3,5,4"),
    ("x.mT", "1,1,1,5"),
    ("x.expand(2, 3, 4, 5)", "2,3,1,5"),
    ("x.expand(2, 3, 4, 5)", "2,1,4,5"),
]
ROWS = [
    ("x", "6,3,2"),
    ("x.mT", "6,2,3"),
    ("x.mT", "1,3,4"),
    ("x.mT", "4,1,3"),
    ("x.mT", "4,3,1"),
    ("x.mT", "1,1,1"),
    ("x.expand(2, 4, 3).mT", "2,1,3"),
    ("x.transpose(0, 1)", "6,2,3"),
]
VOLUMES = [("x", "2,4,3,5,2"), ("x.permute(0, 4, 1, 2, 3)", "2,3,5,2,4"), ("x.permute(0, 4, 1, 2, 3)", "2,3,5,2,1")]


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint8", "complex64", "float16"])
@pytest.mark.parametrize(
    "operation",
    [
        "F.adaptive_avg_pool2d({}, (3, 2))",
        "F.adaptive_max_pool2d({}, 3)",
        "F.max_pool2d({}, 1)",
        "F.avg_pool2d({}, 1)",
        "F.pad({}, (0, 1, 0, 0), mode='reflect')",
        "F.pad({}, (1, 1, 1, 0), mode='replicate')",
        "F.interpolate({}, size=(3, 5), mode='area')",
        "F.interpolate({}, size=(99, 50))",
        "nn.AvgPool2d(1)({})",
        "nn.Conv2d({c}, 2, 1, padding=1, padding_mode='replicate')({})",
    ],
)
def test_pictures_are_taken_by_rows_or_by_channels(operation: str, dtype: str) -> None:
    for expr, sizes in PICTURES:
        check(case_of(operation.format(expr, c=4), {"x": f"{dtype}:{sizes}"}))


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint8", "complex64"])
@pytest.mark.parametrize(
    "operation",
    ["F.interpolate({}, size=[9], mode='area')", "F.adaptive_avg_pool2d({}, 2)", "F.pad({}, (0, 1), mode='replicate')"],
)
def test_rows_are_taken_as_pictures_of_one_line(operation: str, dtype: str) -> None:
    for expr, sizes in ROWS:
        check(case_of(operation.format(expr), {"x": f"{dtype}:{sizes}"}))


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint8"])
@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_volumes_are_taken_by_rows_or_by_channels(mode: str, dtype: str) -> None:
    for expr, sizes in VOLUMES:
        check(case_of(f"F.pad({expr}, (0, 1, 0, 0, 0, 0), mode='{mode}')", {"x": f"{dtype}:{sizes}"}))


def strided(rng: random.Random, ndim: int) -> torch.Tensor:
    """Return bools that lie in storage in any order, mostly channel beside channel, some with gaps or repeated."""
    sizes = [rng.choice([1, 1, 2, 3]) for _ in range(ndim)]
    order = [0, *range(2, ndim), 1] if rng.random() < 0.7 else rng.sample(range(ndim), ndim)
    strides, step = [0] * ndim, rng.choice([1, 1, 2])
    for axis in reversed(order):
        strides[axis] = step if rng.random() < 0.95 else rng.choice([0, 1, 2, 3])
        step *= sizes[axis] * rng.choice([1, 1, 1, 2])
    return torch.as_strided(torch.zeros(5000, dtype=torch.bool), sizes, strides)


@pytest.mark.parametrize("ndim", [4, 5])
def test_channels_that_lie_side_by_side(ndim: int) -> None:
    rng = random.Random(ndim)
    name = f"replication_pad{ndim - 2}d"
    found = []
    for _ in range(1000):
        x = strided(rng, ndim)
        told = Tensor(tuple(x.shape), "bool", "x", strides=x.stride())
        with pytest.raises(NotImplementedError, match=f'"{kernel_for(name, told)}" not implemented'):
            torch.nn.functional.pad(x, (0,) * 2 * (ndim - 2), mode="replicate")
        found.append(kernel_for(name, told))
    assert 200 < found.count(name) < 800


def test_of_strides_that_are_not_known_rows_are_told() -> None:
    error = explain("F.avg_pool2d(x.permute(0, 3, 1, 2), 1)", {"x": "bool:2,3,W,4"}).torch.error
    assert error is not None
    assert error.message.startswith('"avg_pool2d" not implemented')


def test_views_have_the_strides_of_the_library() -> None:
    rng = random.Random(1)
    views = 0
    for _ in range(3000):
        x = torch.zeros([rng.choice([1, 1, 2, 3, 4]) for _ in range(rng.randrange(4))])
        x = x.permute(rng.sample(range(x.dim()), x.dim()))[
            tuple(slice(None, None, rng.choice([1, 2])) for _ in x.shape)
        ]
        sizes, left = [], x.numel()
        while left > 1:
            sizes.append(rng.choice([size for size in range(1, left + 1) if left % size == 0]))
            left //= sizes[-1]
        sizes.insert(rng.randrange(len(sizes) + 1), 1)
        try:
            real = x.view(sizes).stride()
        except RuntimeError:
            real = None
        views += real is not None
        assert fit(Tensor(tuple(x.shape), "float32", "x", strides=x.stride()), tuple(sizes)).strides == real
    assert 1500 < views < 3000


ONE = [
    "x[::2]",
    "x[::2].view(-1)",
    "x[::2].reshape(-1)",
    "x[::2].view(1, 1)[0]",
    "x[::2].view(1, 1).squeeze(0)",
    "x[::2].squeeze().view(1)",
    "x[::3].ravel()",
    "x[None].flatten()",
    "x[::2].unflatten(0, (1,))",
]


@pytest.mark.parametrize("value", ONE)
@pytest.mark.parametrize(
    "statement", ["x[:] = {}", "x[::2] = {}", "x.copy_({})", "x.add_({})", "x += {}", "{}[...] = x"]
)
def test_one_element_has_a_stride(statement: str, value: str) -> None:
    check(case_of(statement.format(value), {"x": "1,"}))


VALUES = ["x", "x[None]", "x.clone()", "x[0]", "x[:1]", "x[1:]", "x.float()", "x.double()", "x.view(1, 3)", "1"]
VALUES += [
    "x.expand(2, 3)",
    "x[:, None]",
    "x[0].expand(3)",
    "x.expand(2, 2, 3)",
    "x.expand(2, 3).T",
    "x.reshape(1, 1, 3)",
]
PLACES = ["x.expand(2, 3)", "x[:1].expand(3)", "x[0].expand(2, 2)", "x[:1].expand(2)", "x.unsqueeze(1).expand(3, 2)"]
PLACES += ["x[None].expand(1, 3)", "x", "x[1:]", "x.expand(2, 3).T", "x[:1].unsqueeze(0).expand(1, 2)"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_there_already_is_not_copied(place: str, value: str) -> None:
    for index in ("...", "0:", "1:", "0", "None", "True", "False", ":, 1:", "[0]"):
        check(case_of(f"{place}[{index}] = {value}", {"x": "3,"}))
    check(case_of(f"{place}.copy_({value})", {"x": "3,"}))
    check(case_of(f"{place}[:] += {value}", {"x": "3,"}))


@pytest.mark.parametrize("mark", ["+", "-", "*", "/", "//", "%", "**"])
@pytest.mark.parametrize(
    ("statement", "spec"),
    [
        ("x {}= x[None]", "3,"),
        ("x {}= x[1:]", "3,"),
        ("x[1:] {}= x", "int64:3,"),
        ("x[1:][:] {}= x[:-1].double()", "int64:3,"),
        ("x {}= x[:, None]", "bool:3,"),
        ("x[0] {}= x[1:]", "2,3"),
        ("x[[0]] {}= x[:2, 0]", "2,3"),
        ("x.expand(2, 3)[True] {}= 70000", "3,"),
        ("x.expand(2, 3)[True] {}= x", "0,3"),
    ],
)
def test_what_reads_where_it_writes_is_told_before_shapes(statement: str, spec: str, mark: str) -> None:
    check(case_of(statement.format(mark), {"x": spec}))


MATRICES = [
    ("x.transpose(0, 1)", "8,2,30"),
    ("x.mT", "2,30,8"),
    ("x[..., ::2]", "2,8,60"),
    ("x", "2,8,30"),
    ("x[:, ::2]", "2,2,2,30"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int64", "bool"])
@pytest.mark.parametrize("other", ["float32", "float16", "complex64", "int64", "bool"])
def test_larger_batches_are_multiplied_by_another_kernel(dtype: str, other: str) -> None:
    for expr, sizes in MATRICES:
        for weight in ("30,9", "30,1"):
            check(case_of(f"{expr} @ y", {"x": f"{dtype}:{sizes}", "y": f"{other}:{weight}"}))
        check(case_of(f"F.linear({expr}, y)", {"x": f"{dtype}:{sizes}", "y": f"{other}:9,30"}))
    check(case_of("torch.bmm(x, y[..., ::2])", {"x": f"{dtype}:2,8,8", "y": f"{other}:2,8,16"}))
    check(case_of("x[:, :1] @ y", {"x": f"{dtype}:2,3,8,8", "y": f"{other}:2,3,8,8"}))


@pytest.mark.parametrize(
    ("expr", "sizes"),
    [
        ("x.transpose(0, 1)", "3,2,4"),
        ("x.transpose(0, 1)", "2,1,1"),
        ("x.transpose(0, 1)", "1,2,1"),
        ("x.transpose(0, 1)", "0,2,3"),
        ("x.mT", "3,1,2"),
        ("x.mT", "2,2,1,2"),
        ("x[..., ::2]", "2,2,2,4"),
        ("x.expand(2, 3, 2)", "3,1"),
    ],
)
@pytest.mark.parametrize("weight", ["2,", "1,", "3,2", "1,2", "0,2", "3,1", "3,4", "30,4", "0,", "3,0"])
@pytest.mark.parametrize("bias", ["", "1,", "1,1,1", "3,2,1"])
def test_rows_of_a_view_are_multiplied_one_by_one(expr: str, sizes: str, weight: str, bias: str) -> None:
    for dtype, other in (("float32", "float32"), ("bool", "bool"), ("float32", "float64"), ("bool", "float32")):
        specs = {"x": f"{dtype}:{sizes}", "w": f"{other}:{weight}"} | ({"b": f"{other}:{bias}"} if bias else {})
        check(case_of(f"F.linear({expr}, w{', b' if bias else ''})", specs))


@pytest.mark.parametrize("owner", ["x.expand(2, 3)", "x[:1].expand(3)", "x", "y", "y[:1]"])
@pytest.mark.parametrize(
    "method",
    [
        "scatter_(-1, {}, 300)",
        "scatter_(-1, {}, 1e9, reduce='foo')",
        "scatter_(-1, {}, y, reduce='foo')",
        "scatter_reduce_(-1, {}, y, 'foo')",
        "scatter_reduce_(0, {}, y, 'mean', include_self=False)",
        "scatter_add_(-1, {}, y)",
        "index_add_(-1, {}[0], y, alpha=1e9)",
        "index_add_(0, {}[0], y[:1])",
        "scatter_(5, {}, 300)",
    ],
)
def test_what_writes_to_positions_looks_at_storage_first(method: str, owner: str) -> None:
    positions = {"i": "tensor([[0, 1, 0], [1, 0, 0]])", "j": "tensor([[0, 9, 0], [1, 0, 0]])"}
    row = {"i": "tensor([0, 1, 0])", "j": "tensor([0, 9, 0])"}
    for name, dtype in ((name, dtype) for name in positions for dtype in ("uint8", "bool", "float16")):
        expr = f"{owner}.{method}".format(name).replace(f"{name}[0]", name)
        specs = {
            "x": f"{dtype}:3,",
            "y": f"{dtype}:2,3",
            name: (row if f"{name}[0]" in method.format(name) else positions)[name],
        }
        check(
            case_of(
                expr,
                {each: spec for each, spec in specs.items() if each in expr.replace("index", "").replace("expand", "")},
            )
        )
