"""Takes what globs mean out of a checkpoint's dicts, or keeps nothing else.

Lists, tuples and objects stay whole or go whole: what lies in them has no key of its own that could be left out.
"""

from collections.abc import Callable, Sequence

from segcli.ckpt.dicts import Pairs, is_dict, joined, pairs_of
from segcli.ckpt.selection import refuse_idle, selects_any
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.checkpoint_tree import MAX_DEPTH, list_entries
from segcli.formats.node_preview import preview
from segcli.formats.pickle_nodes import Call, Mapping, Node, Text

# What went: its dotted path, and what stood there.
Removed = list[tuple[str, Node]]
# Says of a value under a key: stays whole (True), goes (False), or is looked into (None).
_Fate = Callable[[str, Node], bool | None]


def keep_only(root: Node, globs: Sequence[str], checkpoint: Checkpoint, removed: Removed) -> Node:
    """Return an object with only what globs mean, and the dicts that hold it; what went is appended to ``removed``.

    Raises:
        SegcliError: For a glob that means nothing, and where nothing but the whole could stay.
    """
    keys = [entry.key for entry in list_entries(root, checkpoint.name)]
    keys += _keys_of_dicts(root)
    refuse_idle("--keep", globs, keys, checkpoint.source.name)
    wanted = {key for key in keys if selects_any(globs, key)}
    holding = {key[:end] for key in wanted for end in _ends(key)}

    def fate(key: str, node: Node) -> bool | None:
        if key in wanted or selects_any(globs, key):
            return True
        if is_dict(node):
            return None
        return key in holding

    return _pruned(root, fate, removed, is_keeping=True)


def drop(root: Node, globs: Sequence[str], checkpoint: Checkpoint, removed: Removed) -> Node:
    """Return an object without what globs mean; that is appended to ``removed``.

    Raises:
        SegcliError: For a glob that means nothing, and for what lies in a list or an object.
    """
    before = [entry.key for entry in list_entries(root, checkpoint.name)]
    refuse_idle("--drop", globs, [*before, *_keys_of_dicts(root)], checkpoint.source.name)

    def fate(key: str, node: Node) -> bool | None:
        if selects_any(globs, key):
            return False
        return None if is_dict(node) else True

    pruned = _pruned(root, fate, removed, is_keeping=False)
    for entry in list_entries(pruned, checkpoint.name):
        if entry.key and selects_any(globs, entry.key):
            message = f"{entry.key} in {checkpoint.source.name} lies in a list or an object, which stays or goes whole"
            raise SegcliError(
                message, hint="drop what it lies in; of a module saved whole, --weights-only makes a dict"
            )
    return pruned


def _ends(key: str) -> list[int]:
    """Return where a key's dotted beginnings end."""
    return [index for index, character in enumerate(key) if character == "."] + [len(key)]


def _keys_of_dicts(root: Node) -> list[str]:
    """Return the keys of what lies in dicts alone: of dicts without tensors, too, which are listed in one line."""
    keys: list[str] = []

    def fate(key: str, _node: Node) -> bool | None:
        keys.append(key)
        return None

    _pruned(root, fate, [], is_keeping=False)
    return keys


def _pruned(root: Node, fate: _Fate, removed: Removed, *, is_keeping: bool) -> Node:
    """Return an object whose dicts have lost what shall go. What is left of a dict stands wherever the dict stood.

    Args:
        root: The object, which stays as it is.
        fate: Says what becomes of each value; of those of one dict only the first time that it is reached.
        removed: What went is appended to it.
        is_keeping: Whether dicts go with the last of their values, and their attributes stay with the first.
    """
    if not is_dict(root):
        return root
    made: dict[int, Mapping | Call] = {id(root): _shell(root)}
    looked_into = {id(made[id(root)])}
    frames = [_Frame("", root, made[id(root)], 0)]
    while frames:
        frame = frames[-1]
        if frame.at == len(frame.source):
            frames.pop()
            frame.new.pairs[:] = [
                pair for pair in frame.kept if not is_keeping or id(pair[1]) not in looked_into or pairs_of(pair[1])
            ]
            if not is_keeping:
                frame.prune_attributes(fate, removed)
            elif not frame.new.pairs:
                # It goes as a whole.
                removed[frame.first_removed :] = [(frame.key, frame.old)]
            continue
        name, value = frame.source[frame.at]
        frame.at += 1
        key = joined(frame.key, _part(name))
        stays = fate(key, value)
        if stays is None and is_dict(value):
            if id(value) not in made:
                if len(frames) > MAX_DEPTH:
                    message = f"dicts are nested more than {MAX_DEPTH:,} levels deep"
                    raise SegcliError(message, hint="no checkpoint needs as much: do not load this file")
                made[id(value)] = _shell(value)
                looked_into.add(id(made[id(value)]))
                frames.append(_Frame(key, value, made[id(value)], len(removed)))
            frame.kept.append((name, made[id(value)]))
        elif stays is False:
            removed.append((key, value))
        else:
            frame.kept.append((name, value))
    return made[id(root)]


class _Frame:
    """A dict on its way from what it was to what is left of it."""

    def __init__(self, key: str, old: Node, new: Mapping | Call, first_removed: int) -> None:
        self.key = key
        self.old = old
        self.new = new
        self.first_removed = first_removed
        self.source: Pairs = pairs_of(old)
        self.kept: Pairs = []
        self.at = 0

    def prune_attributes(self, fate: _Fate, removed: Removed) -> None:
        """Do the same with what a dict has as attributes, such as ``_metadata``."""
        if isinstance(self.new, Call):
            self.new.state = [self._attributes(state, fate, removed) for state in self.new.state]

    def _attributes(self, state: Node, fate: _Fate, removed: Removed) -> Node:
        kept: Pairs = []
        for name, value in pairs_of(state):
            key = joined(self.key, _part(name))
            if fate(key, value) is False:
                removed.append((key, value))
            else:
                kept.append((name, value))
        return Mapping(kept) if isinstance(state, Mapping) else state


def _part(name: Node) -> str:
    return name.decoded() if isinstance(name, Text) else preview(name)


def _shell(node: Node) -> Mapping | Call:
    """Return the same dict without its pairs."""
    if isinstance(node, Call):
        return Call(node.function, node.args, node.keywords, node.how, node.state, node.items, [])
    return Mapping([])
