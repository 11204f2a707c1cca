"""Small real models as artifacts; what they must answer is computed by numpy, not by what is under test."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from serving.models.artifacts import write_artifact

from modelport.api.spec import State
from modelport.api.status import Signature, Tensor
from modelport.storage.manifests import Lengths
from modelport.verification.verdict.golden import Golden
from modelport_server.protocol.datatypes import BY_DTYPE, DATATYPES

Array = npt.NDArray[Any]
FEATURES, HIDDEN, CLASSES = 4, 16, 3
_GENERATOR = np.random.default_rng(7)
FIRST = _GENERATOR.standard_normal((FEATURES, HIDDEN)).astype(np.float32)
SECOND = _GENERATOR.standard_normal((HIDDEN, CLASSES)).astype(np.float32)
MLP = Signature(
    inputs=[Tensor(name="features", dtype="float32", shape=["batch", FEATURES])],
    outputs=[Tensor(name="scores", dtype="float32", shape=["batch", CLASSES])],
)
BY_NAME = {each.name: each for each in DATATYPES}
"""Types by the names that requests have for them."""
ENDLESS = 10**12
"""So many loops that a warm-up does not end while a test runs."""


def features(batch: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((batch, FEATURES)).astype(np.float32)


def logits(values: Array) -> Array:
    hidden = np.maximum(values.astype(np.float64) @ FIRST, 0)
    return np.asarray((hidden @ SECOND).astype(np.float32))


def scores(values: Array) -> Array:
    shifted = np.exp(logits(values).astype(np.float64) - logits(values).max(axis=1, keepdims=True))
    return np.asarray((shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32))


def mlp_bytes(*, wrong: float = 0.0) -> bytes:
    """Return a perceptron with a softmax; `wrong` is added to one weight."""
    second = SECOND.copy()
    second[0, 0] += wrong
    nodes = [
        helper.make_node("MatMul", ["features", "first"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "second"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    weights = [numpy_helper.from_array(FIRST, "first"), numpy_helper.from_array(second, "second")]
    return _bytes(nodes, MLP, weights)


def identity_bytes(signature: Signature) -> bytes:
    """Return a model whose outputs are its inputs."""
    pairs = zip(signature.inputs, signature.outputs, strict=True)
    return _bytes([helper.make_node("Identity", [given.name], [told.name]) for given, told in pairs], signature, [])


def identity(*tensors: tuple[str, str, list[str | int]]) -> Signature:
    """Return the signature of `identity_bytes`: outputs are called as the inputs, with `_out` behind."""
    return Signature(
        inputs=[Tensor(name=name, dtype=dtype, shape=shape) for name, dtype, shape in tensors],
        outputs=[Tensor(name=f"{name}_out", dtype=dtype, shape=shape) for name, dtype, shape in tensors],
    )


LOOP = Signature(
    inputs=[Tensor(name="rounds", dtype="int64", shape=[])],
    outputs=[Tensor(name="sum", dtype="float32", shape=[1])],
)


def loop_bytes() -> bytes:
    """Return a model that adds 1 as often as it is told: it takes as long as the caller wants."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["state", "one"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    node = helper.make_node("Loop", ["rounds", "", "zero"], ["sum"], body=body)
    return _bytes([node], LOOP, [numpy_helper.from_array(np.zeros(1, np.float32), "zero")])


def mlp_artifact(folder: Path, *, wrong: float = 0.0) -> Path:
    """Write the perceptron with golden samples of the right one."""
    asked = features(2, seed=2)  # the unit behind the weight that `wrong` changes is active for these
    golden = [Golden(({"features": asked},), ({"scores": scores(asked)},), {"scores": 1e-4})]
    lengths = {"batch": Lengths(min=1)}
    return write_artifact(folder, mlp_bytes(wrong=wrong), MLP, golden, lengths=lengths, has_independent_rows=True)


SUMS = Signature(
    inputs=[Tensor(name="x", dtype="float32", shape=["time", FEATURES])],
    outputs=[Tensor(name="y", dtype="float32", shape=["time", FEATURES])],
)


def sums_artifact(folder: Path) -> Path:
    """Write a model whose rows depend on those before them: a running sum, of up to 64 rows."""
    model = _bytes(
        [helper.make_node("CumSum", ["x", "axis"], ["y"])], SUMS, [numpy_helper.from_array(np.array(0), "axis")]
    )
    ones = np.ones((2, FEATURES), np.float32)
    golden = [Golden(({"x": ones},), ({"y": ones.cumsum(0, dtype=np.float32)},), {"y": 1e-4})]
    return write_artifact(folder, model, SUMS, golden, lengths={"time": Lengths(min=1, max=64)})


STEP = Signature(
    inputs=[Tensor(name=name, dtype="float32", shape=[1]) for name in ("x", "h")],
    outputs=[Tensor(name="y", dtype="float32", shape=[1])],
)


def stateful_artifact(folder: Path, *, second: float) -> Path:
    """Write a model that adds its input to its state, with a golden sample whose second answer is `second`."""
    model = _bytes([helper.make_node("Add", ["x", "h"], ["y"])], STEP, [])
    one, answers = np.ones(1, np.float32), [np.full(1, each, np.float32) for each in (1, second)]
    inputs = ({"x": one, "h": np.zeros(1, np.float32)}, {"x": one})
    golden = [Golden(inputs, tuple({"y": each} for each in answers), {"y": 1e-4})]
    return write_artifact(folder, model, STEP, golden, states=[State(input="h", output="y")])


def identity_artifact(folder: Path, signature: Signature) -> Path:
    """Write a model that gives back what it gets."""
    shapes = {
        tensor.name: [each if isinstance(each, int) else 1 for each in tensor.shape] for tensor in signature.inputs
    }
    asked = {tensor.name: np.ones(shapes[tensor.name], _dtype(tensor)) for tensor in signature.inputs}
    asked = {
        name: np.full(array.shape, "one", object) if array.dtype == object else array for name, array in asked.items()
    }
    told = {f"{name}_out": value for name, value in asked.items()}
    return write_artifact(
        folder, identity_bytes(signature), signature, [Golden((asked,), (told,), dict.fromkeys(told, 1e-4))]
    )


def endless_artifact(folder: Path) -> Path:
    """Write a model whose warm-up does not end."""
    golden = Golden(({"rounds": np.array(ENDLESS)},), ({"sum": np.zeros(1, np.float32)},), {"sum": 1.0})
    return write_artifact(folder, loop_bytes(), LOOP, [golden])


def _bytes(nodes: list[Any], signature: Signature, weights: list[Any]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "model",
        [_value(each) for each in signature.inputs],
        [_value(each) for each in signature.outputs],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _value(tensor: Tensor) -> Any:
    return helper.make_tensor_value_info(tensor.name, helper.np_dtype_to_tensor_dtype(_dtype(tensor)), tensor.shape)


def _dtype(tensor: Tensor) -> np.dtype[Any]:
    return BY_DTYPE[tensor.dtype].numpy
