from typing import Any

import pytest
import torch

from segcli.bench.measuring import cold as module
from segcli.bench.measuring.cold import CacheSize, cache_size, flush_of

CPU = torch.device("cpu")


def test_the_flush_touches_all_of_a_buffer_of_twice_the_cache() -> None:
    size = CacheSize(4096, known=True)
    flush = flush_of(CPU, size)
    first: Any = flush()
    before = first.clone()
    again: Any = flush()
    assert first.nbytes == size.flush_bytes == 8192
    # The very same memory, every item of it read and written.
    assert again.data_ptr() == first.data_ptr()
    assert torch.equal(again, before + 1)


@pytest.mark.parametrize(("said", "size"), [(123, CacheSize(123, known=True)), (None, CacheSize(2**25, known=False))])
def test_a_system_that_says_nothing_is_given_a_cache(
    monkeypatch: pytest.MonkeyPatch, said: int | None, size: CacheSize
) -> None:
    monkeypatch.setattr(module, "last_level_cache_bytes", lambda _: said)
    assert cache_size(CPU) == size


@pytest.mark.cuda
def test_on_cuda_the_buffer_is_set_to_zero() -> None:
    flushed: Any = flush_of(torch.device("cuda"), CacheSize(4096, known=True))()
    assert flushed.is_cuda
    assert flushed.count_nonzero().item() == 0
