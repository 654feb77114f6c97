from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.ckpt import Recipe, convert
from segcli.ckpt.assembly import assemble
from segcli.ckpt.casting import Casting, cast
from segcli.ckpt.tensors import holdings
from segcli.errors import SegcliError
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.zip_write import torch_records, write_zip
from tests.ckpt.oracles import bits, loads
from tests.formats.crafting import Saved, check_layout, checkpoint, pickled, rebuild, save, storage

FLOATS = ["float64", "float32", "float16", "bfloat16"]
FLOAT8 = [torch.float8_e4m3fn, torch.float8_e5m2]
NO = False


def cast_file(source: Path, dtype: str, **options: Any) -> tuple[Path, Casting]:  # noqa: ANN401 - any options
    """Write a checkpoint with its floating tensors cast."""
    destination = source.with_name(f"{dtype}.pth")
    with open_checkpoint(source) as opened, destination.open("wb") as file:
        casting = cast(opened, dtype, **options)
        assembly = assemble(opened.root, opened.protocol)
        payloads = [casting.payloads[key] for key in assembly.keys]
        records = torch_records(assembly.pickle, payloads, alignment=64, byteorder=opened.byteorder)
        write_zip(file.fileno(), "archive", records, 64, lambda _: None)
    return destination, casting


def check(value: Saved, original: Saved, dtype: torch.dtype) -> None:
    """Compare with what torch's ``to`` gives, down to strides, offsets and bits."""
    if isinstance(original, torch.Tensor):
        expected = original.to(dtype) if original.is_floating_point() and original.layout == torch.strided else original
        assert (value.dtype, value.shape) == (expected.dtype, original.shape)
        if value.layout == torch.strided and not value.is_quantized:
            assert (value.stride(), value.storage_offset()) == (original.stride(), original.storage_offset())
            assert value.requires_grad == original.requires_grad
            finite = ~expected.to(torch.complex128).isnan()
            assert bits(value[finite]) == bits(expected[finite])
            assert value[~finite].to(torch.complex128).isnan().all()
    elif isinstance(original, dict):
        assert list(value) == list(original)
        for key in original:
            check(value[key], original[key], dtype)
    elif isinstance(original, list | tuple):
        for one, two in zip(value, original, strict=True):
            check(one, two, dtype)
    else:
        assert value == original


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    numbers = torch.tensor([0.0, -0.0, 1.5, -2.25, 1e-8, 3.3, 65504.0, float("nan"), float("inf"), 7.0, 0.1, 448.0])
    dtypes = [getattr(torch, name) for name in FLOATS] + FLOAT8 + [torch.int64, torch.bool, torch.complex64]
    bases = [
        numbers[torch.randperm(12, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))]
        .to(dtype)
        .reshape(3, 4)
        for dtype in draw(st.lists(st.sampled_from(dtypes), min_size=1, max_size=4))
    ]
    views = [lambda t: t, lambda t: t[1:], lambda t: t.T, lambda t: t[::2, ::3], lambda t: t[:0], lambda t: t[0, 0]]
    views.append(lambda t: t[0, 0].expand(4))
    tensors = st.builds(lambda base, view: view(base), st.sampled_from(bases), st.sampled_from(views))
    return {"first": draw(tensors), "rest": draw(st.lists(tensors, max_size=6)), "lr": 0.1, "dtype": torch.float32}


@given(contents(), st.sampled_from(FLOATS))
@example({"w": torch.nn.Parameter(torch.randn(3)), "d": torch.tensor([1.0 + 2**-11 + 2**-30]).double()}, "float16")
def test_it_is_what_torchs_own_cast_gives(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], name: str
) -> None:
    source = save(content, tmp_path_factory.mktemp("cast") / "source.pth")
    destination, casting = cast_file(source, name, allow_overflow=True)
    dtype = getattr(torch, name)
    original = torch.load(source)
    for loaded in loads(destination):
        check(loaded, original, dtype)
    check_layout(destination)
    assert sum(casting.payloads[key].size for key in casting.payloads) == sum(
        stored.bytes for stored in casting.storages.values()
    )


