import pytest
import torch

from segcli.ckpt.conversion.device_tag import check_tag
from segcli.errors import SegcliError


@pytest.mark.parametrize(
    "tag", ["cpu", "cuda", "cuda:0", "cuda:127", "mps", "meta", "xpu:1", "hpu", "mtia:0", "privateuse1"]
)
def test_tags_that_torch_knows(tag: str) -> None:
    assert check_tag(tag) == tag
    # Torch calls the last one by the name that it was given.
    assert tag == "privateuse1" or str(torch.device(tag)) == tag


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("gpu", "unknown device 'gpu', expected cpu, cuda"),
        ("", "unknown device ''"),
        ("CUDA", "unknown device 'CUDA'"),
        ("cpu:0", "cpu has no number"),
        ("cuda:", "expected a number from 0 to 127 behind cuda:"),
        ("cuda:01", "expected a number"),
        ("cuda:128", "expected a number"),
        ("cuda:-1", "expected a number"),
        ("cuda:0\n", "expected a number"),
    ],
)
def test_others_are_refused(tag: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        check_tag(tag)


@pytest.mark.parametrize("tag", ["gpu", "GPU", "nvidia"])
def test_who_types_gpu_means_cuda(tag: str) -> None:
    with pytest.raises(SegcliError, match=tag) as caught:
        check_tag(tag)
    assert caught.value.hint == "such a GPU is cuda, or cuda:0"
