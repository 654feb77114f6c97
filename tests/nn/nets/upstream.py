"""What the other projects' networks are and make: their state dicts, and their outputs of ``filling.py``'s numbers.

Run on torch 2.13.0 (CPU, float64):

- resnet*: torchvision 0.28.0 (pytorch/vision 8fb87713a24951e639c494b0f2a8a81b5f8e33a6), ``torchvision.models``
- bisenet_*: CoinCheung/BiSeNet 6b4b67a8e3eb0cc23b3d7a94843a7c3c11dedca8, ``lib/models``, 19 classes; dropout off.
  ``eval`` is ``net.eval()`` with ``aux_mode="eval"``, ``train`` is ``net.train()`` with ``aux_mode="train"``
- tmo: suhwan-cho/TMO 1c16c6019a064218624320123666c3126103da42, ``tmo.TMO("rn101", aos).eval()``, with 64 for the 384 to
  which it resizes
"""

from dataclasses import dataclass

Summary = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Layout:
    """A state dict: SHA-256 of its sorted lines ``key shape dtype``, and some of its keys for those who read this."""

    entries: int
    digest: str
    some: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Outputs:
    """What ``filling.summary`` says of the outputs for ``filling.image(4, 3, 64, 96)``, and then of the statistics.

    ``statistics`` are the running means and variances after the pass in training mode, by sorted key, end to end.
    """

    eval: list[Summary]
    train: list[Summary]
    statistics: Summary


LAYOUTS = {
    "resnet18": Layout(
        122,
        "7134c2eea84247743115c308cfaabc640a248f6e7feb785897e5c72dcb12f30a",
        {"conv1.weight": (64, 3, 7, 7), "layer2.0.downsample.0.weight": (128, 64, 1, 1), "fc.bias": (1000,)},
    ),
    "resnet34": Layout(
        218,
        "4ac7c0b54e4b21314fcbab10d94380309fd1f7241fd46924b9e304760dbfc3c2",
        {"layer3.5.conv2.weight": (256, 256, 3, 3), "layer4.2.bn2.running_var": (512,), "fc.weight": (1000, 512)},
    ),
    "resnet50": Layout(
        320,
        "3262c16560bdc2eebd822639f983892578faae83232eb37ce1818f51531602e3",
        {"layer1.0.downsample.0.weight": (256, 64, 1, 1), "layer4.2.conv2.weight": (512, 512, 3, 3)},
    ),
    "resnet101": Layout(
        626,
        "edce674995bac85a9777a1e25218f0554d5061a3584d1a3a0385a9f8331a360c",
        {"layer3.22.conv3.weight": (1024, 256, 1, 1), "layer3.22.bn3.num_batches_tracked": ()},
    ),
    "resnet152": Layout(
        932,
        "3a0ddf9806ca2b08162e3c38dd1461c5bb1e8110c7c8828b62ab11f53d13f3c8",
        {"layer2.7.conv1.weight": (128, 512, 1, 1), "layer3.35.bn2.bias": (256,), "fc.weight": (1000, 2048)},
    ),
    "bisenet_v1": Layout(
        222,
        "a5adf6a8c9de605e0107c5886855981e62c7bf011dd86dad60ab2413d4e2e7dc",
        {
            "cp.resnet.layer4.0.downsample.1.weight": (512,),
            "cp.arm16.conv_atten.weight": (128, 128, 1, 1),
            "sp.conv1.conv.weight": (64, 3, 7, 7),
            "ffm.conv.weight": (256, 256, 1, 1),
            "conv_out32.conv_out.bias": (19,),
        },
    ),
    "bisenet_v1 without aux": Layout(
        206, "a9ab0a0f216f93448668c94be21ca9536ab12d2fbbf5e239650a8c0bf0cb0efe", {"conv_out.conv_out.bias": (19,)}
    ),
    "bisenet_v2": Layout(
        383,
        "e2fc49aa7440d2d90f1d2543daabf68228929fdf9058089ff6bb13f2b56e84b7",
        {
            "detail.S3.2.conv.weight": (128, 128, 3, 3),
            "segment.S1S2.left.0.conv.weight": (8, 16, 1, 1),
            "segment.S5_4.0.shortcut.2.weight": (128, 64, 1, 1),
            "bga.left2.0.weight": (128, 128, 3, 3),
            "head.conv_out.1.weight": (19, 1024, 1, 1),
            "aux5_4.conv_out.0.1.conv.weight": (1024, 128, 3, 3),
        },
    ),
    "bisenet_v2 without aux": Layout(
        327, "537266a5abffce19e0f18943b1bed0df80b2bf1dc00e8784a96cb59e1f8965ec", {"head.conv.bn.weight": (1024,)}
    ),
    "tmo": Layout(
        1310,
        "5643d60c495db79530cfe19b7d86e6a294b86d6c36b88b5664e69f53bb007231",
        {
            "vos.app_encoder.layer3.22.conv2.weight": (256, 256, 3, 3),
            "vos.mo_encoder.std": (1, 3, 1, 1),
            "vos.decoder.cbam4.conv3.0.conv.weight": (16, 2, 3, 3),
            "vos.decoder.predictor.conv.bias": (2,),
        },
    ),
}

