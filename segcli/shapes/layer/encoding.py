"""One-hot encoding, and softmax as functions of ``torch.nn.functional``: PyTorch 2.13's."""

from dataclasses import replace
from typing import cast

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.layer.kernels import bind_known, item_of, kept_step, tensor_with
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.operations import find_operation
from segcli.shapes.reduced import Reduced
from segcli.shapes.signatures import Signatures, is_integer
from segcli.shapes.values import Item, RaisedError, Size, Symbol, Tensor, check_elements, type_name

_ONE_HOT = Signatures((), ("Tensor input, int num_classes=",))
_SOFTMAX = "input, dim=None, _stacklevel=3, dtype=None"
_ADVICE = "write np.eye(num_classes, dtype=int)[x]"


def _one_hot(call: Call) -> Computed:
    bound = bind_call(call, _ONE_HOT)
    source = bound["input"].item
    x = as_tensor(source)
    asked = item_of(bound, "num_classes", -1, source.span)
    number = read_size(asked)
    if x.dtype != "int64":
        words = "one_hot is only applicable to index tensor of type LongTensor."
        raise RaisedError(source.span, "RuntimeError", words)
    needs: tuple[str, ...] = ()
    if 0 in x.shape:
        if isinstance(number, int) and number <= 0:
            words = "Can not infer total number of classes from empty tensor."
            raise RaisedError(asked.span, "RuntimeError", words)
    else:
        needs = _check_values(source, number, asked)
        number = _count(source, number)
    shape = (*x.shape, number)
    check_elements(shape, call.text)
    last = len(x.shape)
    labels = (*x.labels, None) if x.labels else ()
    given = "num_classes" in bound
    effect = _effect(number, source.text, known=given and asked.value != -1, values=x.values is not None)
    token = asked if given else Item(None, "", (0, 0))
    steps = (
        *kept_step(call, "not encoded", range(last), "kept"),
        Step(call.stage, token.text, token.span, "classes", (), (last,), effect),
    )
    read = Read(0, tuple(f"{{i{axis}}}" for axis in range(last)))
    formula = None if 0 in shape else Formula(f"1 if {{0}} == {{i{last}}} else 0", (read,))
    notes = ("the classes are the last axis: .movedim(-1, 1) puts them behind the batch",)
    result = replace(call.make(shape, "int64"), labels=labels)
    return Computed(result, (source,), steps, formula=formula, needs=needs, notes=notes if last > 1 else ())


def _check_values(source: Item, number: Size, asked: Item) -> tuple[str, ...]:
    """Check the values as far as they are known; say what must hold where they are not."""
    values = as_tensor(source).values
    if values is not None and min(values) < 0:
        raise RaisedError(source.span, "RuntimeError", "Class values must be non-negative.")
    if number == -1:
        return ()
    # No value is below a number of classes that is none.
    if isinstance(number, int) and (number <= 0 or (values is not None and max(values) >= number)):
        raise RaisedError(asked.span, "RuntimeError", "Class values must be smaller than num_classes.")
    if values is not None and isinstance(number, str):
        return (f"{number} >= {int(max(values)) + 1}",)
    return ()


def _count(source: Item, number: Size) -> Size:
    """Return how many classes there are."""
    if number != -1:
        return number
    values = as_tensor(source).values
    return f"max({source.text}) + 1" if values is None else int(max(values)) + 1


def _effect(number: Size, text: str, *, known: bool, values: bool) -> str:
    if known:
        return f"new last axis: num_classes = {number}; every value of {text} must be below it"
    if values:
        return f"new last axis: the largest value + 1 = {number} classes"
    return f"new last axis: as many classes as the largest value of {text} asks for"


def _softmax(call: Call) -> object:
    """Do what the method does, with the dim that an old rule picks where there is none."""
    bound = bind_known(call, call.name, _SOFTMAX)
    source, dim = bound["input"].item, item_of(bound, "dim", None, call.span)
    x = tensor_with(source, "dim" if dim.value is None else call.name)
    note = ""
    if dim.value is None:
        _check_level(item_of(bound, "_stacklevel", 3, call.span))
        # 0 for no more than one axis, and for three: pictures without a batch.
        picked = 0 if len(x.shape) in (0, 1, 3) else 1
        dim = Item(picked, str(picked), call.span)
        note = f"without dim PyTorch warns, and takes dim={picked} for a tensor of {len(x.shape)} axes: write the dim"
    arguments = [("", source), ("", dim)]
    if "dtype" in bound and bound["dtype"].value is not None:
        arguments.append(("dtype", bound["dtype"].item))
    operation = cast("Operation", find_operation("method", call.name))
    done = operation.torch(replace(call, space="method", arguments=tuple(arguments)))
    if note and isinstance(done, Reduced | Computed):
        return replace(done, notes=(*done.notes, note))
    return done


def _check_level(level: Item) -> None:
    """Refuse what the warning cannot be given with."""
    value = level.value
    whole = isinstance(value, int | Symbol) or (isinstance(value, Tensor) and is_integer(value))
    if not whole:
        words = f"'{type_name(value)}' object cannot be interpreted as an integer"
        raise RaisedError(level.span, "TypeError", words)


OPERATIONS = {
    "one_hot": Operation(_one_hot, None, _ADVICE),
    "softmax": Operation(
        _softmax, None, "write e = np.exp(x - x.max(axis, keepdims=True)); e / e.sum(axis, keepdims=True)"
    ),
    "log_softmax": Operation(_softmax, None, "write x - np.log(np.exp(x).sum(axis, keepdims=True))"),
}
