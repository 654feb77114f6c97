"""Which projects there are, at which version, with which losses, and how these are called. Imports no torch."""

from dataclasses import dataclass

from segcli.errors import SegcliError, nearest

_BOTH = ("multiclass", "binary")
_MULTICLASS = ("multiclass",)
_BINARY = ("binary",)


@dataclass(frozen=True)
class ProjectLoss:
    """A loss of a project.

    Attributes:
        name: The same loss in segcli.
        call: How a user calls it; settings in braces are filled in.
        modes: What it is defined for.
        takes: The settings, by their names in segcli, that it has too.
        form: What tells it from another of the same name in this project; else empty.
        defaults: What it does where it has no such setting, or does not take it from segcli's.
        planar: Whether it takes (N, C, H, W) alone.
    """

    name: str
    call: str
    modes: tuple[str, ...] = _MULTICLASS
    takes: tuple[str, ...] = ()
    form: str = ""
    defaults: str = ""
    planar: bool = False


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        name: What it is called on the command line.
        title: What it calls itself.
        version: Whose behaviour this is.
        losses: In segcli's order.
    """

    name: str
    title: str
    version: str
    losses: tuple[ProjectLoss, ...]


_OHEM = ("thresh", "n_min", "ignore_index")
_FOCAL = ("gamma", "alpha", "ignore_index")
_TORCH_CE = ProjectLoss("ce", "torch.nn.CrossEntropyLoss(ignore_index={ignore_index})", takes=("ignore_index",))

_ALL = (
    Project(
        "notes",
        "CoinCheung/BiSeNet, loss.py",
        "f8c7c00",
        (
            _TORCH_CE,
            ProjectLoss("ohem", "OhemCELoss(thresh={thresh}, n_min={n_min})", takes=_OHEM, planar=True),
            ProjectLoss(
                "dice", "1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1)", _BINARY, ("ignore_index",), defaults="smooth 1"
            ),
        ),
    ),
    Project(
        "bisenet",
        "CoinCheung/BiSeNet, lib/ohem_ce_loss.py",
        "6b4b67a",
        (
            _TORCH_CE,
            ProjectLoss(
                "ohem", "OhemCELoss({thresh})", takes=("thresh", "ignore_index"), defaults="n_min 1/16 of what is valid"
            ),
        ),
    ),
    Project(
        "mmseg",
        "open-mmlab/mmsegmentation",
        "1.2.2",
        (
            ProjectLoss("ce", "CrossEntropyLoss()", takes=("ignore_index",), defaults="avg_non_ignore=False"),
            ProjectLoss("ohem", "OHEMPixelSampler(thresh={thresh}, min_kept={n_min})", takes=_OHEM),
            ProjectLoss(
                "ohem",
                "OhemCrossEntropy(thres={thresh}, min_kept={n_min})",
                takes=_OHEM,
                form="OhemCrossEntropy",
            ),
            ProjectLoss(
                "focal",
                "FocalLoss(gamma={gamma}, alpha={alpha})",
                _BOTH,
                _FOCAL,
                defaults="alpha 0.5; what CUDA computes: on the CPU it raises for labels that are classes",
            ),
            ProjectLoss(
                "bce",
                "CrossEntropyLoss(use_sigmoid=True)",
                _BINARY,
                ("ignore_index",),
                defaults="avg_non_ignore=False",
            ),
            ProjectLoss(
                "dice",
                "DiceLoss(use_sigmoid=False, naive_dice={naive})",
                takes=("squared",),
                defaults="eps 1e-3; ignore_index takes out a class",
                planar=True,
            ),
            ProjectLoss(
                "dice",
                "DiceLoss()",
                _BOTH,
                form="default",
                defaults="sigmoid, squared, eps 1e-3; ignore_index as above",
                planar=True,
            ),
            ProjectLoss(
                "tversky",
                "TverskyLoss(smooth={smooth}, alpha={tversky_alpha}, beta={tversky_beta})",
                takes=("smooth", "tversky_alpha", "tversky_beta", "ignore_index"),
            ),
            ProjectLoss(
                "lovasz-softmax", "LovaszLoss({mmseg_per_image})", takes=("reduce", "ignore_index"), planar=True
            ),
            ProjectLoss(
                "lovasz-hinge",
                "LovaszLoss(loss_type='binary', {mmseg_per_image})",
                _BINARY,
                ("reduce", "ignore_index"),
            ),
        ),
    ),
    Project(
        "hrnet",
        "HRNet-Semantic-Segmentation, lib/core/criterion.py",
        "0bbb288",
        (_TORCH_CE, ProjectLoss("ohem", "OhemCrossEntropy(thres={thresh}, min_kept={n_min})", takes=_OHEM)),
    ),
    Project(
        "paddle",
        "PaddlePaddle/PaddleSeg",
        "d7975e7",
        (
            ProjectLoss("ce", "CrossEntropyLoss(ignore_index={ignore_index})", takes=("ignore_index",), planar=True),
            ProjectLoss("ohem", "OhemCrossEntropyLoss(thresh={thresh}, min_kept={n_min})", takes=_OHEM, planar=True),
            ProjectLoss("dice", "DiceLoss(smooth={smooth})", takes=("smooth", "ignore_index"), planar=True),
        ),
    ),
    Project(
        "torchseg",
        "ycszen/TorchSeg, furnace/seg_opr/loss_opr.py",
        "62eeb15",
        (
            _TORCH_CE,
            ProjectLoss("ohem", "ProbOhemCrossEntropy2d(thresh={thresh}, min_kept={n_min})", takes=_OHEM, planar=True),
        ),
    ),
    Project(
        "smp",
        "segmentation_models.pytorch",
        "0.6.0",
        (
            ProjectLoss(
                "ce",
                "SoftCrossEntropyLoss(smooth_factor=0, ignore_index={ignore_index})",
                takes=("ignore_index",),
                defaults="smooth_factor 0: left at its default, None, it raises",
            ),
            ProjectLoss("focal", "FocalLoss('{mode}', gamma={gamma}, alpha={alpha})", _BOTH, _FOCAL),
            ProjectLoss("bce", "SoftBCEWithLogitsLoss(ignore_index={ignore_index})", _BINARY, ("ignore_index",)),
            ProjectLoss("dice", "DiceLoss('{mode}', smooth={smooth})", _BOTH, ("smooth", "ignore_index")),
            ProjectLoss("jaccard", "JaccardLoss('{mode}', smooth={smooth})", _BOTH, ("smooth", "ignore_index")),
            ProjectLoss(
                "tversky",
                "TverskyLoss('{mode}', smooth={smooth}, alpha={tversky_alpha}, beta={tversky_beta})",
                _BOTH,
                ("smooth", "tversky_alpha", "tversky_beta", "ignore_index"),
            ),
            ProjectLoss(
                "lovasz-softmax", "LovaszLoss('multiclass', per_image={per_image})", takes=("reduce", "ignore_index")
            ),
            ProjectLoss(
                "lovasz-hinge", "LovaszLoss('binary', per_image={per_image})", _BINARY, ("reduce", "ignore_index")
            ),
        ),
    ),
    Project(
        "monai",
        "MONAI",
        "1.6.1",
        (
            ProjectLoss("focal", "FocalLoss({focal_activation}gamma={gamma}, alpha={alpha}{ignore})", _BOTH, _FOCAL),
            ProjectLoss(
                "dice",
                "DiceLoss({activation}, squared_pred={squared}, batch={batch}, smooth_nr={smooth}, smooth_dr={smooth}"
                "{ignore})",
                _BOTH,
                ("smooth", "squared", "reduce", "ignore_index"),
            ),
            ProjectLoss(
                "tversky",
                "TverskyLoss({activation}, alpha={tversky_alpha}, beta={tversky_beta}, batch={batch}, "
                "smooth_nr={smooth}, smooth_dr={smooth}{ignore})",
                _BOTH,
                ("smooth", "tversky_alpha", "tversky_beta", "reduce", "ignore_index"),
            ),
            ProjectLoss(
                "generalized-dice",
                "GeneralizedDiceLoss({activation}, batch={batch}, smooth_nr={smooth}, smooth_dr={smooth})",
                _BOTH,
                ("smooth", "reduce"),
                defaults="no ignore_index",
            ),
        ),
    ),
    Project(
        "kornia",
        "kornia",
        "0.9.0",
        (
            ProjectLoss(
                "focal",
                "{kornia_focal}(..., alpha={alpha}, gamma={gamma}, reduction='mean', ignore_index={ignore_index})",
                _BOTH,
                _FOCAL,
            ),
            ProjectLoss(
                "dice",
                "dice_loss(..., ignore_index={ignore_index})",
                takes=("ignore_index",),
                defaults="micro, eps 1e-8",
                planar=True,
            ),
            ProjectLoss(
                "dice",
                "dice_loss(..., average='macro', ignore_index={ignore_index})",
                takes=("ignore_index",),
                form="macro",
                defaults="eps 1e-8",
                planar=True,
            ),
            ProjectLoss(
                "tversky",
                "tversky_loss(..., alpha={tversky_alpha}, beta={tversky_beta})",
                takes=("tversky_alpha", "tversky_beta", "ignore_index"),
                defaults="eps 1e-8",
                planar=True,
            ),
            ProjectLoss(
                "lovasz-softmax",
                "lovasz_softmax_loss(...)",
                defaults="image, all classes, no ignore_index",
                planar=True,
            ),
            ProjectLoss(
                "lovasz-hinge", "lovasz_hinge_loss(...)", _BINARY, defaults="image, no ignore_index", planar=True
            ),
        ),
    ),
)

PROJECTS: dict[str, Project] = {project.name: project for project in _ALL}


def parse_projects(text: str) -> tuple[str, ...]:
    """Read a list of projects.

    Raises:
        SegcliError: For an unknown one, or none.

    Examples:
        >>> parse_projects("smp, monai")
        ('smp', 'monai')
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        check_project(name)
    return names


def check_project(name: str) -> None:
    """Refuse what is no project.

    Raises:
        SegcliError: Naming those there are.
    """
    if name not in PROJECTS:
        message = f"unknown project {name!r}"
        raise SegcliError(message, hint=nearest(name, list(PROJECTS)))