OUTPUTS = {
    "resnet18": Outputs(
        eval=[(0.0032781572642, 0.665480525162, -0.534782593881, 0.589988374777, -0.485073731227)],
        train=[(-0.0303179101588, 0.949116853077, -0.646804927256, 1.46535695353, -0.545396043129)],
        statistics=(0.478955353288, 0.693246470628, 1.22133427063, 0.0242691132026, 0.766526689693),
    ),
    "resnet34": Outputs(
        eval=[(-0.0434865938772, 1.44947062568, -0.434171508989, 1.20029840697, -0.14551434903)],
        train=[(-0.0301818986166, 1.15369630256, -0.607456091496, 0.951360889681, -0.726599978232)],
        statistics=(0.495611741568, 0.715910374265, 0.178903871219, 0.181819826458, 1.02687695791),
    ),
    "resnet50": Outputs(
        eval=[(-0.0395251131101, 0.99735352503, -0.417405658178, -0.14206898437, -0.337955490055)],
        train=[(-0.0428043234982, 1.12906329896, 0.457480842426, -0.929369070482, -0.572820513269)],
        statistics=(0.487673566032, 0.705635567472, -0.139077905582, 1.08332030612, 0.876157014253),
    ),
    "resnet101": Outputs(
        eval=[(-0.106547862798, 4.38709444379, -0.577997082701, -2.62381118884, 2.61133352311)],
        train=[(-0.0489490215696, 1.1303759684, -0.00694612656328, -0.01768421019, -0.0472781966403)],
        statistics=(0.516045838236, 0.765689539634, 0.971915147553, -0.160155693682, -0.21250022936),
    ),
    "resnet152": Outputs(
        eval=[(-1.40168520833, 16.207439403, -6.00518950849, -24.2862864331, -13.6400482308)],
        train=[(-0.0560262416558, 1.13135295564, 0.139301654367, -0.95479871453, 0.911234934398)],
        statistics=(0.537153230222, 0.821820630398, 0.881124742602, 1.09973432465, 2.62722167295),
    ),
    "bisenet_v1": Outputs(
        eval=[(-0.0127557295515, 0.442322270132, 0.00943667445201, -0.111115886726, 0.154231568796)],
        train=[
            (-0.0575960785796, 0.701665530451, 0.632412397692, -1.02779561398, -0.154324557262),
            (0.0394882839986, 0.685018958564, 1.04784919976, -0.288322067371, 0.401475745607),
            (0.192649059328, 0.77235531072, 0.49784451545, 0.371788689418, 0.679472929168),
        ],
        statistics=(0.475305948044, 0.686597671012, 0.809663813238, 1.07356043496, 0.888930778646),
    ),
    "bisenet_v2": Outputs(
        eval=[(-0.00825447130612, 0.198871388651, 0.0098494032956, 0.0901610396374, 0.030534122606)],
        train=[
            (0.109895397508, 0.59105636287, -0.0691908510812, 0.110642838789, 0.570560044157),
            (-0.0061750950661, 0.696133351025, -0.428714354673, -0.417403947734, -0.339778580085),
            (-0.0798916918288, 0.669981925289, 0.252854968304, 0.475821588728, -0.802699316651),
            (0.0163870882441, 0.78387718017, 0.307954606348, 0.524448846683, -0.121973172007),
            (-0.147746832318, 0.70859010789, -0.950931436615, -0.154193421674, -0.103794125068),
        ],
        statistics=(0.471866011434, 0.679479358316, 1.10333585144, 0.908775308971, 1.15309214505),
    ),
}

# Of a batch of two clips of one frame, ``image(2, 3, 50, 70)`` with flows ``image(2, 3, 48, 64, stream=1)``.
TMO_SCORES: Summary = (-0.0891223215315, 0.198067014599, -0.270534779629, -0.107463945912, 0.0727124075818)
# How many positions of each frame of ``test_tmo.py``'s clip are object, without output selection and with.
TMO_MASKS = {False: [2019, 836, 1477, 2100], True: [1984, 836, 1477, 869]}

# Parameters: CoinCheung/BiSeNet with 19 classes, torchvision with 1000, TMO on ResNet-101, and their parts.
PARAMETERS = {
    "resnet18": {"": 11_689_512},
    "resnet34": {"": 21_797_672},
    "resnet50": {"": 25_557_032},
    "resnet101": {"": 44_549_160},
    "resnet152": {"": 60_192_808},
    "bisenet_v1": {
        "": 13_425_721,
        "cp": 12_456_256,
        "cp.resnet": 11_176_512,
        "sp": 91_968,
        "ffm": 132_096,
        "conv_out": 595_219,
        "conv_out16": 75_091,
        "conv_out32": 75_091,
    },
    "bisenet_v1 without aux": {"": 13_275_539},
    "bisenet_v2": {"": 5_231_487, "detail": 519_232, "segment": 1_159_504, "bga": 478_720, "head": 1_201_171},
    "bisenet_v2 without aux": {"": 3_358_627},
    "tmo": {
        "": 93_007_238,
        "vos.app_encoder": 42_500_160,
        "vos.mo_encoder": 42_500_160,
        "vos.decoder": 8_006_918,
    },
}
