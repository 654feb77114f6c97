import pytest

from segcli.formats.node_preview import preview, type_name
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Place, Storage, Text

HERE = Place("BINUNICODE", 0, 1)
NAME = Text("name", HERE)
STORAGE = Storage("FloatStorage", "7", Text("cpu", HERE), 4, Group("tuple", []))
CLASS = Global("pkg", "Class")
NONE = Group("tuple", [])


@pytest.mark.parametrize(
    ("node", "name", "words"),
    [
        (None, "None", "None"),
        (True, "bool", "True"),
        (NAME, "str", "'name'"),
        (Text(b"abc", HERE), "bytes", "3 bytes"),
        (Text(bytearray(b"abc"), HERE), "bytearray", "3 bytes"),
        (STORAGE, "FloatStorage", "storage 7"),
        (CLASS, "name", "pkg.Class"),
        (Group("set", [1]), "set", "{1}"),
        (Group("list", [CLASS, STORAGE]), "list", "[pkg.Class, storage 7]"),
        (Mapping([(NAME, 1)]), "dict", "{'name': 1}"),
        (Mapping([(1, Mapping([(2, Mapping([(3, 4)]))]))]), "dict", "{1: {2: {...}}}"),
        (Call(CLASS, NONE), "pkg.Class", ""),
        (Call(CLASS, Group("tuple", [1]), items=[2], pairs=[(NAME, 3)]), "pkg.Class", "1, 2, 'name': 3"),
        (Call(CLASS, NONE, state=[Mapping([(NAME, 1), (Text("_own", HERE), 2)])]), "pkg.Class", "name=1"),
        (Call(CLASS, NONE, state=[Mapping([(5, 1)])]), "pkg.Class", "5=1"),
        (Call(CLASS, NONE, state=[7]), "pkg.Class", ""),
        (Call(STORAGE, 5), "object", ""),
        (Call(Global("copyreg", "_reconstructor"), Group("tuple", [CLASS, None])), "pkg.Class", ""),
        (Group("list", [Call(CLASS, Group("tuple", [1]))]), "list", "[pkg.Class(1)]"),
        (Group("list", []), "list", "[]"),
        (Text("y" * 500, HERE), "str", repr("y" * 57 + "...")),
        (Group("tuple", [Text("y" * 500, HERE)] * 3), "tuple", "('" + "y" * 57 + "...', '" + "y" * 31 + "..."),
    ],
)
def test_types_and_values_in_few_words(node: Node, name: str, words: str) -> None:
    assert type_name(node) == name
    assert preview(node) == words
