"""What a linear layer and its function multiply and add, and what PyTorch 2.13 refuses of it, in its order."""

from segcli.shapes.calls import Call
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.kinds import C_NAMES, SCALARS, tensor_type
from segcli.shapes.layer.layers import as_tensor, check_cast
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.multiply.product_kernels import Place, check_bmm, is_plain
from segcli.shapes.multiply.products import folds
from segcli.shapes.records import record
from segcli.shapes.strides import is_row_major
from segcli.shapes.symbols import equal, equal_or_one, product
from segcli.shapes.values import Item, RaisedError, Shape, Tensor


@record(frozen=True, slots=True)
class Job:
    """What is multiplied and added; ``token`` is what the trace shows for the features that come out."""

    call: Call
    source: Item
    weight: Item
    bias: Item | None
    token: Item

    @property
    def x(self) -> Tensor:
        """What is multiplied."""
        return as_tensor(self.source)

    @property
    def w(self) -> Tensor:
        """The weight: (out, in), or (in,)."""
        return as_tensor(self.weight)

    @property
    def b(self) -> Tensor | None:
        """The bias, None for nothing."""
        return as_tensor(self.bias) if self.bias else None

    @property
    def is_layer(self) -> bool:
        """Whether weight and bias are a layer's own."""
        return self.call.layer is not None

    @property
    def out(self) -> int:
        """How many axes the weight gives."""
        return len(self.w.shape) - 1

    @property
    def shape(self) -> Shape:
        """The result's shape."""
        return (*self.x.shape[:-1], *self.w.shape[: self.out])

    @property
    def apart(self) -> bool:
        """Whether rows of a batch are multiplied one by one, as without gradients those of a view are."""
        rows = len(self.x.shape) > 2  # noqa: PLR2004 - a batch of rows
        return rows and not self.fused and not self.is_layer and not folds(self.x, self.w)

    @property
    def dtype(self) -> str:
        """The result's dtype: where rows are multiplied one by one and give nothing, nobody looks at the input's."""
        return self.w.dtype if self.apart and self.w.shape[0] == 0 else self.x.dtype

    @property
    def fused(self) -> bool:
        """Whether PyTorch multiplies and adds in one kernel, which wants one dtype and a bias of one axis."""
        if self.b is None:
            return False
        if len(self.x.shape) == 2:  # noqa: PLR2004 - rows
            return True
        flat = len(self.b.shape) == 1 or sum(size != 1 for size in self.b.shape) == 1
        return flat and is_row_major(self.x) is not False

    @property
    def counts_rows(self) -> bool:
        """Whether the bias has a number for each row, of which a batch is one sequence in the fused kernel."""
        batched = self.fused and len(self.x.shape) > 2  # noqa: PLR2004 - a batch of rows
        return batched and self.b is not None and len(self.b.shape) == 2 and self.b.shape[0] != 1  # noqa: PLR2004 - rows


