"""Compares two checkpoints, of whatever formats: keys, shapes, dtypes, device tags, values, ties and other values."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.ckpt.dicts import state_dicts
from segcli.ckpt.difference.matching import Prefix, TieDifference, common_prefix, tie_differences
from segcli.ckpt.difference.values import ValueDifference, Values, only
from segcli.ckpt.tensors import StoredTensor, holdings, matches, shared_keys
from segcli.ckpt.views import view_of
from segcli.elements.comparing import Gap, compare
from segcli.elements.strides import View
from segcli.errors import SegcliError, nearest
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Call, Node
from segcli.formats.sniff import Kind
from segcli.formats.tensor_header import LAZY, TensorHeader

Advance = Callable[[int], None]

IGNORED = ("tags", "dtypes", "values", "ties", "others")


@dataclass(frozen=True)
class Question:
    """What two checkpoints are asked.

    Attributes:
        tolerance: Values differ where they are further apart than this and ``rtol`` times the second one's magnitude.
        rtol: See ``tolerance``.
        keys: Globs of the keys that are compared; empty for all.
        ignore: Which of `IGNORED` do not count.
        quick: Whether records of one checksum and size count as equal without being read.
    """

    tolerance: float = 0.0
    rtol: float = 0.0
    keys: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    quick: bool = False


@dataclass(frozen=True)
class TensorDifference:
    """A tensor that both files have, and that differs.

    Attributes:
        key: Its key.
        differs: In what: of ``layout``, ``shape``, ``dtype``, ``tag`` and ``values``.
        first: What the first file says of it.
        second: What the second file says of it.
        values: How its values differ, also where they are within the tolerance; None where they are equal, or cannot
            be compared since shapes differ.
    """

    key: str
    differs: tuple[str, ...]
    first: TensorHeader
    second: TensorHeader
    values: Gap | None


@dataclass(frozen=True)
class Difference:
    """What differs between two checkpoints.

    Attributes:
        first: The first file.
        second: The second file.
        formats: Their formats.
        same: Whether nothing that counts differs.
        compared: How many tensors both have.
        equal: How many of them are alike in all that counts.
        within: How many of the tensors have values that differ, but not beyond the tolerance.
        within_max_abs: The largest difference in these.
        strides: How many lie in another order in memory, which does not count.
        only_first: Keys of tensors that the second file does not have.
        only_second: Keys of tensors that the first file does not have.
        prefix: What would have to be taken from the keys for them to match.
        tensors: Tensors that differ, the worst first.
        ties: Tensors that share memory in one file alone.
        values: Other values that differ.
    """

    first: Path
    second: Path
    formats: tuple[str, str]
    same: bool
    compared: int
    equal: int
    within: int
    within_max_abs: float
    strides: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    prefix: Prefix | None
    tensors: tuple[TensorDifference, ...]
    ties: tuple[TieDifference, ...]
    values: tuple[ValueDifference, ...]


def diff(first: Path, second: Path, question: Question | None = None, *, advance: Advance | None = None) -> Difference:
    """Compare two checkpoints.

    Args:
        first: A checkpoint of any format that is read.
        second: Another.
        question: What is compared, and how.
        advance: Told of bytes of the first as they are compared.

    Raises:
        SegcliError: For a file that is no checkpoint or is damaged, keys that none has, or an unknown thing to ignore.
    """
    question = question or Question()
    _check(question)
    with open_checkpoint(first) as one, open_checkpoint(second) as two:
        found = _Comparison(one, two, question, advance or (lambda _: None)).run(first, second)
        one.source.check_unchanged()
        two.source.check_unchanged()
    return found


def _check(question: Question) -> None:
    for word in question.ignore:
        if word not in IGNORED:
            message = f"unknown thing to ignore {word!r}, expected one of {', '.join(IGNORED)}"
            raise SegcliError(message, hint=nearest(word, list(IGNORED)))
    for name, value in (("--tolerance", question.tolerance), ("--rtol", question.rtol)):
        if not value >= 0:
            message = f"{name} is {value}, expected a number from 0 on"
            raise SegcliError(message)


class _Comparison:
    """Two open checkpoints, and what is asked of them."""

    def __init__(self, one: Checkpoint, two: Checkpoint, question: Question, advance: Advance) -> None:
        self._files = one, two
        self._question = question
        self._advance = advance
        self._values = Values()
        self._done: dict[tuple[object, ...], Gap | None] = {}
        # What names no devices and has no way to tie tensors differs in neither.
        self._is_bare = Kind.SAFETENSORS in (one.kind, two.kind)

    def run(self, first: Path, second: Path) -> Difference:
        question = self._question
        shared = {key for file in self._files for key in shared_keys(file)}
        (one, one_other), (two, two_other) = (self._holdings(file, shared) for file in self._files)
        if question.keys and not (one or two or one_other or two_other):
            message = f"neither {first} nor {second} has a key that is {' or '.join(question.keys)}"
            raise SegcliError(message, hint="* stands for any characters, dots among them")
        common = [key for key in one if key in two]
        pairs = [self._tensor(one[key], two[key]) for key in common]
        tensors = [pair for pair in pairs if pair.differs]
        within = [pair.values for pair in pairs if pair.values and "values" not in pair.differs]
        only_first, only_second = _missing(one, two), _missing(two, one)
        values = () if "others" in question.ignore else tuple(self._others(one_other, two_other))
        ties = () if self._is_bare or "ties" in question.ignore else tuple(tie_differences(one, two, common))
        return Difference(
            first=first,
            second=second,
            formats=(self._files[0].kind.value, self._files[1].kind.value),
            same=not (tensors or only_first or only_second or values or ties),
            compared=len(common),
            equal=len(common) - len(tensors),
            within=len(within),
            within_max_abs=max((gap.max_abs for gap in within), default=0.0),
            strides=sum(_other_strides(pair) for pair in pairs),
            only_first=only_first,
            only_second=only_second,
            prefix=self._prefix(only_first, only_second),
            tensors=tuple(sorted(tensors, key=_rank)),
            ties=ties,
            values=values,
        )

    def _prefix(self, only_first: Sequence[str], only_second: Sequence[str]) -> Prefix | None:
        found = common_prefix(set(only_first), set(only_second))
        if found is None:
            return None
        root = self._files[0 if found.file == "first" else 1].root
        inside = [one.key for one in state_dicts(root) if one.key and found.text.startswith(f"{one.key}.")]
        return replace(found, inside=max(inside, key=len, default=""))

    def _holdings(self, file: Checkpoint, shared: set[str]) -> tuple[dict[str, StoredTensor], dict[str, Node]]:
        found, globs = holdings(file, quoted=shared), self._question.keys
        if not globs:
            return found.tensors, found.other
        tensors = {key: tensor for key, tensor in found.tensors.items() if matches(key, globs)}
        return tensors, {key: node for key, node in found.other.items() if matches(key, globs)}

    def _others(self, one: dict[str, Node], two: dict[str, Node]) -> list[ValueDifference]:
        found = [only(key, one[key], in_first=True) for key in one if key not in two]
        found += [only(key, two[key], in_first=False) for key in two if key not in one]
        for key, node in one.items():
            if key in two:
                found += self._values.differences(key, node, two[key])
        return found

    def _tensor(self, one: StoredTensor, two: StoredTensor) -> TensorDifference:
        first, second = one.header, two.header
        ignore = self._question.ignore
        differs = ["shape"] if first.shape != second.shape else []
        # How a tensor came to be wrapped is of no account: a parameter and a buffer may be one.
        if first.layout != second.layout:
            differs.append("layout")
        if first.dtype != second.dtype and "dtypes" not in ignore:
            differs.append("dtype")
        if first.device != second.device and not self._is_bare and "tags" not in ignore:
            differs.append("tag")
        gap = None
        # Elements that are yet to be conjugated or negated on one side only are not what the other's are.
        is_lazy = first.layout != second.layout and not LAZY.isdisjoint((*first.layout.split(), *second.layout.split()))
        if "values" not in ignore and first.shape == second.shape and not is_lazy:
            is_comparable, gap = self._gap(one, two)
            if not is_comparable or (gap and gap.beyond):
                differs.append("values")
        return TensorDifference(one.key, tuple(differs), first, second, gap)

    def _gap(self, one: StoredTensor, two: StoredTensor) -> tuple[bool, Gap | None]:
        """Return whether two tensors' parts can be compared one by one, and the largest gap between them."""
        quantizers = [_quantizer(tensor.node) for tensor in (one, two)]
        if len(one.parts) != len(two.parts) or any(Values().differences(one.key, *quantizers)):
            return False, None
        gaps: list[Gap] = []
        for parts in zip(one.parts, two.parts, strict=True):
            views = [view_of(file, one.key, part) for file, part in zip(self._files, parts, strict=True)]
            # Of the parts of sparse tensors, and of storages whose elements share bytes, not even the shapes are known.
            if views[0].shape != views[1].shape:
                return False, None
            gap = self._part_gap(parts, views[0], views[1])
            gaps += [gap] if gap else []
        return True, max(gaps, key=lambda gap: (gap.beyond > 0, gap.nonfinite, gap.max_abs), default=None)

    def _part_gap(self, parts: tuple[TensorHeader, TensorHeader], one: View, two: View) -> Gap | None:
        """Compare what two tensors have in storages; what two keys show alike is compared once."""
        places = [(part.storage, part.dtype, part.offset, part.shape, part.stride) for part in parts]
        known = tuple(places)
        if known not in self._done:
            if self._question.quick and places[0][1:] == places[1][1:] and _is_one_checksum(one.data, two.data):
                self._advance(one.count * one.item_bytes)
                self._done[known] = None
            else:
                atol, rtol = self._question.tolerance, self._question.rtol
                self._done[known] = compare(one, two, atol=atol, rtol=rtol, advance=self._advance)
        return self._done[known]


def _missing(one: Collection[str], two: Collection[str]) -> tuple[str, ...]:
    return tuple(key for key in one if key not in two)


def _is_one_checksum(one: Stretch, two: Stretch) -> bool:
    """Whether the files say of two records that they have one size and checksum; 0 stands for "none was computed"."""
    return bool(one.crc) and (one.crc, one.size) == (two.crc, two.size)


def _quantizer(node: Node) -> Node:
    """Return what turns a quantized tensor's integers into numbers; None for all others."""
    while isinstance(node, Call):
        if node.path == "torch._utils._rebuild_qtensor":
            return node.arguments[4]
        node = next((one for one in node.arguments if isinstance(one, Call)), None)
    return None


def _other_strides(pair: TensorDifference) -> bool:
    first, second = pair.first, pair.second
    return first.shape == second.shape and None not in (first.stride, second.stride) and first.stride != second.stride


def _rank(pair: TensorDifference) -> tuple[int, int, float]:
    """Sort what cannot be compared first, then by how far the values are apart, and what has equal values last."""
    if pair.values:
        return 1, -pair.values.nonfinite, -pair.values.max_abs
    return (0 if {"shape", "layout", "values"}.intersection(pair.differs) else 2), 0, 0.0
