import pytest
import torch

from segcli.formats.globals_verdict import ALLOWED, Verdict, judge


def test_the_list_is_torchs() -> None:
    assert set(torch._weights_only_unpickler._get_allowed_globals()) == ALLOWED


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("collections.OrderedDict", Verdict.ALLOWED),
        ("torch.FloatStorage", Verdict.ALLOWED),
        ("argparse.Namespace", Verdict.UNKNOWN),
        ("numpy.dtype", Verdict.UNKNOWN),
        ("osprey.Config", Verdict.UNKNOWN),
        ("os.system", Verdict.DANGEROUS),
        ("posix.system", Verdict.DANGEROUS),
        ("builtins.eval", Verdict.DANGEROUS),
        ("importlib.import_module", Verdict.DANGEROUS),
        ("torch.storage._load_from_bytes", Verdict.DANGEROUS),
        ("copyreg extension.7", Verdict.UNKNOWN),
    ],
)
def test_verdicts(path: str, verdict: Verdict) -> None:
    assert judge(path) is verdict
