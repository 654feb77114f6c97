"""Which logits belong to which labels: two files, two folders, or a manifest."""

from bisect import bisect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from segcli.errors import SegcliError
from segcli.files import check_source
from segcli.loss.sources.folders import Listing, list_folder, listed
from segcli.loss.sources.manifest import read_manifest
from segcli.loss.sources.sample import Pair
from segcli.tensorio import PICTURE_SUFFIXES, STANDARD_INPUT, SUFFIXES, split_reference

__all__ = ["pair_folders", "pair_sources", "pictureless", "read_manifest", "with_images"]

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
# Where a name may end and its decoration begin.
_JOINTS = "_-."
# Which further names are looked at: in the alphabet, 10_mask stands between 1 and 1_mask.
_NEIGHBOURS = 3
# How many names are compared for the sake of a hint.
_SEARCHED = 1000


def pair_sources(logits: str, labels: str, suffixes: tuple[str, str] = ("", "")) -> list[Pair]:
    """Pair what the command line names: two files, or two folders.

    Args:
        logits: A file, ``file:key``, a folder, or ``folder:key`` for that tensor of each file in it.
        labels: Another.
        suffixes: As for `pair_folders`.

    Raises:
        SegcliError: Where one is a folder and the other is not, and as `pair_folders`. Whether files exist is seen
            when they are read.

    Examples:
        >>> pair_sources("out/berlin.pt:logits", "labels.png")
        [Pair(name='berlin', logits='out/berlin.pt:logits', labels='labels.png', image='')]
    """
    folders = _folder(logits), _folder(labels)
    match folders:
        case (None, None):
            return [Pair(split_reference(logits)[0].stem, logits, labels)]
        case ((Path() as one, str() as key), (Path() as other, str() as other_key)):
            return pair_folders(one, other, suffixes=suffixes, keys=(key, other_key))
    whole, single = (logits, labels) if folders[0] else (labels, logits)
    if single != STANDARD_INPUT:
        check_source(split_reference(single)[0])
    message = f"{whole} is a folder and {single} a file, expected two files or two folders"
    raise SegcliError(message, hint="name what belongs to each file in a manifest, if they share one: --manifest")


def _folder(reference: str) -> tuple[Path, str] | None:
    if Path(reference).is_dir():
        return Path(reference), ""
    start, _, key = reference.partition(":")
    return (Path(start), key) if start and Path(start).is_dir() else None


def pair_folders(
    logits: Path, labels: Path, *, suffixes: tuple[str, str] = ("", ""), keys: tuple[str, str] = ("", "")
) -> list[Pair]:
    """Pair the files of two folders and of those below, by name: the path below the folder without the suffix.

    ``a/b.pt`` belongs to ``a/b.png``; upper and lower case differ. Logits are ``.pt``, ``.pth``, ``.npy``, ``.npz`` and
    ``.safetensors``, labels ``.png`` too. Hidden files, what desktops leave behind (``Thumbs.db``), and files of other
    suffixes are left out; where one of these was all that could be somebody's partner, the error says so. No file
    is opened, nor asked for its size. A folder of labels inside that of the logits is no part of it, and the other way
    round.

    Args:
        logits: A folder.
        labels: Another; the same one, where suffixes or keys tell the two apart.
        suffixes: What names end in before ``.npy`` and the like: ``("_leftImg8bit", "_gtFine_labelTrainIds")`` pairs
            ``x_leftImg8bit.npy`` with ``x_gtFine_labelTrainIds.png`` as ``x``, and leaves out files that end otherwise.
            Nothing of the kind is guessed.
        keys: Which tensor of each file.

    Returns:
        Pairs in the order of their names.

    Raises:
        SegcliError: Where one is no folder, or holds nothing; where two files of a folder have one name; where files
            have no partner.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "x_logits.npy").touch(), (folder / "x_mask.png").touch()
        >>> [pair.name for pair in pair_folders(folder, folder, suffixes=("_logits", "_mask"))]
        ['x']
    """
    for folder in (logits, labels):
        if not folder.is_dir():
            check_source(folder)
            message = f"{folder} is a file, expected a folder as the other is"
            raise SegcliError(message)
    one, other = _both(logits, labels, suffixes, keys)
    if one.files.keys() != other.files.keys():
        raise _unpaired(one, other)
    ends = [f":{key}" if key else "" for key in keys]
    return [Pair(name, one.path(name) + ends[0], other.path(name) + ends[1]) for name in sorted(one.files)]


def _both(logits: Path, labels: Path, suffixes: tuple[str, str], keys: tuple[str, str]) -> tuple[Listing, Listing]:
    ours, theirs = suffixes
    is_same = logits.samefile(labels)
    if is_same and ours == theirs and keys[0] == keys[1]:
        message = f"LOGITS and LABELS are one folder, {logits}, and nothing tells the two apart"
        raise SegcliError(message, hint=f"name what files end in, or a key in each: {logits}:logits {logits}:labels")
    # In a shared folder, x and x_mask: the first is whatever does not end as the second.
    apart = is_same and ours != theirs
    return (
        list_folder(
            logits,
            "logits",
            SUFFIXES,
            ending=ours,
            unlike=theirs if apart and not ours.endswith(theirs) else "",
            without=None if is_same else labels,
        ),
        list_folder(
            labels,
            "labels",
            SUFFIXES + PICTURE_SUFFIXES,
            ending=theirs,
            unlike=ours if apart and not theirs.endswith(ours) else "",
            without=None if is_same else logits,
        ),
    )


