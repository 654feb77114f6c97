"""A module of kernels as a user would write it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

KERNELS = """
import torch
from torch.nn import functional

WEIGHT = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
net = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, padding=1, bias=False), torch.nn.ReLU())
number = 3


def data(size=(6, 8), dtype=torch.float32, device="cpu", seed=0):
    return torch.randn((2, 4, *size), dtype=dtype, device=device)


def trained(size, dtype):
    x = torch.randn((2, 4, *size), dtype=dtype).requires_grad_()
    return {"x": x, "weight": torch.randn(4, 2, 3, 3, dtype=dtype).requires_grad_()}


def pair():
    return torch.arange(6).reshape(2, 3), torch.randn(2, 3), 0.5


def nested(dtype, **more):
    return {"x": [torch.randn(3), torch.randn(3, dtype=torch.float64)], "net": torch.nn.Linear(3, 3), "dtype": dtype}


def softmax(x):
    return x.softmax(1)


def by_hand(x):
    powers = (x - x.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


def off(x):
    return x.softmax(1) * 1.01


def nan(x):
    return x.log()


def infinite(x):
    return x / 0


def none(x):
    pass


def several(x):
    return {"sum": x.sum(1), "where": x.argmax(1)}


def nothing(x):
    return 3


def raises(x):
    if x.shape[0] == 2:
        raise KeyError("no such thing")
    return x


def leaves(x):
    raise SystemExit(4)


def in_place(x):
    return x.mul_(2)


def only_float32(x):
    return torch.as_tensor(x.float().numpy() * 2)


def no_double(x):
    if x.dtype == torch.float64:
        raise TypeError("half a kernel")
    return x * 2


def grouped(x, weight):
    return functional.conv2d(x, weight, padding=1, groups=2)


def picks(positions, values, by):
    return values.gather(1, positions % 3) * by


def mixed(x, net, dtype):
    return net(x[0].to(dtype)) + x[1]


def complex_one(x):
    return torch.complex(x, x)


def alone(x=None):
    return torch.ones(3)


def twice(x):
    return x + x


def complex_data():
    return torch.ones(3, dtype=torch.complex64)


def shy(x):
    if torch._C._len_torch_dispatch_stack():
        raise RuntimeError("I am being watched")
    return x * 2


def largest(x):
    return x.argmax(1)


def sometimes_nan(x):
    return x * float("nan")


def forgetful(x, weight):
    return x * 2


calls = []


def wears_out(x):
    calls.append(x)
    if len(calls) > 8:
        raise OSError("worn out")
    return x * 2


def expanded_data():
    return {"x": torch.ones(1).expand(9)}


def pair_of_one():
    return (torch.rand(3, 4),)


def broken_data():
    raise ValueError("no data today")


def listed():
    return [torch.zeros(3)]


def demanding(path):
    return torch.zeros(3)


def empty():
    return None
"""


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write the module ``own_kernels`` into the working directory, a fresh one."""
    (tmp_path / "own_kernels.py").write_text(KERNELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_kernels", raising=False)
    yield tmp_path
    sys.modules.pop("own_kernels", None)
