from pathlib import Path

import pytest

from tests.composing.conftest import assert_short
from tests.conftest import Run


# {} stands for the override as it was written.
@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("loss.tresh=0.6", "{} names an unknown key 'loss.tresh'", "did you mean loss.thresh"),
        ("tresh=0.6", "{} names an unknown key 'tresh'", "did you mean loss.thresh"),
        ("data.thresh=0.6", "{} names an unknown key 'data.thresh'", "did you mean loss.thresh?"),
        ("data.trash=1", "{} names an unknown key 'data.trash'", "did you mean loss.thresh?"),
        ("zzz=1", "{} names an unknown key 'zzz'", "--show-config writes every key"),
        ("=1", "{} names an unknown key ''", "--show-config writes every key"),
        ("los=ohem", "{} names an unknown key 'los'", "did you mean loss"),
        ("thresh@data=1", "{} names an unknown key 'thresh'", "did you mean loss.thresh?"),
        ("config=x.yaml", "{} names an unknown key 'config'", "--show-config writes every key"),
        ("hydra.searchpath=[pkg://this]", "{} names an unknown key", "--show-config writes every key"),
        ("hydra/launcher=basic", "{} names an unknown key 'hydra/launcher'", "--show-config writes every key"),
        ("loss._target_=os.system", "{} names an unknown key 'loss._target_'", "--show-config writes every key"),
        ("loss=ohm", "loss=ohm: there is no conf/loss/ohm.yaml", "did you mean ohem?"),
        ("+data=test", "data=test: there is no conf/data/test.yaml", "known: val"),
        ("loss=null", "{} names no choice of loss", "known: dice, ohem; ~loss leaves it out"),
        ("loss=[ohem,1]", "{} names no choice of loss", "known: dice, ohem; ~loss leaves it out"),
        (
            "data=val",
            "conf/config.yaml has no data in its defaults list, so there is no choice to replace",
            "add it there, or with a plus: -O +data=...",
        ),
        (
            "~loss=dice",
            "conf/config.yaml cannot be composed: could not delete 'loss=dice'. No match in the defaults list",
            "",
        ),
        (
            "~loss.gamma",
            "conf/config.yaml cannot be composed: could not delete from config. 'loss.gamma' does not exist",
            "",
        ),
        ("loss.thresh=high", "invalid value for 'loss.thresh' in {}: 'high' is not a valid float", ""),
        ("thresh=1.5", "invalid value for 'loss.thresh' in {}: 1.5 is not in the range 0<=x<=1", ""),
        (
            "thresh=true",
            "invalid value for 'loss.thresh' in {}: it is true, expected no truth value",
            "put a word in quotes: 'no', 'on'",
        ),
        (
            "thresh=null",
            "invalid value for 'loss.thresh' in {}: it is null, expected a value",
            "leave it out for the default, 0.7",
        ),
        ("thresh=[0.6,0.7]", "invalid value for 'loss.thresh' in {}: it holds a list, expected one value", ""),
        ("thresh={a: 1}", "invalid value for 'loss.thresh' in {}: it holds a dict, expected one value", ""),
        ("ignore_index=1.5", "invalid value for 'data.ignore_index' in {}: '1.5' is not a valid int", ""),
        ("reduce=pixel", "invalid value for 'loss.reduce' in {}: 'pixel' is not one of 'image', 'batch'", ""),
        ("squared=often", "invalid value for 'loss.squared' in {}: 'often' is not a valid bool", ""),
        ("class_names=['a,b',c]", "invalid value for 'data.class_names' in {}: 'a,b' holds a ','", ""),
        ("class_names=[a,null]", "invalid value for 'data.class_names' in {}: it holds null", ""),
        (
            "thresh=${loss.nothing}",
            "'loss.thresh' in {} cannot be filled in: interpolation key 'loss.nothing' not found",
            "",
        ),
        (
            "thresh=${oc.env:SEGCLI_NO_SUCH}",
            "'loss.thresh' in {} cannot be filled in: environment variable 'SEGCLI_NO_SUCH' not found",
            "",
        ),
        ("thresh=${eval:1}", "'loss.thresh' in {} cannot be filled in: unsupported interpolation type eval", ""),
        ("thresh=${loss.thresh}", "'loss.thresh' in {} cannot be filled in: ", ""),
        (
            "thresh='${loss.q'",
            "conf/config.yaml cannot be composed: an interpolation is not closed or not well formed: '${loss.q'",
            "",
        ),
        ("thresh", "{} is not in Hydra's grammar of overrides", "write it as KEY=VALUE, GROUP=CHOICE or ~KEY"),
        ("sweep=gamma=1", "{} is not in Hydra's grammar of overrides", "write it as KEY=VALUE"),
        ("thresh=" + "[" * 5000, "-O thresh=" + "[" * 53 + "... is not in Hydra's", "write it as KEY=VALUE"),
        (
            "loss=ohem,dice",
            "{} sweeps over files, and only single options can be swept",
            "run the command once for each",
        ),
        ("loss=glob(*)", "{} sweeps over files, and only single options can be swept", "run the command once for each"),
        (
            "class_names=road,car",
            "{} sweeps over data.class_names; only loss.thresh, loss.n_min, loss.gamma, loss.alpha, loss.smooth can be",
            "for one value with commas, put it in brackets: -O 'data.class_names=[a,b]'",
        ),
        (
            "thresh=glob(*)",
            "{} does not say which values, expected a list or a range",
            "write it as loss.thresh=0.5,0.6",
        ),
        ("thresh=interval(0,1)", "{} does not say which values", "write it as loss.thresh=0.5,0.6"),
        ("thresh=0.5,high", "invalid value for 'loss.thresh' in {}: 'high' is not a valid float", ""),
        ("thresh=range(0,2)", "", ""),
        ("thresh=range(1,4)", "invalid value for 'loss.thresh' in {}: 2.0 is not in the range 0<=x<=1", ""),
        ("gamma=range(0,1e9)", "{} gives more than 10,000 values", ""),
        ("gamma=shuffle(range(0,1000000000000))", "{} gives more than 10,000 values", ""),
        ("gamma=range(1,0)", "{} gives no values", ""),
        ("gamma=range(0,1,0)", "{} gives no values", ""),
        ("gamma=range(0,1.5,0)", "{} gives no values", ""),
        ("alpha=[1,2],[3,4]", "{} sweeps over '[1, 2]', expected single numbers or words", ""),
        ("alpha='1,2','3,4'", "{} sweeps over '1,2', expected single numbers or words", ""),
    ],
    ids=lambda value: value[:40],
)
def test_bad_overrides_are_refused(tree: Path, command: Run, override: str, message: str, hint: str) -> None:
    done = command("--config-dir", tree, "-O", override)
    if not message:
        assert done.code == 0
        return
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: " + message.replace("{}", f"-O {override}"))
    if hint:
        assert f"\nhint: {hint}" in done.err
    assert_short(done.err)
