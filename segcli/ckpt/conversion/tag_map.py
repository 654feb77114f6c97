"""Which device tag each tag of a checkpoint becomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from segcli.ckpt.conversion.device_tag import check_tag
from segcli.errors import SegcliError


@dataclass(frozen=True)
class TagMap:
    """What tags become: by the tag itself, else by its device's type, else all alike; what is left stays as it is.

    Attributes:
        exact: By tags and types of devices.
        rest: What all others become; None where they stay.

    Examples:
        >>> new = TagMap({"cuda:1": "cuda:0", "cuda": "cpu"}, rest=None)
        >>> new("cuda:1"), new("cuda:7"), new("mps")
        ('cuda:0', 'cpu', 'mps')
    """

    exact: dict[str, str] = field(default_factory=dict)
    rest: str | None = None

    def __call__(self, tag: str) -> str:
        """Return what a tag becomes."""
        kind = tag.partition(":")[0]
        return self.exact.get(tag) or self.exact.get(kind) or self.rest or tag

    def unused(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the rules that none of some tags is meant by, each as ``OLD=NEW``."""
        known = {*(tags := list(tags)), *(tag.partition(":")[0] for tag in tags)}
        return tuple(f"{old}={new}" for old, new in self.exact.items() if old not in known)

    @property
    def is_idle(self) -> bool:
        """Whether every tag stays as it is."""
        return not self.exact and self.rest is None


def parse_tag_map(to: str | None, rules: Sequence[str]) -> TagMap:
    """Return what ``--to`` and ``--map`` say.

    Args:
        to: The tag that all become which no rule is about.
        rules: Each as ``OLD=NEW``, where OLD is a tag, or a type of device.

    Raises:
        SegcliError: For a rule of another form, an unknown tag, or two rules about one.
    """
    exact: dict[str, str] = {}
    for rule in rules:
        old, equals, new = (part.strip() for part in rule.partition("="))
        if not (old and equals and new):
            message = f"--map {rule!r} is no rule, expected OLD=NEW"
            raise SegcliError(message, hint="such as --map cuda:1=cuda:0, or for all numbers --map cuda=cpu")
        if old in exact:
            message = f"--map says twice what {old} becomes: {exact[old]} and {new}"
            raise SegcliError(message)
        exact[old] = check_tag(new)
    return TagMap(exact, None if to is None else check_tag(to))
