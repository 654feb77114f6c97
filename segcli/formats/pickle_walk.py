"""Follows a pickle's opcodes on a stack of plain data. Nothing is imported, called or built.

The opcodes are read by the standard library's ``pickletools``, which knows them all and runs none.

Source: PEP 307, PEP 3154, PEP 574, and ``pickletools`` of CPython 3.11.
"""

import contextlib
import io
import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from segcli.errors import SegcliError
from segcli.formats.byte_source import MADE_SO
from segcli.formats.collection import collection_paused
from segcli.formats.persistent_id import Resolve, resolve_zip
from segcli.formats.pickle_light import LightMachine, UnkeptError
from segcli.formats.pickle_machine import Machine
from segcli.formats.pickle_nodes import Call, Detached, Group, Mapping, Node, Notes, Storage, Text


@dataclass(frozen=True)
class Walk:
    """What a pickle says.

    Attributes:
        root: What it would build; None where that was not to be kept.
        storages: Every storage that it names, once for each time.
        repeats: The strings that the memo pushed again.
        globals: Every class and function that it names, with the number of times.
        calls: Every name that it would call, with the number of times.
        filled: The names in whose results it would set or append items.
        opcodes: The names of the opcodes that it has.
        frames: Of every frame, the first byte of its length field, its own first byte, and the one after its last.
        protocol: Its protocol.
        end: The byte behind its last.
        detached: The strings that a number says the memo could have pushed: what `pickle_retag` leaves.
        kept: One more than the greatest number under which something was kept in turn.
        spare: The number from which on none is in use, but for those of ``detached``.
    """

    root: Node
    storages: Notes[Storage]
    repeats: Notes[Text]
    globals: dict[str, int]
    calls: dict[str, int]
    filled: frozenset[str]
    opcodes: frozenset[str]
    frames: tuple[tuple[int, int, int], ...]
    protocol: int
    end: int
    detached: tuple[Detached, ...] = ()
    kept: int = 0
    spare: int = 1


def walk(data: bytes, name: str, resolve: Resolve = resolve_zip, *, keep: bool = True) -> Walk:
    """Follow a pickle to its end.

    Args:
        data: The whole pickle.
        name: How messages call it.
        resolve: Says what its persistent ids stand for.
        keep: Whether to keep the root; without, a file of many tensors takes far less memory, and storages have no ids.

    Raises:
        SegcliError: Where it is damaged, too large to be a checkpoint's, or has what torch's checkpoints never have.

    Examples:
        >>> import pickle
        >>> walk(pickle.dumps(print, protocol=2), "a pickle").globals
        {'builtins.print': 1}
    """
    if not keep:
        # What few pickles need was not kept: they are followed anew.
        with contextlib.suppress(UnkeptError):
            return _walked(data, name, lambda tell: LightMachine(name, tell, data))
    return _walked(data, name, lambda tell: Machine(name, tell, resolve))


def _walked(data: bytes, name: str, make: Callable[[Callable[[], int]], Machine]) -> Walk:
    stream = io.BytesIO(data)
    found = _follow(stream, make(stream.tell))
    if found.frames and found.frames[-1][2] > len(data):
        message = f"{name} is damaged at byte {found.frames[-1][0]}: a frame reaches beyond its end"
        raise SegcliError(message, hint=MADE_SO)
    if stream.tell() != len(data):
        message = f"{name} is damaged at byte {found.end - 1}: {len(data) - found.end} bytes follow its end"
        raise SegcliError(message, hint=MADE_SO)
    return found


def walk_stream(stream: BinaryIO, name: str, resolve: Resolve = resolve_zip) -> Walk:
    """Follow a pickle from where a stream stands to its end, behind which the stream is left.

    Args:
        stream: Bytes, from which whole reads come; places are offsets in it.
        name: How messages call the pickle.
        resolve: Says what its persistent ids stand for.

    Raises:
        SegcliError: As `walk`.
    """
    return _follow(stream, Machine(name, stream.tell, resolve))


