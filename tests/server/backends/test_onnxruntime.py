"""ONNX Runtime: what it refuses, and the ways to load a model that its optimiser breaks."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_server.backends import onnxruntime
from modelport_server.backends.base import DEFAULT, How

FILES = ["model.onnx"]
ROW = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


def value(name, dtype=TensorProto.FLOAT, shape=("batch", 3)):
    return helper.make_tensor_value_info(name, dtype, list(shape))


def load(folder, nodes, inputs, outputs, *, weights=(), options=DEFAULT, opset=17, ir_version=8, domain=""):
    """Write a model of arrays by name and load it."""
    tensors = [numpy_helper.from_array(np.asarray(each), name) for name, each in dict(weights).items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version), folder / "model.onnx")
    return onnxruntime.load(folder, FILES, How(options))


def refusal(*args, **more) -> str:
    with pytest.raises(ModelportError) as caught:
        load(*args, **more)
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED
    return caught.value.message


@pytest.mark.parametrize("files", [[], ["a.txt"], ["a.onnx", "b.onnx"]])
def test_one_model_is_expected(tmp_path, files):
    with pytest.raises(ModelportError, match=r"^expected one \*\.onnx file"):
        onnxruntime.load(tmp_path, files, How())


@pytest.mark.parametrize("operator", ["Cast", "Identity", "Dropout"])
def test_the_second_way_loads_what_the_optimiser_breaks(tmp_path, operator):
    nodes = [
        helper.make_node(operator, ["x"], ["mid"], **({"to": TensorProto.FLOAT} if operator == "Cast" else {})),
        helper.make_node("Sqrt", ["d"], ["s"]),
        helper.make_node("Div", ["one", "s"], ["f"]),
        helper.make_node("Mul", ["mid", "f"], ["y"]),
    ]
    weights = {"one": np.float32(1), "d": np.float32(16)}
    first, second, *_ = onnxruntime.WAYS
    assert first == {}
    # once this loads, the second way has done its work and can go
    assert "'mid'" in refusal(tmp_path, nodes, [value("x")], [value("y")], weights=weights, options=first)
    infer = load(tmp_path, nodes, [value("x")], [value("y")], weights=weights, options=second)
    np.testing.assert_array_equal(infer({"x": ROW})["y"], ROW / 4)


def test_an_operator_without_a_kernel_is_named_with_node_and_type(tmp_path):
    double, shape = TensorProto.DOUBLE, ("batch", 3, 4, 4)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "stem")]
    outputs = [value("y", double, ("batch", 2, 4, 4))]
    told = refusal(tmp_path, nodes, [value("x", double, shape)], outputs, weights={"w": np.ones((2, 3, 1, 1))})
    assert "no kernel of Conv (version 11) for float64: node stem (Conv)" in told
    assert "precision: float32" in told


def test_a_node_without_a_name_is_told_by_its_output_and_its_rare_type(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["z"]),
        helper.make_node("Cast", ["z"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("Conv", ["d", "w"], ["y"]),
    ]
    weights = {"v": np.ones((3, 3, 1, 1), np.float32), "w": np.ones((2, 3, 1, 1))}
    shape = ("batch", 3, 4, 4)
    outputs = [value("y", TensorProto.DOUBLE, ("batch", 2, 4, 4))]
    told = refusal(tmp_path, nodes, [value("x", shape=shape)], outputs, weights=weights)
    assert "for float64: node y (Conv)" in told


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_batch_first_layout_is_named(tmp_path, operator, gates):
    weights = {"w": np.ones((1, 2 * gates, 3), np.float32), "r": np.ones((1, 2 * gates, 2), np.float32)}
    nodes = [helper.make_node(operator, ["x", "w", "r"], ["y"], "cell", hidden_size=2, layout=1)]
    inputs, outputs = [value("x", shape=("batch", 5, 3))], [value("y", shape=("batch", 5, 1, 2))]
    told = refusal(tmp_path, nodes, inputs, outputs, weights=weights)
    assert "layout 1" in told
    assert f"node cell ({operator})" in told


def test_what_the_runtime_does_not_know_is_told(tmp_path):
    custom = [helper.make_node("Whatever", ["x"], ["y"], domain="com.example")]
    told = refusal(tmp_path, custom, [value("x")], [value("y")], domain="com.example")
    assert "no operator com.example:Whatever" in told
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    assert "IR version" in refusal(tmp_path, relu, [value("x")], [value("y")], ir_version=99)
    assert "operator set versions of ai.onnx up to" in refusal(tmp_path, relu, [value("x")], [value("y")], opset=99)
    (tmp_path / "model.onnx").write_bytes(b"\x08garbage")
    with pytest.raises(ModelportError, match=r"^ONNX Runtime does not load the model: ") as caught:
        onnxruntime.load(tmp_path, FILES, How())
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(np.float16, TensorProto.FLOAT16), (ml_dtypes.bfloat16, TensorProto.BFLOAT16), (object, TensorProto.STRING)],
    ids=["float16", "bfloat16", "string"],
)
def test_types_that_numpy_or_python_lack_go_in_and_out(tmp_path, dtype, kind):
    nodes = [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)]
    infer = load(tmp_path, nodes, [value("x", kind)], [value("y", kind)])
    asked = np.array([["a", "ü", ""]], object) if dtype is object else ROW.astype(dtype)
    answer = infer({"x": asked})["y"]
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, np.concatenate([asked, asked]))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.BFLOAT16])
def test_answers_are_the_callers_own(tmp_path, kind):
    """An input and a weight that are outputs are no views of what a later call reads or writes."""
    nodes = [helper.make_node("Identity", ["z"], ["y"])]
    inputs = [value("x"), value("z", kind)]
    outputs = [value("x"), value("w", shape=(3,)), value("y", kind)]
    infer = load(tmp_path, nodes, inputs, outputs, weights={"w": ROW[0]})
    asked = {"x": ROW.copy(), "z": ROW.astype(np.float32 if kind == TensorProto.FLOAT else ml_dtypes.bfloat16)}
    first = infer(asked)
    kept = {name: array.copy() for name, array in first.items()}
    second = infer({name: array + array for name, array in asked.items()})
    for array in first.values():
        assert not any(np.shares_memory(array, each) for each in (*asked.values(), *second.values()))
    np.testing.assert_equal(first, kept)
    np.testing.assert_array_equal(second["w"], ROW[0])
    np.testing.assert_array_equal(second["x"], 2 * ROW)
