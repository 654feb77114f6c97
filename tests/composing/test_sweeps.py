import pytest

from tests.composing.conftest import DEFAULTS, Options


@pytest.mark.parametrize(
    ("argv", "sweep"),
    [
        (("thresh=0.6,0.7",), ["thresh=0.6,0.7"]),
        (("loss.n_min=1/16,1/32",), ["n_min=1/16,1/32"]),
        (("thresh=range(0.5,0.9,0.1)",), ["thresh=0.5,0.6,0.7,0.8,0.9"]),
        (("thresh=range(0.1,0.4,0.1)",), ["thresh=0.1,0.2,0.3,0.4"]),
        (("n_min=range(1,4)",), ["n_min=1,2,3"]),
        (("n_min=range(3,1,-1)",), ["n_min=3,2"]),
        (("gamma=choice(1,2.5,'3')",), ["gamma=1,2.5,3"]),
        (("gamma=sort(3,1,2)",), ["gamma=1,2,3"]),
        (("gamma=shuffle(range(1,4))",), ["gamma=1,2,3"]),
        (("thresh=0.6,0.7", "gamma=1,2"), ["thresh=0.6,0.7", "gamma=1,2"]),
        (("thresh=0.6,0.7", "thresh=0.8,0.9"), ["thresh=0.8,0.9"]),
        (("sweep=['gamma=1,2']", "thresh=0.6,0.7"), ["gamma=1,2", "thresh=0.6,0.7"]),
        (("sweep=['n-min =1,2']", "n_min=3,4"), ["n_min=3,4"]),
    ],
    ids=" ".join,
)
def test_sweeps_become_the_commands_own(options: Options, argv: tuple[str, ...], sweep: list[str]) -> None:
    done = options(*(word for override in argv for word in ("-O", override)))
    assert done == {**DEFAULTS, "sweep": sweep}


def test_sweeps_beside_the_commands_own(options: Options) -> None:
    assert options("--sweep", "gamma=1,2", "-O", "thresh=0.6,0.7")["sweep"] == ["gamma=1,2", "thresh=0.6,0.7"]


@pytest.mark.parametrize(
    "text", ["thresh=0.6,0.7", "gamma=range(1,3,0.5)", "n_min=1/16,100000", "smooth=range(5,1,-2)"]
)
def test_sweeps_are_hydras(options: Options, text: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    theirs = [str(value) for value in OverridesParser.create().parse_override(text).sweep_iterator()]
    name, _, ours = options("-O", text)["sweep"][0].partition("=")
    assert name == text.partition("=")[0]
    assert ours.split(",") == [text.removesuffix(".0") for text in theirs]
