"""A tree of YAML files: its main file, its groups (folders) and their choices (files)."""

from dataclasses import dataclass
from pathlib import Path

from segcli.config import load_mapping
from segcli.errors import SegcliError, nearest

MAIN = "config"
_ENDING = ".yaml"
# So many names are shown of a folder that holds more.
_SHOWN = 20


@dataclass(frozen=True)
class Tree:
    """Where options are composed from; without a folder, from the command's own defaults.

    Attributes:
        folder: What ``--config-dir`` named.
        name: The main file in it, without its ending.
    """

    folder: Path | None = None
    name: str | None = None

    def is_group(self, name: str) -> bool:
        """Tell whether ``name`` is a folder of choices; Hydra's own settings are none."""
        parts = name.split("/")
        return self.folder is not None and all(parts) and parts[0] != "hydra" and (self.folder / name).is_dir()

    def groups(self) -> list[str]:
        """Return the names of the folders of choices that lie at the top."""
        return _names(self.folder, folders=True) if self.folder else []

    def choices(self, group: str) -> list[str]:
        """Return the names of a group's files, without their ending."""
        return _names(self.folder / group, folders=False) if self.folder else []

    def file(self, config: str) -> Path:
        """Return the file of a config: ``loss/ohem`` lies in the folder ``loss``."""
        return (self.folder or Path()) / f"{config}{_ENDING}"


def open_tree(folder: Path | None, name: str | None) -> Tree:
    """Find a tree and its main file.

    Args:
        folder: What ``--config-dir`` named.
        name: What ``--config-name`` named; ``config`` where it was not given.

    Raises:
        SegcliError: Where the folder or the file is missing, and where the file is no YAML mapping or has settings for
            Hydra itself. Those say where Hydra writes and which Python modules it imports: this command runs without
            them, and imports nothing that a file names.
    """
    if folder is None:
        if name is not None:
            message = f"--config-name {name} was given without the folder that it lies in"
            raise SegcliError(message, hint="name it with --config-dir")
        return Tree()
    if not folder.is_dir():
        message = f"--config-dir {folder} is no folder" if folder.exists() else f"--config-dir {folder} does not exist"
        raise SegcliError(message, hint=_hint(folder.name, _names(folder.parent, folders=True)))
    tree = Tree(folder, (name or MAIN).removesuffix(_ENDING))
    _check_main(tree, str(tree.name))
    return tree


def no_choice(tree: Tree, group: str, choice: str) -> SegcliError:
    """Return the error for a choice that a group does not have."""
    message = f"{group}={choice}: there is no {tree.file(f'{group}/{choice}')}"
    return SegcliError(message, hint=_hint(choice, tree.choices(group)))


def _check_main(tree: Tree, name: str) -> None:
    path = tree.file(name)
    if not path.exists():
        message = f"there is no {path}"
        if path.with_suffix(".yml").exists():
            raise SegcliError(message, hint=f"rename {path.with_suffix('.yml')}")
        raise SegcliError(message, hint=_hint(name, _names(path.parent, folders=False)))
    if "hydra" in load_mapping(path):
        message = f"{path} has settings for Hydra itself (hydra), which do nothing here"
        raise SegcliError(message, hint="leave them out: the options of the command stand beside them")


def _names(folder: Path, *, folders: bool) -> list[str]:
    """Return what a folder holds: folders, or YAML files without their ending."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    if folders:
        return [path.name for path in paths if path.is_dir() and not path.name.startswith((".", "__"))]
    return [path.stem for path in paths if path.suffix == _ENDING]


def _hint(name: str, known: list[str]) -> str:
    if not known:
        return "there are no files that end in .yaml" if name else ""
    return nearest(name, known if len(known) <= _SHOWN else [*known[:_SHOWN], "..."])
