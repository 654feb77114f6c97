"""Gives the keys of a checkpoint's dicts other names: without what wrappers put in front, or as a user says."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segcli.ckpt.assembly import text
from segcli.ckpt.dicts import Found, Pairs, dicts, is_state_dict, joined, metadata_of, pairs_of
from segcli.errors import SegcliError
from segcli.formats.checkpoint_tree import holders
from segcli.formats.pickle_nodes import Group, Node, Text

# From a key to what it becomes.
_Rename = Callable[[str], str]


@dataclass(frozen=True)
class KeyChange:
    """A key that is another now: the dotted paths of what stands there."""

    before: str
    after: str


@dataclass(frozen=True)
class Rule:
    """That keys which are ``old``, or start with it and a dot, become or start with ``new``.

    Attributes:
        old: A key or its beginning; each ``*`` stands for any characters.
        new: What stands there then; each ``*`` for what the one in ``old`` stood for, in order.
    """

    old: str
    new: str

    def apply(self, key: str) -> str | None:
        """Return what a key becomes; None where the rule says nothing of it.

        Examples:
            >>> Rule("backbone", "encoder").apply("backbone.conv.weight")
            'encoder.conv.weight'
            >>> Rule("*.gamma", "*.weight").apply("a.b.gamma")
            'a.b.weight'
        """
        pattern = "(.*)".join(re.escape(part) for part in self.old.split("*"))
        match = re.fullmatch(rf"{pattern}(\..*)?", key, re.DOTALL)
        if not match:
            return None
        *stars, rest = match.groups(default="")
        parts = self.new.split("*")
        return "".join(part + star for part, star in zip(parts, [*stars, ""], strict=True)) + rest


def parse_rule(written: str) -> Rule:
    """Read ``OLD=NEW``.

    Raises:
        SegcliError: Where it is not that, or the sides have not as many ``*``.

    Examples:
        >>> parse_rule("model=state_dict")
        Rule(old='model', new='state_dict')
    """
    old, equals, new = written.partition("=")
    if not (old and equals and new):
        message = f"--rename {written!r} is not OLD=NEW"
        raise SegcliError(message, hint="write it as --rename backbone=encoder, or --rename '*.gamma=*.weight'")
    if old.count("*") != new.count("*"):
        message = f"--rename {written!r} has {old.count('*')} * in the old and {new.count('*')} in the new name"
        raise SegcliError(message, hint="each * in NEW stands for what the one in OLD stood for")
    return Rule(old, new)


def strip_prefixes(key: str, prefixes: Sequence[str]) -> str:
    """Return a key without prefixes: each is taken off once at the start, in whatever order they stand there.

    Prefixes that start with an underscore are names that only wrappers have, and go wherever they stand in a key.

    Examples:
        >>> strip_prefixes("module._orig_mod.conv.weight", ["_orig_mod.", "module."])
        'conv.weight'
        >>> strip_prefixes("layer1._orig_mod.0.weight", ["_orig_mod."])
        'layer1.0.weight'
        >>> strip_prefixes("module.module.weight", ["module."])
        'module.weight'
    """
    return _stripped(key, prefixes, set())


def _stripped(key: str, prefixes: Sequence[str], used: set[str]) -> str:
    """Return a key without prefixes, and take note of those that it had."""
    for prefix in prefixes:
        if prefix.startswith("_") and f".{prefix}" in f".{key}":
            used.add(prefix)
            key = f".{key}".replace(f".{prefix}", ".")[1:]
    left = list(prefixes)
    while found := next((prefix for prefix in left if key.startswith(prefix)), None):
        left.remove(found)
        used.add(found)
        key = key[len(found) :]
    return key


def remove_prefixes(root: Node, prefixes: Sequence[str], name: str) -> tuple[list[KeyChange], tuple[str, ...]]:
    """Take prefixes off the keys of every state dict below an object, in place, and of its ``_metadata``.

    Args:
        root: The object.
        prefixes: What to take off; a dot at the end is understood.
        name: How messages call the file.

    Returns:
        The keys that are others now, and the prefixes that none had.

    Raises:
        SegcliError: Where two keys would become one.
    """
    used: set[str] = set()

    def rename(key: str) -> str:
        return _stripped(key, dotted, used)

    dotted = [_dotted(prefix) for prefix in prefixes]
    changes: list[KeyChange] = []
    texts: dict[str, Text] = {}
    for found in list(dicts(root)):
        if is_state_dict(found.node):
            made = _rename_pairs(found, rename, name, texts)
            if made:
                _rename_modules(found, rename, texts)
            changes += made
    return changes, tuple(one for one in dotted if one not in used)


def _dotted(prefix: str) -> str:
    return prefix if prefix.endswith(".") else f"{prefix}."


def rename_keys(root: Node, rules: Sequence[Rule], name: str) -> list[KeyChange]:
    """Apply rules to the keys of dicts, in place; what lies below a renamed key stays as it is.

    Each key becomes what the first rule that speaks of it says.

    Args:
        root: The object.
        rules: The rules.
        name: How messages call the file.

    Raises:
        SegcliError: Where two keys would become one, and for a rule that speaks of no key.
    """
    used: set[Rule] = set()

    def rename(key: str) -> str:
        for rule in rules:
            new = rule.apply(key)
            if new is not None:
                used.add(rule)
                return new
        return key

    changes: list[KeyChange] = []
    texts: dict[str, Text] = {}
    holding = holders(root)
    done: set[int] = set()
    for found in list(dicts(root)):
        if id(found.node) not in holding or id(found.node) in done:
            continue
        before = list(found.pairs)
        made = _rename_pairs(found, rename, name, texts)
        if made and is_state_dict(found.node):
            _rename_modules(found, rename, texts)
        changes += made
        below = [new[1] for old, new in zip(before, found.pairs, strict=True) if old is not new]
        done.update(id(one.node) for one in dicts(Group("list", below)))
    _refuse_unused(rules, used, name)
    return changes


def _refuse_unused(rules: Sequence[Rule], used: set[Rule], name: str) -> None:
    for rule in rules:
        if rule not in used:
            message = f"--rename {rule.old}={rule.new}: no key in {name} is {rule.old!r} or starts with it and a dot"
            hint = (
                f"rules are of the keys of each dict, without the names of the dicts that it lies in; see {name} with"
            )
            raise SegcliError(message, hint=f"{hint} segcli ckpt inspect")


def _rename_pairs(found: Found, rename: _Rename, name: str, texts: dict[str, Text]) -> list[KeyChange]:
    """Rename the keys of a dict, and return what changed."""
    changes: list[KeyChange] = []
    taken: dict[str, str] = {}
    pairs: Pairs = []
    for pair in found.pairs:
        key = pair[0]
        if not isinstance(key, Text):
            pairs.append(pair)
            continue
        old = key.decoded()
        new = rename(old)
        if taken.setdefault(new, old) != old:
            message = f"{joined(found.key, taken[new])} and {joined(found.key, old)} in {name} would both become "
            raise SegcliError(message + joined(found.key, new), hint="drop or rename one of them: --drop, --rename")
        pairs.append(pair if new == old else (texts.setdefault(new, text(new)), pair[1]))
        if new != old:
            changes.append(KeyChange(joined(found.key, old), joined(found.key, new)))
    found.pairs[:] = pairs
    return changes


def _rename_modules(found: Found, rename: _Rename, texts: dict[str, Text]) -> None:
    """Rename the modules in a state dict's ``_metadata``; what a wrapper has there makes way for what it wrapped."""
    for metadata in metadata_of(found.node):
        made: dict[str, tuple[Node, Node]] = {}
        odd: Pairs = []
        for key, value in pairs_of(metadata):
            if isinstance(key, Text):
                old = key.decoded()
                # A module's name is that of its parameters up to the last dot.
                new = rename(f"{old}.").removesuffix(".") if old else ""
                made[new] = (key if new == old else texts.setdefault(new, text(new)), value)
            else:
                odd.append((key, value))
        metadata.pairs[:] = [*made.values(), *odd]
