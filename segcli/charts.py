"""What every chart has in common: where it may be written, how it looks, and that it is the same each time."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from segcli.errors import ExitCode, SegcliError
from segcli.files import check_destination, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Nothing in a file tells when it was written, so that what is drawn again is the same, byte by byte.
_METADATA: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "segcli",
    # A dollar sign in a name is no formula.
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e8",
    "legend.frameon": False,
    "savefig.dpi": 160.0,
}


def check_chart(destination: Path, *, force: bool = False) -> None:
    """Refuse, before any work is done, a chart that could not be drawn or written.

    Raises:
        SegcliError: For a suffix other than ``.png``, ``.svg`` and ``.pdf``, a destination that cannot be written, and
            with exit code 3 where matplotlib is not installed.
    """
    if destination.suffix.lower()[1:] not in _METADATA:
        message = f"{destination} is no name for a chart, expected one that ends in .png, .svg or .pdf"
        raise SegcliError(message)
    check_destination(destination, force=force)
    try:
        import matplotlib.figure  # noqa: F401 - whether it is there is what matters
    except ImportError as error:
        message = f"charts need matplotlib: {error}"
        raise SegcliError(message, hint="pip install 'segcli[plot]'", code=ExitCode.UNAVAILABLE) from error


def write_chart(
    destination: Path,
    draw: Callable[[], "Figure"],
    *,
    style: Mapping[Any, Any] = MappingProxyType({}),
    force: bool = False,
) -> None:
    """Draw a chart and write it, whole or not at all.

    Args:
        destination: A ``.png``, ``.svg`` or ``.pdf``.
        draw: Makes the figure; called with segcli's style set, and none of the user's.
        style: What this chart has besides, by the names of matplotlib's parameters.
        force: Whether to replace a file that exists.

    Raises:
        SegcliError: As `check_chart`.

    Examples:
        >>> import tempfile
        >>> from matplotlib.figure import Figure
        >>> write_chart(Path(tempfile.mkdtemp()) / "empty.svg", Figure)
    """
    check_chart(destination, force=force)
    import matplotlib as mpl

    kind = destination.suffix.lower()[1:]
    with mpl.rc_context():
        # What the user's own settings say of colours and fonts would make another file.
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, **style})
        figure = draw()
        with replacing(destination, force=force) as file:
            figure.savefig(file, format=kind, metadata=_METADATA[kind])