@pytest.mark.parametrize("name", FLOATS)
def test_a_whole_training_state(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    net: Saved = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 3))
    net[0].register_parameter("tied", net[0].weight)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net[:2](torch.randn(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    content: dict[str, Any] = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "net": net}
    destination, casting = cast_file(save(content, tmp_path / "source.pth"), name)
    state = content["model"]
    for loaded in loads(destination, weights_only=False):
        check(loaded["model"], dict(state), getattr(torch, name))
        check(loaded["optimizer"]["state"], content["optimizer"]["state"], getattr(torch, name))
        places = [loaded["model"][key].untyped_storage().data_ptr() for key in ("0.weight", "0.tied")]
        assert places[0] == places[1] == loaded["net"][0].weight.untyped_storage().data_ptr()
        assert loaded["model"]["1.num_batches_tracked"].dtype == torch.int64
    assert ("model.0.weight" in casting.cast) == (name != "float32")
    assert ("model.0.weight" in casting.left) == (name == "float32")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantized_sparse_and_meta_tensors(tmp_path: Path) -> None:
    scales = torch.tensor([0.1, 0.2], dtype=torch.float64)
    zeros = torch.zeros(2, dtype=torch.int64)
    content = {
        "q": torch.quantize_per_channel(torch.randn(2, 3), scales, zeros, 0, torch.qint8),
        "coo": torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse(),
        "csr": torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse_csr(),
        "meta": torch.empty(2, 3, device="meta"),
        "complex": torch.randn(3, dtype=torch.complex64),
    }
    destination, casting = cast_file(save(content, tmp_path / "source.pth"), "float16")
    for loaded in loads(destination, weights_only=False):
        assert loaded["q"].q_per_channel_scales().dtype == torch.float64
        assert torch.equal(loaded["q"].int_repr(), content["q"].int_repr())
        for key in ("coo", "csr"):
            assert loaded[key].dtype == torch.float16
            assert torch.equal(loaded[key].to_dense(), content[key].to_dense().half())
        assert (loaded["meta"].dtype, loaded["meta"].device.type) == (torch.float16, "meta")
        assert torch.equal(loaded["complex"], content["complex"])
    assert casting.cast == ("coo", "csr", "meta")


def test_kept_keys_and_what_is_said(tmp_path: Path) -> None:
    content = {"head": {"weight": torch.ones(4), "norm": torch.ones(2)}, "half": torch.ones(2).half()}
    destination, casting = cast_file(save(content, tmp_path / "source.pth"), "float16", keep=["*.norm"])
    loaded = torch.load(destination)
    assert (loaded["head"]["weight"].dtype, loaded["head"]["norm"].dtype) == (torch.float16, torch.float32)
    assert (casting.cast, casting.left) == (("head.weight",), ("head.norm", "half"))
    assert (casting.bytes_before, casting.bytes_after) == (16, 8)


def test_a_kept_key_on_a_storage_that_is_cast_is_refused(tmp_path: Path) -> None:
    weight = torch.ones(3)
    source = save({"a": weight, "b": weight, "c": weight[1:]}, tmp_path / "source.pth")
    with (
        open_checkpoint(source) as opened,
        pytest.raises(SegcliError, match=r"b in .* is kept, and shares its memory with a, c"),
    ):
        cast(opened, "float16", keep=["b"])


def test_tensors_of_two_dtypes_on_one_storage_are_refused(tmp_path: Path) -> None:
    one, two = torch.zeros(4, dtype=torch.float8_e4m3fn), torch.zeros(4, dtype=torch.float8_e5m2)
    two = one.view(torch.float8_e5m2)
    source = save([one, two], tmp_path / "source.pth")
    with open_checkpoint(source) as opened, pytest.raises(SegcliError, match=r"1 in .* tensors of another dtype"):
        cast(opened, "float16")


@pytest.mark.parametrize(
    ("value", "before", "after", "told"),
    [
        (70000.0, "float32", "float16", "w in .*: 2 elements, the first 70000, would be infinite in float16"),
        (65519.996, "float32", "float16", ""),
        (65520.0, "float32", "float16", "2 elements, the first 65520"),
        (1e300, "float64", "float32", "the first 1e.300, would be infinite in float32"),
        (3.4e38, "float32", "bfloat16", "would be infinite in bfloat16, whose largest number is 3.38953e.38"),
        (3.39e38, "float32", "bfloat16", ""),
        (float("inf"), "float32", "float16", ""),
    ],
)
def test_overflow_is_refused_unless_allowed(tmp_path: Path, value: float, before: str, after: str, told: str) -> None:
    tensor = torch.tensor([1.0, value, value], dtype=getattr(torch, before))
    source = save({"w": tensor}, tmp_path / "source.pth")
    if told:
        with pytest.raises(SegcliError, match=told):
            cast_file(source, after)
    destination, casting = cast_file(source, after, allow_overflow=True)
    assert bits(torch.load(destination)["w"]) == bits(tensor.to(getattr(torch, after)))
    assert [(found.keys, found.elements) for found in casting.overflows] == ([(("w",), 2)] if told else [])


def test_one_element_of_a_large_tensor_is_found(tmp_path: Path) -> None:
    tensor = torch.ones(300_000)
    tensor[299_999] = -1e6
    with pytest.raises(SegcliError, match=r"w, v in .*: 1 element, the first -1e.06, would"):
        cast_file(save({"w": tensor, "v": tensor[:5]}, tmp_path / "source.pth"), "float16")


def test_unknown_dtypes_are_refused(tmp_path: Path) -> None:
    source = save({"w": torch.ones(3)}, tmp_path / "source.pth")
    with open_checkpoint(source) as opened, pytest.raises(SegcliError, match="unknown dtype 'float61'") as raised:
        cast(opened, "float61")
    assert raised.value.hint == "did you mean float64 or float16 or bfloat16?"


def test_wrappers_are_refused_and_xlas_tensors_are_cast(tmp_path: Path) -> None:
    plain = rebuild("_rebuild_tensor", storage(), 0, (2, 2), (2, 1))
    wrapper = rebuild(
        "_rebuild_wrapper_subclass", torch.nn.Parameter, torch.float32, (2,), (1,), 0, torch.strided, "cpu", NO
    )
    source = checkpoint(tmp_path / "wrapper.pth", pickled({"w": wrapper, "a": plain}))
    with open_checkpoint(source) as opened, pytest.raises(SegcliError, match=r"w in .* is no plain tensor"):
        cast(opened, "float16")
    with open_checkpoint(source) as opened:
        assert cast(opened, "float16", keep=["w"]).cast == ("a",)
    node = rebuild("_rebuild_device_tensor_from_cpu_tensor", plain, torch.float32, "cpu", NO)
    source = checkpoint(tmp_path / "xla.pth", pickled({"w": node}))
    destination, _ = cast_file(source, "bfloat16")
    loaded = torch.load(destination)["w"]
    assert (loaded.dtype, loaded.flatten().tolist()) == (torch.bfloat16, [1, 2, 3, 4])


def test_the_dtype_of_indices_stays(tmp_path: Path) -> None:
    indices = rebuild("_rebuild_tensor_v3", storage(key="1"), 0, (2,), (1,), NO, {}, torch.uint16)
    values = rebuild("_rebuild_tensor", storage(), 0, (2,), (1,))
    node = rebuild("_rebuild_sparse_tensor", torch.sparse_coo, (indices, values, (9,)))
    source = checkpoint(tmp_path / "source.pth", pickled({"w": node}), **{"data/1": bytes(16)})
    with open_checkpoint(source) as opened:
        assert cast(opened, "float16").cast == ("w",)
        assert [part.dtype for part in holdings(opened).tensors["w"].parts] == ["uint16", "float16"]


def test_a_record_may_be_longer_than_its_storage(tmp_path: Path) -> None:
    node = rebuild("_rebuild_tensor", storage(numel=3), 0, (3,), (1,))
    for name in ("float16", "float32"):
        destination, _ = cast_file(checkpoint(tmp_path / "source.pth", pickled([node])), name)
        (loaded,) = torch.load(destination)
        assert (loaded.tolist(), loaded.untyped_storage().nbytes()) == ([1, 2, 3], 3 * loaded.element_size())


def test_storages_on_their_own(tmp_path: Path) -> None:
    storage_of: Saved = torch.Tensor.storage
    typed = storage_of(torch.ones(3))
    content = [typed, torch.ones(3).untyped_storage(), torch.arange(3)]
    destination, casting = cast_file(save(content, tmp_path / "source.pth"), "float16")
    typed, untyped, integers = torch.load(destination, weights_only=False)
    assert (typed.dtype, typed.tolist()) == (torch.float16, [1, 1, 1])
    assert (untyped.nbytes(), integers.tolist()) == (12, [0, 1, 2])
    assert casting.cast == ("0",)


@pytest.mark.parametrize("file_format", ["zip", "legacy", "safetensors", "dcp"])
def test_a_dry_run_refuses_what_the_run_refuses(tmp_path: Path, file_format: str) -> None:
    source = save({"w": torch.tensor([1.0, 1e30])}, tmp_path / "model.pth")
    for dry_run in (True, False):
        with pytest.raises(SegcliError, match=r"w in .*: 1 element, the first 1e\+30, would be infinite in float16"):
            convert(source, tmp_path / "out", file_format=file_format, recipe=Recipe(dtype="float16", dry_run=dry_run))
    wish = Recipe(dtype="float16", allow_overflow=True, dry_run=True)
    done = convert(source, tmp_path / "out", file_format=file_format, recipe=wish)
    assert done.cast
    assert [(one.keys, one.elements) for one in done.cast.overflows] == [(("w",), 1)]
    assert list(tmp_path.iterdir()) == [source]
