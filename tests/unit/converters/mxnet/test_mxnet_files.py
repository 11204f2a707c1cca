"""MXNet's files are told by their content, read in all forms they had, and refused where they are damaged."""

import json
import struct

import numpy as np
import pytest

from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.mxnet.symbols.checking import check_graph, find_labels, select
from modelport_converter.frameworks.mxnet.symbols.inspect import find_files, inspect
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import read_graph
from modelport_converter.frameworks.mxnet.symbols.reading.parameters import bare_names, read_parameters

ARRAY = np.arange(6, dtype="<f4").reshape(2, 3)
CONTENT = struct.pack("<iii", 1, 0, 0) + ARRAY.tobytes()
LEGACY = struct.pack("<III", 2, 2, 3) + CONTENT
V1 = struct.pack("<IIqq", 0xF993FAC8, 2, 2, 3) + CONTENT
V2 = struct.pack("<Iiiqq", 0xF993FAC9, 0, 2, 2, 3) + CONTENT
V3 = struct.pack("<Iiiqq", 0xF993FACA, 0, 2, 2, 3) + CONTENT
ROWS = (
    struct.pack("<Iiiqqiqq", 0xF993FAC9, 1, 2, 1, 3, 2, 4, 3)
    + struct.pack("<iiiiiq", 1, 0, 0, 6, 1, 1)
    + ARRAY[:1].tobytes()
    + struct.pack("<q", 2)
)


def listed(*arrays, names=("arg:w",), count=None):
    told = b"".join(struct.pack("<Q", len(name)) + name.encode() for name in names)
    many = len(arrays) if count is None else count
    return struct.pack("<QQQ", 0x112, 0, many) + b"".join(arrays) + struct.pack("<Q", len(names)) + told


def node(operator, name, *inputs, **attributes):
    return {"op": operator, "name": name, "attrs": attributes, "inputs": [[each, 0, 0] for each in inputs]}


NODES = [
    node("null", "data"),
    node("null", "w"),
    node("FullyConnected", "fc", 0, 1, num_hidden="2", no_bias="True"),
    node("null", "softmax_label"),
    node("SoftmaxOutput", "softmax", 2, 3),
]


def symbol(nodes=NODES, heads=((4, 0, 0),)):
    arguments = [number for number, each in enumerate(nodes) if each["op"] == "null"]
    return json.dumps({"nodes": nodes, "arg_nodes": arguments, "heads": [list(each) for each in heads]})


def refused(call):
    with pytest.raises(ModelportError) as caught:
        call()
    return str(caught.value.reason), caught.value.message


@pytest.mark.parametrize("array", [LEGACY, V1, V2, V3], ids=["first", "V1", "V2", "V3"])
def test_all_forms_of_arrays_are_read(tmp_path, array):
    path = tmp_path / "net.params"
    path.write_bytes(listed(array))
    parameters = read_parameters(path)
    np.testing.assert_array_equal(parameters.arrays["arg:w"], ARRAY)
    assert parameters.has_prefixes
    assert parameters.is_numpy == (array is V3)
    assert list(bare_names(parameters)) == ["w"]


def test_rows_become_a_whole_table(tmp_path):
    path = tmp_path / "net.params"
    path.write_bytes(listed(ROWS))
    found = read_parameters(path).arrays["arg:w"]
    assert found.shape == (4, 3)
    np.testing.assert_array_equal(found[2], ARRAY[0])
    assert not found[[0, 1, 3]].any()