def check_fused(job: Job) -> None:
    """Refuse what the fused kernel does before it looks at sizes: dtypes first.

    Args:
        job: What is multiplied and added.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    x, w, b = job.x, job.w, job.b
    if b is not None and b.dtype != w.dtype:
        words = f"self and mat2 must have the same dtype, but got {SCALARS[b.dtype]} and {SCALARS[w.dtype]}"
        at = job.source if job.is_layer or job.bias is None else job.bias
        raise RaisedError(at.span, "RuntimeError", words)
    if x.dtype != w.dtype:
        raise RaisedError((job.source if job.is_layer else job.weight).span, "RuntimeError", _dtypes(job))
    if len(w.shape) == 1:
        raise RaisedError(job.weight.span, "RuntimeError", "mat2 must be a matrix, got 1-D tensor")


def check_sizes(job: Job) -> list[str]:
    """Refuse a weight of another size or dtype; return what must hold of sizes that are not known.

    Args:
        job: What is multiplied and added.

    Raises:
        RaisedError: As PyTorch raises.
    """
    x, w = job.x, job.w
    found, takes = x.shape[-1], w.shape[-1]
    known = isinstance(found, int) and isinstance(takes, int)
    if found != takes and known:
        raise RaisedError(job.source.span, "RuntimeError", _mismatch(job), len(x.shape) - 1)
    if job.apart:
        place = Place(job.weight.span, job.weight.span)
        check_bmm(place, *_batches(job), x.dtype, w.dtype, plain=is_plain(x))
    elif x.dtype != w.dtype:
        raise RaisedError((job.source if job.is_layer else job.weight).span, "RuntimeError", _dtypes(job))
    return [] if found == takes else [equal(found, takes)]


def _batches(job: Job) -> tuple[Shape, Shape]:
    """Return the shapes of the batches of matrices that are multiplied where rows are apart."""
    x, w = job.x.shape, job.w.shape
    batch = product(x[:-2])
    return (batch, *x[-2:]), (batch, w[-1], *(w[:-1] or (1,)))


def check_bool(job: Job) -> None:
    """Refuse bools, which no kernel multiplies where there is anything to multiply.

    Args:
        job: What is multiplied and added.

    Raises:
        RaisedError: As PyTorch raises.
    """
    x = job.x
    if x.dtype != "bool" or 0 in job.shape:
        return
    # Of two vectors the dtype is looked at even where they are empty.
    if x.shape[-1] != 0 or not job.shape:
        kernel = "addmm_impl_cpu_" if job.out else "addmv_impl_cpu" if len(x.shape) > 1 else "dot"
        words = f"\"{kernel}\" not implemented for 'Bool'"
        raise RaisedError(job.source.span, "NotImplementedError", words)
    if job.fused:
        words = "result type Long can't be cast to the desired output type Bool"
        raise RaisedError(job.source.span, "RuntimeError", words)


def _mismatch(job: Job) -> str:
    found, takes, rows = job.x.shape[-1], job.w.shape[-1], product(job.x.shape[:-1])
    if job.apart:
        batch = product(job.x.shape[:-2])
        wanted = f"[{batch}, {found}] but got: [{batch}, {takes}]"
        return f"Expected size for first two dimensions of batch2 tensor to be: {wanted}."
    if job.out:
        return f"mat1 and mat2 shapes cannot be multiplied ({rows}x{found} and {takes}x{job.w.shape[0]})"
    if len(job.x.shape) > 1:
        return f"size mismatch, got input ({rows}), mat ({rows}x{found}), vec ({takes})"
    return (
        f"inconsistent tensor size, expected tensor [{found}] and src [{takes}] to have the same number of elements, "
        f"but got {found} and {takes} elements respectively"
    )


def _dtypes(job: Job) -> str:
    found, other = job.x.dtype, job.w.dtype
    if job.fused:
        return f"mat1 and mat2 must have the same dtype, but got {SCALARS[found]} and {SCALARS[other]}"
    if job.out:
        return f"expected m1 and m2 to have the same dtype, but got: {C_NAMES[found]} != {C_NAMES[other]}"
    if len(job.x.shape) > 1:
        listed = f"{SCALARS[other]}, {SCALARS[found]}, and {SCALARS[other]}"
        return f"addmv input tensors must have the same dtype, but got {listed}"
    return f"dot : expected both vectors to have same dtype, but found {SCALARS[found]} and {SCALARS[other]}"


def check_bias(job: Job) -> list[str]:
    """Refuse a bias that does not broadcast to the result; return what must hold of sizes that are not known.

    Args:
        job: What is multiplied and added.

    Raises:
        RaisedError: As PyTorch raises.
    """
    b, bias = job.b, job.bias
    if b is None or bias is None:
        return []
    target = (product(job.shape[:-1]), job.shape[-1]) if job.fused else job.shape
    needs: list[str] = []
    fits = len(b.shape) <= len(target)
    for size, given in zip(reversed(target), reversed(b.shape), strict=False):
        if isinstance(size, str) or isinstance(given, str):
            needs += [] if given in (size, 1) else [equal_or_one(given, size)]
        else:
            fits = fits and given in (size, 1)
    if not fits:
        together = broadcast_sizes([target, b.shape], [])
        raise RaisedError(bias.span, "RuntimeError", _bias_words(b, target, together, fused=job.fused))
    if not job.fused:
        check_cast(b.dtype, job.dtype, bias.span)
    return needs


def _bias_words(b: Tensor, target: Shape, together: Shape | None, *, fused: bool) -> str:
    pairs = list(zip(reversed(target), reversed(b.shape), strict=False))
    place = next((place for place, (size, given) in enumerate(pairs) if given not in (size, 1)), 0)
    axis = len(target) - 1 - place
    if fused and len(b.shape) > len(target):
        return (
            f"expand({tensor_type(b.dtype)}{{{bracketed(b.shape)}}}, size={bracketed(target)}): the number of sizes "
            f"provided ({len(target)}) must be greater or equal to the number of dimensions in the tensor "
            f"({len(b.shape)})"
        )
    if fused:
        return (
            f"The expanded size of the tensor ({target[axis]}) must match the existing size ({b.shape[-1 - place]}) at "
            f"non-singleton dimension {axis}.  Target sizes: {bracketed(target)}.  Tensor sizes: {bracketed(b.shape)}"
        )
    if together is None:
        # Here a size of 1 on either side fits.
        place = next(place for place, pair in enumerate(pairs) if 1 not in pair and pair[0] != pair[1])
        size, given = pairs[place]
        axis = max(len(target), len(b.shape)) - 1 - place
        return (
            f"The size of tensor a ({size}) must match the size of tensor b ({given}) at non-singleton dimension {axis}"
        )
    return f"output with shape {bracketed(target)} doesn't match the broadcast shape {bracketed(together)}"
