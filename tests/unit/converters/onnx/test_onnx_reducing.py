"""Half precision and 8 bits: what ONNX Runtime's tools trip over is put out of their way, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport.errors import ModelportError
from modelport_converter.frameworks.onnx.changes.reducing import to_float16, to_int8
from unit.converters.onnx_models import constant, graph, model, node, value

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((3, 4)).astype(np.float32)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def one(nodes, weights, outputs=("y",), opset=17, shape=("n", 4)):
    return model(nodes, [value("x", shape)], [value(name, None) for name in outputs], weights, opset=opset, check=False)


def asked(made, x=X):
    return make_run(open_session(Path("model.onnx"), level="none", content=made.SerializeToString()))({"x": x})


def check_close(before, after, x=X, within=0.05):
    outputs = [each.name for each in before.graph.output]
    assert [each.name for each in after.graph.output] == outputs
    for was, now in zip(asked(before, x), asked(after, x), strict=True):
        assert (was.dtype, was.shape) == (now.dtype, now.shape)
        assert np.allclose(was, now, atol=within * np.abs(was).max())


PASSED = one([node("MatMul", ["x", "w"], ["y"])], {"w": numbers(4, 4)}, outputs=("x", "y", "w"))


def branching():
    yes = graph([node("Mul", ["x", "k"], ["a"])], outputs=[value("a", None)], weights={"k": np.float32(2)})
    no = graph([node("Add", ["x", "k"], ["a"])], outputs=[value("a", None)], weights={"k": np.float32(3)})
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=yes, else_branch=no),
    ]
    return one(nodes, {"zero": np.float32(0)})


def through_bytes(opset):
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("MatMul", ["d", "w"], ["y"]),
    ]
    return one(nodes, {"s": np.float32(0.02), "z": np.uint8(128), "w": numbers(4, 3)}, opset=opset)


@pytest.mark.parametrize("made", [PASSED, branching(), through_bytes(13), through_bytes(21)], ids=["passed", "names", "bytes-13", "bytes-21"])  # fmt: skip
def test_half_precision_is_what_the_model_means(made):
    reduced = to_float16(made)
    check_close(made, reduced)
    half = {tensor.data_type for tensor in reduced.graph.initializer} | {
        each.i for proto in reduced.graph.node for each in proto.attribute if each.name == "to"
    }
    assert TensorProto.FLOAT16 in half


def test_outputs_that_are_weights_keep_all_their_digits():
    assert np.array_equal(asked(to_float16(PASSED))[2], asked(PASSED)[2])
    assert np.array_equal(asked(to_int8(PASSED, []))[2], asked(PASSED)[2])


SHARED = one(
    [node("MatMul", ["x", "w"], ["a"]), node("Gather", ["w", "i"], ["g"]), node("Add", ["a", "g"], ["y"])],
    {"w": numbers(4, 4), "i": np.int64(1)},
)


@pytest.mark.parametrize("samples", [[], [{"x": numbers(3, 4)} for _ in range(4)]], ids=["dynamic", "static"])
@pytest.mark.parametrize("opset", [11, 17])
def test_8_bits_are_what_the_model_means(samples, opset):
    affine = one([node("Gemm", ["x", "w", "b"], ["y"])], {"w": numbers(4, 3), "b": numbers(3)}, opset=opset)
    for made in (PASSED, SHARED, affine):
        check_close(made, to_int8(made, samples), within=0.2)


@pytest.mark.parametrize("samples", [[], [{"x": numbers(3, 4)} for _ in range(4)]], ids=["dynamic", "static"])
def test_weights_that_nodes_give_become_8_bits(samples):
    weights = numbers(4, 3)
    made = one([constant("w", weights), node("MatMul", ["x", "w"], ["y"])], {})
    made.ir_version = 3
    reduced = to_int8(made, samples)
    check_close(made, reduced, within=0.2)
    assert {tensor.data_type for tensor in reduced.graph.initializer if list(tensor.dims) == [4, 3]} <= {
        TensorProto.INT8,
        TensorProto.UINT8,
    }


def test_stacks_of_matrices_stay_beside_what_is_rounded():
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "s"], ["y"])]
    made = one(nodes, {"w": numbers(4, 4), "s": numbers(2, 4, 3)}, shape=(2, "n", 4))
    check_close(made, to_int8(made, []), numbers(2, 3, 4))


def test_what_has_nothing_to_round_is_refused():
    for made in (one([node("Relu", ["x"], ["y"])], {}), branching()):
        with pytest.raises(ModelportError, match="finds no weights in float32 that it rounds"):
            to_int8(made, [])
    half = one([node("MatMul", ["x", "w"], ["y"])], {"w": numbers(4, 3).astype(np.float16)})
    for each in (*half.graph.input, *half.graph.output):
        each.type.tensor_type.elem_type = TensorProto.FLOAT16
    with pytest.raises(ModelportError, match="expected a model in float32, found one in half precision"):
        to_int8(half, [])
