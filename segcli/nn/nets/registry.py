"""What networks there are, as plain data: listing them imports no torch."""

from dataclasses import dataclass

from segcli.nn.nets import sides
from segcli.nn.nets.sides import Join

_TORCHVISION = "He et al., CVPR 2016; torchvision 0.28 (pytorch/vision 8fb8771)"
_BISENET = "CoinCheung/BiSeNet 6b4b67a"


@dataclass(frozen=True)
class NetInfo:
    """A network, before it is built.

    Args:
        name: Its name, and that of the function in ``segcli.nn.nets`` that builds it.
        home: The module that holds the function.
        title: What it is, in a few words.
        size: Height and width of the input for which its figures are published.
        classes: How many classes it has unless told otherwise; None where there is no choice.
        inputs: What ``forward`` takes, one after the other, each as (N, 3, H, W).
        classes_argument: What the function calls the number of classes; None where there is no choice.
        has_aux: Whether it has auxiliary heads that run in training alone, and its function the argument ``aux``.
        joins: Its layers that need sides of a multiple; see `segcli.nn.nets.sides`.
        source: Paper, project and version.
    """

    name: str
    home: str
    title: str
    source: str
    size: tuple[int, int]
    classes: int | None = None
    inputs: tuple[str, ...] = ("image",)
    classes_argument: str | None = None
    has_aux: bool = False
    joins: tuple[Join, ...] = ()

    @property
    def side_multiple(self) -> int:
        """What both sides have to be a multiple of.

        Examples:
            >>> NETS["bisenet_v1"].side_multiple, NETS["resnet18"].side_multiple
            (32, 1)
        """
        return sides.multiple_of(self.joins)

    def check_size(self, height: int, width: int) -> None:
        """Refuse a size that the network cannot take, before it is built.

        Raises:
            segcli.nn.nets.sides.SizeError: Naming the layer and the nearest sizes that work.
        """
        sides.check_sides(self.name, height, width, self.joins)


def _resnets() -> list[NetInfo]:
    infos = []
    for depth in (18, 34, 50, 101, 152):
        classifier = NetInfo(
            name=f"resnet{depth}",
            home="segcli.nn.nets.resnet",
            title=f"ResNet-{depth}, classifier",
            source=_TORCHVISION,
            size=(224, 224),
            classes=1000,
            classes_argument="num_classes",
        )
        features = NetInfo(
            name=f"resnet{depth}_features",
            home="segcli.nn.nets.resnet",
            title=f"ResNet-{depth}, feature maps at strides 4, 8, 16 and 32",
            source=_TORCHVISION,
            size=(224, 224),
        )
        infos += [classifier, features]
    return infos


_SEGMENTERS = [
    NetInfo(
        name="bisenet_v1",
        home="segcli.nn.nets.bisenetv1",
        title="BiSeNet V1 on ResNet-18",
        source=f"Yu et al., ECCV 2018; {_BISENET}",
        size=(512, 1024),
        classes=19,
        classes_argument="n_classes",
        has_aux=True,
        joins=sides.BISENET_V1,
    ),
    NetInfo(
        name="bisenet_v2",
        home="segcli.nn.nets.bisenetv2",
        title="BiSeNet V2",
        source=f"Yu et al., IJCV 2021; {_BISENET}",
        size=(512, 1024),
        classes=19,
        classes_argument="n_classes",
        has_aux=True,
        joins=sides.BISENET_V2,
    ),
    NetInfo(
        name="tmo",
        home="segcli.nn.nets.tmo_resnet101",
        title="TMO on two ResNet-101",
        source="Cho et al., WACV 2023; suhwan-cho/TMO 1c16c60",
        size=(384, 384),
        inputs=("image", "flow"),
        joins=sides.TMO,
    ),
]

NETS: dict[str, NetInfo] = {info.name: info for info in (*_resnets(), *_SEGMENTERS)}
