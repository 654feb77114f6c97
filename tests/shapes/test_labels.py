import pytest

from segcli.shapes import explain
from tests.conftest import Run

X = "n:N,h:8,w:16,c:3"


@pytest.mark.parametrize(
    ("expr", "specs", "labels"),
    [
        ("x", {}, ("n", "h", "w", "c")),
        ("x[0]", {}, ("h", "w", "c")),
        ("x[..., 0]", {}, ("n", "h", "w")),
        ("x[:, 1:5]", {}, ("n", "h", "w", "c")),
        ("x[None, 0]", {}, (None, "h", "w", "c")),
        ("x[0, 0, 0, 0]", {}, None),
        ("x[i]", {"i": "5,"}, (None, "h", "w", "c")),
        ("x[i]", {"i": "k:5"}, ("k", "h", "w", "c")),
        ("x[:, i, j]", {"i": "4,1", "j": "5,"}, ("n", None, None, "c")),
        ("x[:, i, j]", {"i": "p:4,r:1", "j": "q:5"}, ("n", "p", "q", "c")),
        ("x[:, i, j]", {"i": "p:4", "j": "q:4"}, ("n", "p", "c")),
        ("x[:, i, j]", {"i": "1,", "j": "q:1"}, ("n", "q", "c")),
        ("x[i, :, :, j]", {"i": "p:4", "j": "q:1"}, ("p", "h", "w")),
        ("x[:, m]", {"m": "bool:h:8,w:16"}, ("n", None, "c")),
        ("x[:, m]", {"m": "bool:sel:8#5"}, ("n", "sel", "w", "c")),
        ("x[[0, 0]]", {}, (None, "h", "w", "c")),
        ("x.sum(1)", {}, ("n", "w", "c")),
        ("x.sum((1, 2), keepdim=True)", {}, ("n", "h", "w", "c")),
        ("x.mean()", {}, None),
        ("x.max(1).indices", {}, ("n", "w", "c")),
        ("x.max(-1)", {}, ("n", "h", "w")),
        ("x.argmax(3)[0]", {}, ("h", "w")),
        ("y[i]", {"y": "4,5", "i": "k:3"}, ("k", None)),
        ("y[0]", {"y": "4,5"}, None),
        ("x[9, 9, 9, 9]", {}, None),
    ],
)
def test_labels_go_where_their_axes_go(expr: str, specs: dict[str, str], labels: tuple[str | None, ...] | None) -> None:
    bound = specs if expr.startswith("y") else {"x": X, **specs}
    assert explain(expr, bound).torch.labels == labels


def test_a_label_changes_nothing_else() -> None:
    bare, labelled = (explain("x[:, 0, i]", {"x": spec, "i": "4,"}) for spec in ("8,16,3", "int64:h:8,w:16,c:3"))
    assert bare.torch.shape == labelled.torch.shape
    assert bare.formula == labelled.formula
    assert labelled.torch.dtype == "int64"


def test_a_reader_sees_labels(segcli: Run) -> None:
    done = segcli("shapes", "x[:, 0, i]", "x=h:8,w:16,c:3", "i=k:4")
    title, _, _, *rows = done.out.splitlines()
    assert title == "x[:, 0, i]  ->  (h: 8, k: 4)  float32, copy"
    assert "axis 1 (w): 16" in rows[1]
    assert "axis 1 (k): 4" in rows[2]
    document = segcli("shapes", "x[:, 0, i]", "x=h:8,w:16,c:3", "i=k:4", "--json").json
    assert document["torch"]["labels"] == document["numpy"]["labels"] == ["h", "k"]
    assert document["steps"][0]["takes_labels"] == ["h"]
    assert document["steps"][1]["gives_labels"] == []
    assert segcli("shapes", "x.max(0)", "x=h:8,w:16").out.startswith(
        "x.max(0)  ->  values (w: 16,) float32, indices (w: 16,)"
    )
