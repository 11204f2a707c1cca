"""Tensors of a model, wherever they stand, and their files."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport_converter.onnx_graphs.files import load_whole
from modelport_converter.onnx_graphs.graphs import has_external_data, tensors_of
from unit.converters.onnx_models import constant, graph, model, node, value

WEIGHT = np.arange(9, dtype=np.float32).reshape(3, 3)
X = np.array([[1, 2, 3]], np.float32)


def in_an_initializer():
    return model([node("MatMul", ["x", "w"], ["y"])], [value("x")], [value("y")], {"w": WEIGHT})


def in_a_constant():
    return model([constant("w", WEIGHT), node("MatMul", ["x", "w"], ["y"])], [value("x")], [value("y")])


def in_a_branch(weights=None, *nodes):
    then = graph([*nodes, node("MatMul", ["x", "w"], ["t"])], (), [value("t")], weights or {})
    other = graph([node("Identity", ["x"], ["e"])], (), [value("e")])
    choice = node("If", ["go"], ["y"], then_branch=then, else_branch=other)
    return model([choice], [value("x")], [value("y")], {"go": np.array(True)})


def in_the_initializer_of_a_branch():
    return in_a_branch({"w": WEIGHT})


def in_the_constant_of_a_branch():
    return in_a_branch({}, constant("w", WEIGHT))


def in_a_function():
    body = [constant("w", WEIGHT), node("MatMul", ["a", "w"], ["r"])]
    function = helper.make_function("own", "Linear", ["a"], ["r"], body, [helper.make_opsetid("", 17)])
    return model([node("Linear", ["x"], ["y"], domain="own")], [value("x")], [value("y")], functions=[function])


def in_a_sparse_tensor():
    made = in_a_constant()
    sparse = made.graph.node[0].attribute[0]
    values, places = WEIGHT.ravel()[1:], np.arange(1, 9)
    sparse.ClearField("t")
    sparse.name, sparse.type = "sparse_value", onnx.AttributeProto.SPARSE_TENSOR
    sparse.sparse_tensor.CopyFrom(
        helper.make_sparse_tensor(onnx.numpy_helper.from_array(values), onnx.numpy_helper.from_array(places), [3, 3])
    )
    sparse.sparse_tensor.values.name = "w"
    return made


@pytest.mark.parametrize(
    "make",
    [
        in_an_initializer,
        in_a_constant,
        in_the_initializer_of_a_branch,
        in_the_constant_of_a_branch,
        in_a_function,
        in_a_sparse_tensor,
    ],
)
def test_what_lies_in_other_files_comes_inside(tmp_path, make):
    made, folder, content = make(), tmp_path / "source", b""
    folder.mkdir()
    assert not has_external_data(made)
    for tensor in tensors_of(made):
        if tensor.data_type == TensorProto.FLOAT:
            data = tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            entries = {"location": "w.bin", "offset": str(len(content)), "length": str(len(data))}
            for key, text in entries.items():
                tensor.external_data.add(key=key, value=text)
            content += data
    assert len(content) in {8 * 4, 9 * 4}  # the sparse one leaves its zero out
    (folder / "w.bin").write_bytes(content)
    onnx.save(made, folder / "model.onnx")
    assert has_external_data(made)
    whole = load_whole(folder / "model.onnx")
    shutil.rmtree(folder)
    assert not has_external_data(whole)
    session = open_session(tmp_path / "model.onnx", level="all", content=whole.SerializeToString())
    np.testing.assert_array_equal(make_run(session)({"x": X})[0], X @ WEIGHT)
