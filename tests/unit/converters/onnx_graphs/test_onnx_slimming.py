"""onnxslim beside a Split by a number of parts, of which the last is shorter where they do not divide."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from modelport_converter.onnx_graphs.files import simplified
from modelport_converter.onnx_graphs.settling import fold

PARTS = 3


def parted(length, axis=1):
    """Return a model that answers with the parts of its rows, and with how long each is, which can be folded."""
    names = [f"part_{number}" for number in range(PARTS)]
    nodes = [
        helper.make_node("Relu", ["x"], ["positive"]),
        helper.make_node("Split", ["positive"], names, axis=axis, num_outputs=PARTS),
        *(helper.make_node("Shape", [name], [f"{name}_shape"]) for name in names),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    outputs += [helper.make_tensor_value_info(f"{name}_shape", TensorProto.INT64, None) for name in names]
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, length])]
    graph = helper.make_graph(nodes, "parts", taken, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def answer(model, array):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": array})


@pytest.mark.parametrize("change", [fold, simplified])
@pytest.mark.parametrize(("declared", "lengths"), [(7, [7]), (9, [9]), ("t", [3, 7, 8, 9])])
@pytest.mark.parametrize("axis", [1, -1])
def test_a_last_part_may_be_shorter(change, declared, lengths, axis):
    changed = change(parted(declared, axis))
    for length in lengths:
        array = np.random.default_rng(length).normal(size=(2, length)).astype(np.float32)
        for found, right in zip(answer(changed, array), answer(parted(declared, axis), array), strict=True):
            np.testing.assert_array_equal(found, right)


def test_what_is_told_of_parts_is_what_they_are():
    (told,) = [[dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in fold(parted(7)).graph.output[2:3]]
    assert told == [2, 1]
