from typing import Any

import torch

from segcli.bench.measuring.peak import peak_bytes
from segcli.bench.measuring.workload import COPY_BYTES, HELD_BYTES, MATMUL_SIDE, reference_works

CPU = torch.device("cpu")


def test_the_reference_workload_copies_and_multiplies_random_numbers() -> None:
    works: Any = reference_works(CPU, seed=3)
    copied = works["copy"]()
    source = works["copy"].args[0]
    assert torch.equal(copied, source)
    assert copied.nbytes == COPY_BYTES
    left, right = works["matmul"].args
    product = works["matmul"]()
    assert left.shape == right.shape == (MATMUL_SIDE, MATMUL_SIDE)
    torch.testing.assert_close(product.double(), left.double() @ right.double(), rtol=1e-4, atol=1e-3)
    assert abs(source.mean().item()) < 0.01
    assert 2 * copied.nbytes + sum(matrix.nbytes for matrix in (left, right, product)) == HELD_BYTES


def test_it_allocates_nothing() -> None:
    assert {name: peak_bytes(work, CPU) for name, work in reference_works(CPU).items()} == {"copy": 0, "matmul": 0}