def _follow(stream: BinaryIO, machine: Machine) -> Walk:
    with collection_paused(), warnings.catch_warnings():
        # An odd escape in a string of protocol 0 is the file's, and no matter for a warning of Python's.
        warnings.simplefilter("ignore")
        try:
            for opcode, argument, position in pickletools.genops(stream):
                machine.begin_step(opcode.name, position or 0)
                _STEPS[opcode.name](machine, argument)
        except (ValueError, OverflowError) as error:
            # What Python adds for its programmers is no way out of a file.
            reason = " ".join(str(error).split()).partition("; use ")[0]
            message = f"{machine.name} is damaged behind byte {machine.position}: {reason}"
            raise SegcliError(message, hint=MADE_SO) from error
    return Walk(
        root=machine.root,
        storages=machine.storages,
        repeats=machine.repeats,
        globals=machine.globals,
        calls=machine.calls,
        filled=frozenset(machine.filled),
        opcodes=frozenset(machine.opcodes),
        frames=tuple(machine.frames),
        protocol=machine.protocol,
        end=stream.tell(),
        detached=tuple(machine.detached),
        kept=machine.kept,
        spare=machine.spare,
    )


Step = Callable[[Machine, Any], None]


def _tuple(count: int) -> Step:
    def step(machine: Machine, _argument: object) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.push_tuple(items[::-1])

    return step


def _instance(machine: Machine, names: str) -> None:
    """Do INST, whose class is its argument and whose arguments lie above the mark."""
    items = machine.pop_to_mark()
    machine.name_global(*names.split(" ", 1))
    machine.push_call(Call(machine.pop(), Group("tuple", items), how="OBJ"))


def _dict(machine: Machine, _argument: object) -> None:
    pairs = machine.pop_pairs()
    machine.check_keys(pairs)
    machine.push(Mapping(pairs))


def _set_item(machine: Machine, _argument: object) -> None:
    value, key = machine.pop(), machine.pop()
    machine.update([(key, value)])


def _drop_to_mark(machine: Machine, _argument: object) -> None:
    machine.pop_to_mark()


_ATOMS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = (
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)

_STEPS: dict[str, Step] = {
    **dict.fromkeys(_ATOMS, lambda m, value: m.push(value)),
    **dict.fromkeys(_TEXTS, lambda m, value: m.push(Text(value, m.place))),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, index: m.get(index)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, index: m.put(index)),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), lambda m, _: m.refuse()),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), lambda m, code: m.name_global("copyreg extension", str(code))),
    **dict.fromkeys(("REDUCE", "NEWOBJ", "NEWOBJ_EX"), lambda m, _: m.call(m.opcode)),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(node=True),
    "NEWFALSE": lambda m, _: m.push(node=False),
    "MEMOIZE": lambda m, _: m.memoize(),
    "MARK": lambda m, _: m.mark(),
    "POP": lambda m, _: m.discard(),
    "POP_MARK": _drop_to_mark,
    "DUP": lambda m, _: m.repeat(m.top()),
    "EMPTY_TUPLE": _tuple(0),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda m, _: m.push_tuple(m.pop_to_mark()),
    "EMPTY_LIST": lambda m, _: m.push(Group("list", [])),
    "LIST": lambda m, _: m.push(Group("list", m.pop_to_mark())),
    "APPEND": lambda m, _: m.extend([m.pop()], "list"),
    "APPENDS": lambda m, _: m.extend(m.pop_to_mark(), "list"),
    "EMPTY_SET": lambda m, _: m.push(Group("set", [])),
    "ADDITEMS": lambda m, _: m.extend(m.pop_to_mark(), "set"),
    "FROZENSET": lambda m, _: m.push(Group("frozenset", m.pop_to_mark())),
    "EMPTY_DICT": lambda m, _: m.push(Mapping([])),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": lambda m, _: m.update(m.pop_pairs()),
    "GLOBAL": lambda m, names: m.name_global(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name_from_stack(),
    "INST": _instance,
    "OBJ": lambda m, _: m.call_to_mark(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.load_persistent(m.pop()),
    "PERSID": lambda m, identity: m.load_persistent(Text(identity, m.place)),
    "PROTO": lambda m, protocol: m.begin(protocol),
    "FRAME": lambda m, length: m.frame(length),
    "STOP": lambda m, _: m.stop(),
}
