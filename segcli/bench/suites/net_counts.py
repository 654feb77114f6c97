"""What networks cost, as counts that a height and a width turn into sums: no network is built to list them.

Found by watching every convolution on tensors without memory (`segcli.counting`), and compared with that in the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WHOLE = 0
"""Stands for the stride of what is one position for the whole image: behind global pooling."""


@dataclass(frozen=True)
class Counts:
    """A network's convolutions in evaluation, of one image.

    Attributes:
        weights: Parameters.
        macs: Multiply-accumulates at each position of the maps of a stride.
        items: Elements that convolutions read and write, at each position of the maps of a stride.
    """

    weights: int
    macs: Mapping[int, int]
    items: Mapping[int, int]

    def total_macs(self, size: tuple[int, int]) -> int:
        """Return multiply-accumulates at a size.

        Examples:
            >>> COUNTS["resnet18"].total_macs((512, 1024))
            18949865472
        """
        return sum(count * positions(size, stride) for stride, count in self.macs.items())

    def total_items(self, size: tuple[int, int]) -> int:
        """Return the elements read and written at a size: all that lies between convolutions fused into them."""
        return sum(count * positions(size, stride) for stride, count in self.items.items())


def positions(size: tuple[int, int], stride: int) -> int:
    """Return the positions of a map; each halving rounds up.

    Examples:
        >>> positions((100, 33), 8), positions((100, 33), WHOLE)
        (65, 1)
    """
    high, wide = size
    return 1 if stride == WHOLE else -(-high // stride) * -(-wide // stride)


COUNTS = {
    "bisenet-v2": Counts(
        3_358_627,
        {WHOLE: 16_384, 2: 39_152, 4: 118_656, 8: 1_764_496, 16: 267_296, 32: 1_135_296},
        {WHOLE: 256, 1: 6, 2: 304, 4: 512, 8: 4_851, 16: 2_368, 32: 9_088},
    ),
    "resnet18": Counts(
        11_176_512,
        {2: 9_408, 4: 147_456, 8: 524_288, 16: 2_097_152, 32: 8_388_608},
        {1: 3, 2: 64, 4: 640, 8: 1_280, 16: 2_560, 32: 4_096},
    ),
    "bisenet-v1": Counts(
        13_275_539,
        {WHOLE: 163_840, 2: 18_816, 4: 184_320, 8: 1_377_024, 16: 2_539_520, 32: 8_978_432},
        {WHOLE: 1_664, 1: 6, 2: 192, 4: 768, 8: 3_091, 16: 3_200, 32: 4_736},
    ),
    "resnet50": Counts(
        23_508_032,
        {2: 9_408, 4: 245_760, 8: 1_310_720, 16: 7_471_104, 32: 14_417_920},
        {1: 3, 2: 64, 4: 3_200, 8: 7_424, 16: 20_992, 32: 17_408},
    ),
    "tmo": Counts(
        93_007_238,
        {WHOLE: 1_048_576, 2: 18_816, 4: 2_331_568, 8: 4_522_416, 16: 54_854_064, 32: 30_540_208},
        {WHOLE: 8_192, 1: 6, 2: 128, 4: 8_485, 8: 16_931, 16: 149_027, 32: 38_179},
    ),
}