def _unpaired(logits: Listing, labels: Listing) -> SegcliError:
    parts = []
    for one, other in ((logits, labels), (labels, logits)):
        alone = sorted(one.files.keys() - other.files.keys())
        if alone:
            verb = "has" if len(alone) == 1 else "have"
            start = f"{len(alone):,} of {len(one.files):,} {one.what} in {one.folder}"
            parts.append(f"{start} {verb} no {other.what}: {listed(alone)}")
    return SegcliError("; ".join(parts), hint=_partner(logits, labels) or _partner(labels, logits))


def _partner(one: Listing, other: Listing) -> str:
    """Say what the partner of the first file without one may be."""
    alone, left = sorted(one.files.keys() - other.files.keys()), sorted(other.files.keys() - one.files.keys())
    if not alone:
        return ""
    first = alone[0]
    if first in other.others:
        suffix = Path(other.others[first]).suffix or "a name without suffix"
        return f"{other.folder / other.others[first]} is there, but {other.what} are not read from {suffix}"
    endings = _endings(alone, left)
    if endings:
        ordered = endings if one.what == "logits" else endings[::-1]
        return f"their names end differently: --suffixes {','.join(ordered)}"
    close = get_close_matches(first, left[:_SEARCHED], n=1)
    return f"is {one.files[first]} the partner of {other.files[close[0]]}?" if close else _WAYS


_WAYS = "files are paired by their paths below the two folders, without the suffix; other pairs go into a manifest"


def _endings(names: Sequence[str], others: Sequence[str]) -> tuple[str, str] | None:
    """Look for what names end in on either side, such that most find a partner without it; both are sorted."""
    known = set(others)
    guesses = {guess for name in (names[0], names[-1]) for guess in _guesses(name, others)}
    found = {
        (ours, theirs): sum(name.endswith(ours) and name.removesuffix(ours) + theirs in known for name in names)
        for ours, theirs in guesses
    }
    best = max(found, key=lambda guess: (found[guess], guess), default=None)
    # Any two names differ in what they end in; that two pairs differ alike is no accident.
    return best if best and found[best] > 1 and 2 * found[best] > len(names) else None


def _guesses(name: str, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what a name and its neighbours in the alphabet end in, from where they part."""
    place = bisect(others, name)
    for other in others[max(place - 1, 0) : place + _NEIGHBOURS]:
        start = _shared(name, other)
        if start < min(len(name), len(other)):
            start = max(name.rfind(joint, 0, start) for joint in _JOINTS)
        ours, theirs = name[max(start, 0) :], other[max(start, 0) :]
        if start > 0 and "/" not in ours + theirs and (ours + theirs)[:1] in _JOINTS:
            yield ours, theirs


def _shared(one: str, other: str) -> int:
    """Count the letters with which both begin."""
    alike = (a == b for a, b in zip(one, other, strict=False))
    return next((place for place, same in enumerate(alike) if not same), min(len(one), len(other)))


def with_images(pairs: Sequence[Pair], folder: Path, *, suffix: str = "") -> list[Pair]:
    """Give pairs the pictures of the same name; a pair without one, or with one already, stays as it is.

    Args:
        pairs: The pairs.
        folder: Where ``.png``, ``.jpg`` and ``.jpeg`` files are, in it and below; other files are left out.
        suffix: What the pictures' names end in besides.

    Raises:
        SegcliError: Where it is no folder, holds two pictures of one name, or none of any pair.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> with_images([Pair("a", "a.pt", "a.png")], folder)[0].image == str(folder / "a.jpg")
        True
    """
    if not folder.is_dir():
        check_source(folder)
        message = f"{folder} is a file, expected a folder of pictures"
        raise SegcliError(message)
    listing = list_folder(folder, "pictures", _IMAGE_SUFFIXES, ending=suffix)
    if pairs and not any(pair.image or pair.name in listing.files for pair in pairs):
        first, known = pairs[0].name, sorted(listing.files)
        message = f"{folder} holds {len(known):,} pictures, none of which has the name of a pair, such as {first}"
        raise SegcliError(message, hint=_picture_hint(first, known))
    return [
        pair if pair.image or pair.name not in listing.files else replace(pair, image=listing.path(pair.name))
        for pair in pairs
    ]


def _picture_hint(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known[:_SEARCHED], n=1)
    return f"its pictures are called like {(close or known)[0]}"


def pictureless(pairs: Collection[Pair]) -> str:
    """Return a note on pairs that have no picture; nothing where all have.

    Examples:
        >>> pictureless([Pair("a", "a.pt", "a.png"), Pair("b", "b.pt", "b.png", "b.jpg")])
        '1 of 2 pairs has no picture: a'
    """
    names = [pair.name for pair in pairs if not pair.image]
    if not names:
        return ""
    return f"{len(names):,} of {len(pairs):,} pairs {'has' if len(names) == 1 else 'have'} no picture: {listed(names)}"
