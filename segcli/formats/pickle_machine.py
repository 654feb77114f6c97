"""The stack, the marks and the memo that a pickle's opcodes work on, as plain data."""

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import NoReturn

from segcli.errors import SegcliError
from segcli.formats.byte_source import MADE_SO
from segcli.formats.persistent_id import Resolve, resolve_zip
from segcli.formats.pickle_memo import Memo
from segcli.formats.pickle_nodes import Call, Detached, Global, Group, Mapping, Node, Notes, Place, Storage, Text

MAX_OPCODES = 10_000_000
MAX_STACK = 2_000_000
MAX_MEMO = 5_000_000
MAX_MARKS = 10_000
# Of Python's pickles; torch's own are 2.
MAX_PROTOCOL = 5


class Machine:
    """The stack, the marks on it, and the memo.

    Attributes:
        name: How messages call the pickle.
        opcode: The name of the opcode that is being done.
        position: Its first byte.
        root: What the pickle would build, once it has stopped.
        storages: Every storage that it named, once for each time.
        repeats: The strings that the memo pushed again.
        globals: Every class and function that it named, with the number of times.
        calls: Every name that it called, with the number of times.
        filled: The names in whose results it set or appended items.
        opcodes: The names of the opcodes that it had.
        frames: Of every frame, the first byte of its length field, its own first byte, and the one after its last.
        protocol: Its protocol.
        detached: The strings that a number says the memo could have pushed.
        kept: One more than the greatest number under which something was kept in turn.
        spare: The number from which on none is in use, but for those of `detached`.
    """

    def __init__(self, name: str, tell: Callable[[], int], resolve: Resolve = resolve_zip) -> None:
        """Start with nothing on the stack.

        Args:
            name: How messages call the pickle.
            tell: Says which byte is read next.
            resolve: Knows what its persistent ids stand for.
        """
        self.name = name
        self._tell = tell
        self._resolve = resolve
        self.opcode = ""
        self.position = 0
        self._stack: list[Node] = []
        self._marks: list[int] = []
        self._memo = Memo()
        self._count = 0
        self.root: Node = None
        self.storages: Notes[Storage] = []
        self.repeats: Notes[Text] = []
        self.globals: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.filled: set[str] = set()
        self.opcodes: set[str] = set()
        self.frames: list[tuple[int, int, int]] = []
        self.protocol = 0
        self.detached: list[Detached] = []
        self.kept = 0
        self.spare = 1
        # Numbers out of turn, and those of them that something asks for: not those of a mark.
        self._strays: set[int] = set()
        self._asked: set[int] = set()
        # Strings that were kept under a number out of turn.
        self._jumps: list[tuple[Text, int]] = []

    def fail(self, what: str) -> NoReturn:
        """Give up on a pickle that cannot be followed.

        Raises:
            SegcliError: Always.
        """
        message = f"{self.name} is damaged at byte {self.position}: {what}"
        raise SegcliError(message, hint=MADE_SO)

    @property
    def place(self) -> Place:
        """The opcode that is being done."""
        return Place(self.opcode, self.position, self._tell())

    def begin_step(self, opcode: str, position: int) -> None:
        """Take note of an opcode before it is done, and keep to the caps."""
        self.opcode = opcode
        self.position = position
        self._count += 1
        if self._count > MAX_OPCODES or len(self._stack) > MAX_STACK:
            self._give_up()
        if self.frames:
            self._check_frame(self.place)
        self.opcodes.add(opcode)

    def _give_up(self) -> NoReturn:
        message = f"{self.name} has more than {MAX_OPCODES:,} opcodes or {MAX_STACK:,} values at once"
        raise SegcliError(message, hint="no checkpoint needs as many: do not load this file")

    # -- the stack

    def push(self, node: Node) -> None:
        """Put a node on the stack."""
        self._stack.append(node)

    def pop(self) -> Node:
        """Take the last node since the last mark."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            self.fail("the stack is empty")
        return self._stack.pop()

    def top(self) -> Node:
        """Look at the last node since the last mark."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            self.fail("the stack is empty")
        return self._stack[-1]

    def mark(self) -> None:
        """Start what an opcode will take at once."""
        if len(self._marks) >= MAX_MARKS:
            self._refuse_depth()
        self._marks.append(len(self._stack))

    def _refuse_depth(self) -> NoReturn:
        message = f"{self.name} nests more than {MAX_MARKS:,} levels deep"
        raise SegcliError(message, hint="no checkpoint needs as many: do not load this file")

    def pop_to_mark(self) -> list[Node]:
        """Take all nodes since the last mark, and the mark."""
        if not self._marks:
            self.fail("there is no mark")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def pop_pairs(self) -> list[tuple[Node, Node]]:
        """Take keys and values in turn since the last mark."""
        items = self.pop_to_mark()
        if len(items) % 2:
            self.fail("a key has no value")
        return list(zip(items[::2], items[1::2], strict=True))

    def discard(self) -> None:
        """Drop the last node, or the mark that was set last."""
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
            return
        dropped, below = self.pop(), self._stack[-1] if self._stack else None
        # A string, and behind it another that is pushed and dropped at once: what `pickle_retag` leaves.
        if (
            isinstance(dropped, Text)
            and isinstance(below, Text)
            and dropped.source not in (None, below.literal)
            and dropped.place.start == below.place.end
        ):
            self.detached.append(Detached(below, dropped.literal, self.position + 1))

    # -- the memo

    def put(self, index: int) -> None:
        """Keep the last node under a number."""
        node = self.top()
        # Python 2 counts from 1.
        if index <= max(self.kept, 1):
            self.kept = max(self.kept, index + 1)
        else:
            self._strays.add(index)
            if isinstance(node, Text) and node.place.end == self.position:
                self._jumps.append((node, index))
        self._memo[index] = node
        if len(self._memo) > MAX_MEMO:
            self._give_up()

    def memoize(self) -> None:
        """Keep the last node under the next number."""
        self.put(len(self._memo))

    def get(self, index: int) -> None:
        """Put on the stack what was kept under a number."""
        if index not in self._memo:
            self.fail(f"nothing was kept under {index}")
        if index in self._strays:
            self._asked.add(index)
        self.repeat(self._memo[index])

    def repeat(self, node: Node) -> None:
        """Put on the stack what stood there before."""
        if isinstance(node, Text):
            node = Text(node.value, self.place, node.literal)
            self.repeats.append(node)
        elif isinstance(node, Group):
            node.repeated = True
        self.push(node)

    # -- containers

    def extend(self, items: list[Node], kind: str) -> None:
        """Append items to the container below."""
        match self.top():
            case Group() as group if group.kind == kind:
                group.items.extend(items)
            case Call() as call:
                self.filled.add(call.path)
                call.items.extend(items)
            case node:
                self.fail(f"{_kind(node)} takes no items")

    def check_keys(self, pairs: list[tuple[Node, Node]]) -> None:
        """Refuse keys that Python takes for none."""
        odd = next((key for key, _ in pairs if _is_unhashable(key)), None)
        if odd is not None:
            self.fail(f"a {_kind(odd)} is no key of a dict")

    def update(self, pairs: list[tuple[Node, Node]]) -> None:
        """Set keys in the container below."""
        self.check_keys(pairs)
        match self.top():
            case Mapping() as mapping:
                mapping.pairs.extend(pairs)
            case Call() as call:
                self.filled.add(call.path)
                call.pairs.extend(pairs)
            case node:
                self.fail(f"{_kind(node)} takes no keys")

    # -- names and objects

    def name_global(self, module: str, name: str) -> None:
        """Put a name on the stack, which stays a name."""
        # What Python 3 writes with protocol 2 has Python 2's names.
        written = (module, name)
        module, name = NAME_MAPPING.get(written, (IMPORT_MAPPING.get(module, module), name))
        node = Global(module, name, None if (module, name) == written else written)
        self.globals[node.path] = self.globals.get(node.path, 0) + 1
        self.push(node)

    def name_from_stack(self) -> None:
        """The same, with the name in two strings."""
        name, module = self.pop(), self.pop()
        if not (isinstance(module, Text) and isinstance(name, Text)):
            self.fail("a global's name is no text")
        self.name_global(module.decoded(), name.decoded())

    def call(self, how: str) -> None:
        """Put on the stack what a call would give; ``how`` is the opcode."""
        named = self.pop() if how == "NEWOBJ_EX" else None
        args = self.pop()
        function = self.pop()
        self.push_call(Call(function, args, named, how))

    def call_to_mark(self) -> None:
        """The same, with all that was pushed since the mark."""
        items = self.pop_to_mark()
        if not items:
            self.fail("there is no class to call")
        self.push_call(Call(items[0], Group("tuple", items[1:]), how="OBJ"))

    def push_call(self, call: Call) -> None:
        """Put on the stack what a call would give, and count it."""
        if not isinstance(call.function, Global | Call):
            self.fail(f"it calls what is no function ({_kind(call.function)})")
        path = call.path
        self.calls[path] = self.calls.get(path, 0) + 1
        self.push(call)

    def push_tuple(self, items: list[Node]) -> None:
        """Put a tuple on the stack."""
        depth = 1
        for item in items:
            if isinstance(item, Group) and item.depth >= depth:
                depth = item.depth + 1
        if depth > MAX_MARKS:
            self._refuse_depth()
        self.push(Group("tuple", items, depth=depth))

    def build(self) -> None:
        """Hand a state to the object below."""
        state = self.pop()
        node = self.top()
        if not isinstance(node, Call):
            self.fail(f"{_kind(node)} takes no state")
        node.state.append(state)

    def load_persistent(self, identity: Node) -> None:
        """Put on the stack what a persistent id stands for: nearly always a storage."""
        found = self._resolve(identity)
        if found is None:
            message = f"{self.name} refers at byte {self.position} to something outside that is no storage of torch's"
            raise SegcliError(message, hint="torch.save did not write it, and torch.load will not read it")
        if isinstance(found, Storage):
            self.storages.append(found)
        self.push(found)

    # -- around all

    def begin(self, protocol: int) -> None:
        """Take note of the protocol."""
        if protocol > MAX_PROTOCOL:
            self.fail(f"it has protocol {protocol}, the newest is {MAX_PROTOCOL}")
        self.protocol = protocol

    def frame(self, length: int) -> None:
        """Take note of a frame."""
        end = self.place.end
        self.frames.append((end - 8, end, end + length))

    def _check_frame(self, place: Place) -> None:
        """Refuse an opcode that straddles a frame's end: Python's two unpicklers read such a pickle differently."""
        end = self.frames[-1][2]
        if place.start < end and (place.end > end or place.opcode == "FRAME"):
            self.fail("an opcode does not end with its frame")

    def refuse(self) -> None:
        """Refuse an opcode that a checkpoint never has."""
        message = f"{self.name} has the opcode {self.opcode} at byte {self.position}, which torch.save never writes"
        raise SegcliError(message, hint="torch.load will not read it either")

    def stop(self) -> None:
        """Take what was built, which must be all that is left."""
        self.root = self.pop()
        if self._stack or self._marks:
            self.fail(f"{len(self._stack) + len(self._marks)} values are left over")
        for text, index in self._jumps:
            meant = self._memo.get(index - self.kept - 1)
            if isinstance(meant, Text):
                self.detached.append(Detached(text, meant.literal, text.place.end, index - self.kept - 1))
                self._strays.discard(index)
        # torch leaves out no number; where someone did, those beyond the gap are in use, too.
        self.spare = max([self.kept, *self._strays, *self._asked]) + 1


def _kind(node: Node) -> str:
    return node.kind if isinstance(node, Group) else type(node).__name__


def _is_unhashable(node: Node) -> bool:
    return isinstance(node, Mapping) or (isinstance(node, Group) and node.kind in ("list", "set"))
