"""Random expressions over sizes that have names, of every family of operations."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

NAMES = ["N", "C", "H", "W", "K"]
# What a size of a tensor may be: mostly a name.
SIZES = [*NAMES, *NAMES, "1", "2", "3", "4"]
DIMS = ["0", "0", "1", "-1", "-1", "-2"]
NUMBERS = [0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 8]


@dataclass
class NamedCase:
    """An expression, and of each tensor its dtype and sizes."""

    expr: str = "x"
    bound: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    @property
    def sizes(self) -> list[str]:
        """The sizes of the first tensor."""
        return self.bound["x"][1]

    @property
    def is_layer(self) -> bool:
        """Whether it ends in a layer, or in what walks windows."""
        return "nn." in self.expr or "F." in self.expr

    def bind(self, dtype: str, sizes: list[str]) -> str:
        """Bind a new name."""
        name = "xyabcdefgh"[len(self.bound)]
        self.bound[name] = (dtype, sizes)
        return name

    def specs(self) -> dict[str, str]:
        """Return the SPECs."""
        return {name: f"{dtype}:({','.join(sizes)})" for name, (dtype, sizes) in self.bound.items()}

    def at(self, numbers: Mapping[str, int]) -> str:
        """Return the expression with numbers for the names."""
        return with_numbers(self.expr, numbers)

    def tensors(self, numbers: Mapping[str, int]) -> dict[str, torch.Tensor]:
        """Make the tensors; positions are 0, and of masks about half the elements are True."""
        made = {}
        for name, (dtype, sizes) in self.bound.items():
            shape = [numbers[size] if size in numbers else int(size) for size in sizes]
            count = 1
            for size in shape:
                count *= size
            if dtype == "bool":
                made[name] = (torch.arange(count) * 7 % 5 < 3).reshape(shape)
            elif dtype == "int64":
                made[name] = torch.zeros(shape, dtype=torch.int64)
            else:
                made[name] = (torch.arange(count) * 7 % 11 + 1).reshape(shape).to(getattr(torch, dtype))
        return made


def with_numbers(text: str, numbers: Mapping[str, int]) -> str:
    """Put numbers for the names of sizes."""
    return re.sub(r"\b[A-Z]\b(?!\.)", lambda found: str(numbers.get(found[0], found[0])), text)


def size(rng: random.Random, case: NamedCase) -> str:
    known = [each for _, sizes in case.bound.values() for each in sizes]
    return rng.choice([*known, *known, *(each for each in SIZES if each.isdecimal() or each in known)])


def bound_of_slice(rng: random.Random, case: NamedCase) -> str:
    name = size(rng, case)
    form = rng.choice(
        [
            "",
            "",
            "",
            "{0}",
            "-{0}",
            "{0} // 2",
            "{0} // 3",
            "-({0} // 2)",
            "{0} - 1",
            "{0} - 2",
            "1",
            "2",
            "-1",
            "{0} + 1",
            "2*{0}",
            "{1} - {0}",
            "{0} // 2 + 1",
            "x.size(0) // 2",
            "x.shape[-1] - 1",
            "-{0} - 1",
            "{0}*{1}",
        ]
    )
    return form.format(name, size(rng, case))


def sliced(rng: random.Random, case: NamedCase) -> str:
    items = []
    for _ in range(rng.choice([1, 1, 2])):
        start, stop = bound_of_slice(rng, case), bound_of_slice(rng, case)
        if rng.random() < 0.15:
            stop = f"{start} + {rng.choice(['2', 'K', '64'])}" if start and not start.startswith("-") else stop
        items.append(f"{start}:{stop}{rng.choice(['', '', '', ':2', ':3'])}")
    if rng.random() < 0.2:
        items.insert(0, rng.choice(["...", "None", "0", "-1", ":"]))
    return f"{{}}[{', '.join(items)}]"


def indexed(rng: random.Random, case: NamedCase) -> str:
    kind = rng.choice(["tensor", "mask", "position", "size", "list"])
    if kind == "tensor":
        name = case.bind("int64", [size(rng, case) for _ in range(rng.choice([0, 1, 1, 2]))])
    elif kind == "mask":
        name = case.bind("bool", case.sizes[: rng.choice([1, 1, 2])])
    elif kind == "position":
        name = rng.choice(["0", "-1", "2", "None", "..., 0"])
    elif kind == "size":
        name = rng.choice(["{0} // 2", "{0} - 1", "{0}", "-{0}"]).format(size(rng, case))
    else:
        name = rng.choice(["[0, 1]", "[0, -1]", "[[0], [1]]"])
    return f"{{}}[{rng.choice(['', ':, ', '..., '])}{name}]"


def reshaped(rng: random.Random, case: NamedCase) -> str:
    sizes = list(case.sizes)
    verb = rng.choice(["view", "reshape", "reshape"])
    match rng.choice(["flatten", "split", "merge", "minus", "unflatten", "any"]):
        case "flatten":
            return "{}" + rng.choice(
                [".flatten()", ".flatten(1)", ".flatten(0, 1)", ".flatten(2)", ".flatten(-2)", ".ravel()"]
            )
        case "split" if sizes:
            place = rng.randrange(len(sizes))
            part = rng.choice(["2", "3", "4", "K"])
            pair = [f"{sizes[place]} // {part if part != sizes[place] else 2}", part]
            rng.shuffle(pair)
            return f"{{}}.{verb}({', '.join([*sizes[:place], *pair, *sizes[place + 1 :]])})"
        case "merge" if len(sizes) > 1:
            place = rng.randrange(len(sizes) - 1)
            merged = rng.choice(["-1", f"{sizes[place]}*{sizes[place + 1]}"])
            return f"{{}}.{verb}({', '.join([*sizes[:place], merged, *sizes[place + 2 :]])})"
        case "unflatten":
            part = rng.choice(["(2, -1)", "(-1, 2)", "(-1, K)", "(K, 2)", "(2, 2)"])
            return f"{{}}.unflatten({rng.choice(DIMS)}, {part})"
        case "any":
            some = [rng.choice([*sizes, *sizes, "2", "1"]) for _ in range(rng.choice([1, 2, 3]))]
            return f"{{}}.{verb}({', '.join(some)})"
        case _:
            return f"{{}}.{verb}({rng.choice([*sizes, '2', 'K'])}, -1{rng.choice(['', ', 2', ', ' + size(rng, case)])})"


def turned(rng: random.Random, case: NamedCase) -> str:
    one, other = rng.choice(DIMS), rng.choice(DIMS)
    order = list(range(len(case.sizes)))
    rng.shuffle(order)
    return "{}" + rng.choice(
        [
            f".transpose({one}, {other})",
            f".permute({', '.join(map(str, order))})",
            f".movedim({one}, {other})",
            ".squeeze()",
            f".squeeze({one})",
            f".unsqueeze({one})",
            ".mT",
            f".flip({one})",
            f".roll({size(rng, case)}, {one})",
            ".contiguous()",
            f".swapaxes({one}, {other})",
            ".T",
            ".clone()",
        ]
    )


def stretched(rng: random.Random, case: NamedCase) -> str:
    sizes = [rng.choice([own, own, "-1", size(rng, case)]) for own in case.sizes]
    times = [rng.choice(["1", "1", "2", "K", "3"]) for _ in sizes]
    made = ", ".join(sizes)
    return "{}" + rng.choice(
        [
            f".expand({made})",
            f".expand({size(rng, case)}, {made})",
            f".repeat({', '.join(times)})",
            f".repeat(2, {', '.join(times)})",
            f".tile({rng.choice(['2', 'K', '(K, 2)'])})",
            f".repeat_interleave({rng.choice(['2', 'K'])}, {rng.choice(DIMS)})",
            ".repeat_interleave(2)",
            f".broadcast_to({made})",
        ]
    )
