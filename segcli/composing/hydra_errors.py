"""Hydra's and OmegaConf's errors in the words that every command keeps: one line, then the way out."""

import re

from segcli.composing.tree import Tree, no_choice
from segcli.errors import ExitCode, SegcliError, nearest


def unavailable(error: ImportError) -> SegcliError:
    """Return the error for a missing package."""
    message = f"hydra cannot be imported, and --config-dir and -O compose options with it: {error}"
    return SegcliError(message, hint="pip install 'segcli[hydra]'", code=ExitCode.UNAVAILABLE)


def explained(error: Exception, tree: Tree) -> SegcliError:
    """Return what went wrong where a tree was composed.

    Args:
        error: Of Hydra, OmegaConf or the YAML reader. Hydra lets through whatever Python raises over an odd file, a
            `ValueError` or `KeyError` say, so any will do.
        tree: What was composed.
    """
    missing = getattr(error, "missing_cfg_file", None)
    if missing:
        return _missing(str(missing), str(error), tree)
    if isinstance(error, RecursionError):
        message = f"{_named(tree)} has files that name one another in a circle, or values that nest too deep"
        return SegcliError(message)
    words = _words(error)
    unlisted = re.search(r"ould not override '([^']+)'. No match in the defaults list", words)
    if unlisted:
        message = f"{_named(tree)} has no {unlisted[1]} in its defaults list, so there is no choice to replace"
        return SegcliError(message, hint=f"add it there, or with a plus: -O +{unlisted[1]}=...")
    return SegcliError(f"{_named(tree)} cannot be composed: {words}")


def sentence(words: str) -> str:
    r"""Return the first line of somebody else's message as our messages go: no capital, no full stop.

    Examples:
        >>> sentence("Interpolation key 'a' not found\n    full_key: b")
        "interpolation key 'a' not found"
    """
    first = words.strip().partition("\n")[0]
    # A resolver's own words come within OmegaConf's.
    first = re.sub(r'^\w+ raised while resolving interpolation: "?(.*?)"?$', r"\1", first)
    return f"{first[:1].lower()}{first[1:].rstrip('.')}"


def _words(error: Exception) -> str:
    import yaml

    if isinstance(error, yaml.YAMLError):
        # The YAML reader says where on the lines that follow.
        return " ".join(str(error).split())
    # Where OmegaConf fails within Hydra, the cause says why.
    words = sentence(str(error.__cause__ or error)) or type(error).__name__
    return words.replace("no viable alternative at input", "an interpolation is not closed or not well formed:")


def _missing(config: str, words: str, tree: Tree) -> SegcliError:
    group, _, choice = config.rpartition("/")
    named_in = re.match(r"In '([^']+)'", words)
    where = f"{tree.file(named_in[1])} names {config} in its defaults list: " if named_in else ""
    if group:
        found = no_choice(tree, group, choice)
        return SegcliError(where + found.message, hint=found.hint)
    return SegcliError(f"{where}there is no {tree.file(config)}", hint=nearest(config, tree.choices("") or ["nothing"]))


def _named(tree: Tree) -> str:
    return str(tree.file(tree.name)) if tree.name else "what -O says"
