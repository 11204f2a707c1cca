"""The coarsest type that a model computes with, and float64 computed in float32."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport_converter.onnx_graphs.graphs import infer_tensors
from modelport_converter.onnx_graphs.precision import compute_in_float32, find_precision
from unit.converters.onnx_models import constant, graph, model, node, value

FLOAT, DOUBLE, HALF, BFLOAT = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
)
WEIGHT = np.random.default_rng(1).standard_normal((3, 3))


def precision(*nodes, dtype=FLOAT, weight=np.float32):
    made = model(nodes, [value("x", dtype=dtype)], [value("y", None)], {"w": WEIGHT.astype(weight)}, check=False)
    made.graph.output[0].type.tensor_type.elem_type = dtype
    return find_precision(made, infer_tensors(made))


def cast(name, result, dtype):
    return node("Cast", [name], [result], to=dtype)


@pytest.mark.parametrize(
    ("nodes", "dtype", "weight", "expected"),
    [
        ([node("MatMul", ["x", "w"], ["y"])], FLOAT, np.float32, "float32"),
        ([node("MatMul", ["x", "w"], ["y"])], DOUBLE, np.float64, "float64"),
        ([node("MatMul", ["x", "w"], ["y"])], HALF, np.float16, "float16"),
        ([node("MatMul", ["x", "w"], ["y"])], BFLOAT, ml_dtypes.bfloat16, "bfloat16"),
        # kept in half precision, computed in float32
        ([cast("w", "v", FLOAT), node("MatMul", ["x", "v"], ["y"])], FLOAT, np.float16, "float32"),
        # half precision inside alone
        (
            [cast("x", "h", HALF), node("MatMul", ["h", "w"], ["m"]), cast("m", "y", FLOAT)],
            FLOAT,
            np.float16,
            "float16",
        ),
        # a number that is rounded on its way
        (
            [cast("x", "h", HALF), cast("h", "v", FLOAT), node("MatMul", ["v", "w"], ["y"])],
            FLOAT,
            np.float32,
            "float16",
        ),
        # half precision at the edges alone
        (
            [cast("x", "v", FLOAT), node("MatMul", ["v", "w"], ["m"]), cast("m", "y", HALF)],
            HALF,
            np.float32,
            "float16",
        ),
        ([node("Identity", ["x"], ["y"])], HALF, np.float32, "float16"),
        ([node("Shape", ["x"], ["s"]), node("Identity", ["x"], ["y"])], DOUBLE, np.float32, "float64"),
    ],
)
def test_the_coarsest_type_is_that_of_what_is_computed(nodes, dtype, weight, expected):
    assert precision(*nodes, dtype=dtype, weight=weight) == expected


def run(made, tmp_path, questions):
    session = open_session(tmp_path / "model.onnx", level="none", content=made.SerializeToString())
    return dict(zip([each.name for each in session.get_outputs()], make_run(session)(questions), strict=True))


def test_inside_is_float32_and_the_edges_keep_their_types(tmp_path):
    """A convolution in float64, which ONNX Runtime has no kernel for."""
    kernel = np.random.default_rng(2).standard_normal((4, 3, 1, 1))
    shape = ["batch", 3, 2, 2]
    made = model(
        [node("Conv", ["x", "k"], ["y"])], [value("x", shape, DOUBLE)], [value("y", shape, DOUBLE)], {"k": kernel}
    )
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 4
    compute_in_float32(made)
    onnx.checker.check_model(made, full_check=True)
    x = np.random.default_rng(3).standard_normal((5, 3, 2, 2))
    found = run(made, tmp_path, {"x": x})["y"]
    assert found.dtype == np.float64
    expected = np.einsum("oc,bchw->bohw", kernel[:, :, 0, 0], x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    # and it is float32 inside: the numbers are rounded
    assert 1e-9 < np.abs(found - expected).max() < 1e-5


def test_weights_and_inputs_that_are_outputs_and_branches(tmp_path):
    then = graph([node("Mul", ["m", "two"], ["t"])], (), [value("t", None, DOUBLE)], {"two": np.float64(2)})
    other = graph([node("Identity", ["x"], ["e"])], (), [value("e", None, DOUBLE)])
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        constant("low", np.finfo(np.float64).min),
        node("Cast", ["k"], ["c"], to=DOUBLE),
        node("If", ["go"], ["f"], then_branch=then, else_branch=other),
        node("Where", ["hide", "low", "f"], ["h"]),
        node("Add", ["h", "c"], ["y"]),
    ]
    inputs = [
        value("x", dtype=DOUBLE),
        value("k", [], TensorProto.INT64),
        value("go", [], TensorProto.BOOL),
        value("hide", [3], TensorProto.BOOL),
    ]
    outputs = [value("y", dtype=DOUBLE), value("w", [3, 3], DOUBLE), value("x", dtype=DOUBLE)]
    made = model(nodes, inputs, outputs, {"w": WEIGHT}, check=False)
    compute_in_float32(made)
    x = np.random.default_rng(4).standard_normal((2, 3))
    hide = np.array([False, True, False])
    lowest = float(np.finfo(np.float32).min)
    for go, inside in ((True, 2 * x @ WEIGHT), (False, x)):
        found = run(made, tmp_path, {"x": x, "k": np.array(7), "go": np.array(go), "hide": hide})
        assert {name: array.dtype.name for name, array in found.items()} == dict.fromkeys(["y", "w", "x"], "float64")
        # what was the lowest float64 is the lowest float32, and not infinite
        np.testing.assert_allclose(found["y"], np.where(hide, lowest, inside + 7), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(found["w"], WEIGHT.astype(np.float32).astype(np.float64))
        np.testing.assert_array_equal(found["x"], x)


def test_functions_and_weights_that_are_inputs(tmp_path):
    body = [constant("half", np.float64(0.5)), node("Mul", ["a", "half"], ["r"])]
    function = helper.make_function("own", "Halve", ["a"], ["r"], body, [helper.make_opsetid("", 17)])
    nodes = [node("Add", ["x", "w"], ["s"]), node("Halve", ["s"], ["y"], domain="own")]
    inputs, outputs = [value("x", dtype=DOUBLE), value("w", [3], DOUBLE)], [value("y", dtype=DOUBLE)]
    made = model(nodes, inputs, outputs, {"w": WEIGHT[0]}, functions=[function])
    compute_in_float32(made)
    onnx.checker.check_model(made)
    x = np.array([[1, 2, 3]], np.float64)
    np.testing.assert_allclose(run(made, tmp_path, {"x": x})["y"], (x + WEIGHT[0]) / 2, rtol=1e-6)
