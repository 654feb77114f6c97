"""Judges a pickle by what it names and does: by allow-lists alone, since lists of what is dangerous have gaps."""

from collections.abc import Collection

from segcli.ckpt.verification.findings import Findings, Severity
from segcli.formats.globals_verdict import ALLOWED, DCP_METADATA, WEIGHTS_ONLY_OPCODES, Verdict, judge
from segcli.formats.pickle_walk import Walk

# What keys may be set in, of the names that torch allows.
_WITH_KEYS = frozenset(["collections.OrderedDict", "collections.Counter", "collections.defaultdict"])
_WHAT = {
    Verdict.DANGEROUS: "it names {}, which runs code or touches files: loading the file without weights_only calls it",
    Verdict.UNKNOWN: "it names {}, which torch.load(..., weights_only=True) refuses, and which may do anything",
}


def check_pickle(walk: Walk, where: str, allow: Collection[str], findings: Findings) -> None:
    """Take note of what is not on torch's list of names, or not among the opcodes that it reads.

    Args:
        walk: What the pickle says.
        where: The pickle's name.
        allow: Names that are allowed, besides torch's.
        findings: Where to take note.
    """
    for name in sorted(walk.globals):
        verdict = judge(name)
        if name in allow:
            if verdict is not Verdict.ALLOWED:
                findings.add(Severity.NOTE, f"it names {name}, which --allow lets pass", where)
        elif verdict is not Verdict.ALLOWED:
            findings.add(Severity.ERROR, _WHAT[verdict].format(name), where)
            if verdict is Verdict.UNKNOWN:
                findings.suggest("let names pass whose code you know with --allow NAME")
            else:
                findings.suggest("do not load this file with weights_only=False")
    _check_filled(walk, where, findings)
    if refused := sorted(walk.opcodes - WEIGHTS_ONLY_OPCODES):
        what = f"torch.load(..., weights_only=True) refuses it for its opcodes {', '.join(refused)}"
        findings.add(Severity.WARNING, what, where)


def check_metadata(walk: Walk, where: str, allow: Collection[str], findings: Findings) -> None:
    """Take note of what torch's planner does not write into the metadata of a distributed checkpoint.

    Args:
        walk: What the pickle says.
        where: Its name.
        allow: Names that are allowed, besides those.
        findings: Where to take note.
    """
    for name in sorted(walk.globals.keys() - DCP_METADATA - ALLOWED):
        if name in allow:
            findings.add(Severity.NOTE, f"it names {name}, which --allow lets pass", where)
        else:
            what = (
                f"it names {name}, which torch's planner does not write; torch unpickles it without any list of names"
            )
            findings.add(Severity.ERROR, what, where)
            findings.suggest("do not load this folder with torch: segcli ckpt convert reads it without running it")
    _check_filled(walk, where, findings)


def _check_filled(walk: Walk, where: str, findings: Findings) -> None:
    for name in sorted(walk.filled):
        if name in ALLOWED and name not in _WITH_KEYS:
            what = f"it sets items in what {name} returns, which torch.save never writes: do not load this file"
            findings.add(Severity.ERROR, what, where)