def test_an_npz_of_mxnet_2_is_read(tmp_path):
    path = tmp_path / "net.params"
    with path.open("wb") as file:
        np.savez(file, w=ARRAY)
    parameters = read_parameters(path)
    np.testing.assert_array_equal(parameters.arrays["w"], ARRAY)
    assert parameters.is_numpy


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (listed(V2)[:60], "bytes at offset"),
        (listed(V2) + b"x", "the end of the file"),
        (listed(V2, count=2**62), "at most 65536 arrays"),
        (listed(V2, names=("a", "b")), "names of 1 arrays"),
        (listed(V2, V2, names=("a", "a")), "a name for each array"),
        (listed(V2.replace(struct.pack("<qq", 2, 3), struct.pack("<qq", 1 << 40, 1 << 40))), "bytes at offset"),
        (listed(V2.replace(struct.pack("<qq", 2, 3), struct.pack("<qq", -2, 3))), "with lengths"),
        (listed(V2.replace(struct.pack("<iii", 1, 0, 0), struct.pack("<iii", 1, 0, 99))), "type flag 99"),
        (listed(ROWS[:-8] + struct.pack("<q", 4)), "rows"),
        (b"PK" + listed(V2), "an npz of numbers"),
        (b"x" * 40, "another magic number"),
    ],
)
def test_damaged_parameters_are_told(tmp_path, content, told):
    path = tmp_path / "net.params"
    path.write_bytes(content)
    reason, message = refused(lambda: read_parameters(path))
    assert reason == "SourceCorrupt"
    assert told in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "nodes and heads"),
        (symbol(heads=()), "with outputs"),
        (symbol(heads=((9, 0, 0),)), "a node before number 5"),
        (symbol([node("null", "data"), node("relu", "r", 1)], heads=((1, 0, 0),)), "a node before number 1"),
        (symbol([node("null", "data"), {"op": 3, "name": "x"}], heads=((0, 0, 0),)), "op and name"),
        (symbol([{**node("null", "data"), "attrs": {"a": 1}}], heads=((0, 0, 0),)), "attrs as texts"),
    ],
)
def test_damaged_symbols_are_told(text, told):
    reason, message = refused(lambda: read_graph(text, "net-symbol.json"))
    assert reason == "SourceCorrupt"
    assert told in message


def test_attributes_of_all_releases_are_read():
    old = {"op": "relu", "name": "r", "param": {"a": "1"}, "attr": {"ctx": "x"}, "inputs": [[0, 0]]}
    graph = read_graph(symbol([node("null", "data"), old], heads=((1, 0),)), "net")
    assert graph.nodes[1].attributes == {"a": "1", "ctx": "x"}


def test_labels_are_what_only_losses_read():
    assert find_labels(read_graph(symbol(), "net")) == {"softmax_label"}


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("null", "x"), node("Custom", "mine", 0, op_type="a")], "Custom (layer mine): it is Python code"),
        ([node("null", "x"), node("_contrib_quantize_v2", "q", 0)], "int8; give the model that was quantized"),
        ([node("null", "x"), node("_foreach", "loop", 0)], "unroll the loop"),
        ([node("null", "x"), node("Pooling", "pool", 0, kernel="(2, 2)", stride="(0, 1)")], "stride above 0"),
        ([node("null", "x"), node("relu", "r")], "at least 1 inputs"),
    ],
)
def test_operators_are_refused_by_name_before_mxnet_sees_them(nodes, told):
    graph = read_graph(symbol(nodes, heads=((1, 0, 0),)), "net")
    reason, message = refused(lambda: check_graph(graph))
    assert reason == "ConversionFailed"
    assert told in message


def test_files_are_told_by_their_content(tmp_path):
    (tmp_path / "a").write_text(symbol())
    (tmp_path / "b").write_bytes(listed(V2))
    format_, evidence = detect(open_tree(tmp_path), SOURCES.values())
    assert format_.name == "mxnet"
    assert dict(evidence.parts) == {"symbol": "a", "parameters": "b"}
    assert evidence.is_sure
    inspect(tmp_path, ["a", "b"], "mxnet")


def test_a_graph_that_tvm_compiled_is_none_of_mxnets(tmp_path):
    (tmp_path / "graph.json").write_text(symbol([node("null", "x"), node("tvm_op", "f", 0)], heads=((1, 0, 0),)))
    found = detect(open_tree(tmp_path), [SOURCES["mxnet"]])
    assert found is None


def test_parameters_alone_and_several_epochs_are_told(tmp_path):
    (tmp_path / "net-0001.params").write_bytes(listed(V2))
    assert "expected the symbol" in refused(lambda: find_files(open_tree(tmp_path)))[1]
    (tmp_path / "net-symbol.json").write_text(symbol())
    (tmp_path / "net-0002.params").write_bytes(listed(V2))
    reason, message = refused(lambda: find_files(open_tree(tmp_path)))
    assert reason == "AmbiguousFormat"
    assert "net-0002.params" in message


def test_a_key_names_other_outputs():
    graph = read_graph(symbol(), "net")
    assert select(graph, None) == graph
    assert select(graph, "fc_output").heads == ((2, 0),)
    assert select(graph, "softmax_output, fc_output").heads == ((4, 0), (2, 0))
    reason, message = refused(lambda: select(graph, "none_output"))
    assert reason == "InvalidSpec"
    assert "softmax_output" in message
