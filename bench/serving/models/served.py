"""The models that all servers serve, as ONNX files with a free batch dimension and as artifacts for our server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from modelport.api.status import Signature, Tensor
from modelport.storage.manifests import MODEL
from modelport.verification.verdict.golden import Golden
from serving.models import minilm
from serving.models.artifacts import write_artifact

Array = npt.NDArray[Any]
FEATURES, HIDDEN, CLASSES = 4, 32, 3
WIDE, DEEP = 2048, 4
CHANNELS, SIDE, FILTERS, LABELS = 3, 224, 16, 10
TOKENS = 8
"""Length of MiniLM's requests: a search query of six words."""
TOLERANCE = 1e-4


class Model(NamedTuple):
    """A model, one question, and what ONNX Runtime answers in this process."""

    name: str
    folder: Path
    inputs: dict[str, Array]
    outputs: dict[str, Array]

    @property
    def file(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL / "model.onnx"


def make(name: str, scratch: Path) -> Model:
    """Write a model, by its name, as an artifact below `scratch`."""
    build, ask = _MODELS[name]
    content, inputs = build().SerializeToString(), ask()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    outputs = dict(zip([each.name for each in session.get_outputs()], session.run(None, inputs), strict=True))
    golden = [Golden((inputs,), (outputs,), dict.fromkeys(outputs, TOLERANCE))]
    folder = write_artifact(scratch / name, content, _signature(session), golden, has_independent_rows=True)
    return Model(name, folder, inputs, outputs)


def _tiny() -> onnx.ModelProto:
    chance = np.random.default_rng(0)
    weights = {
        "w1": chance.standard_normal((FEATURES, HIDDEN)),
        "b1": chance.standard_normal(HIDDEN),
        "w2": chance.standard_normal((HIDDEN, CLASSES)),
        "b2": chance.standard_normal(CLASSES),
    }
    nodes = [
        helper.make_node("Gemm", ["input", "w1", "b1"], ["before"]),
        helper.make_node("Relu", ["before"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w2", "b2"], ["output"]),
    ]
    return _model(nodes, weights, [FEATURES], [CLASSES])


def _wide() -> onnx.ModelProto:
    """Return a model that reads all its weights for each request: what batching is for."""
    chance = np.random.default_rng(4)
    weights = {f"w{layer}": chance.standard_normal((WIDE, WIDE)) / np.sqrt(WIDE) for layer in range(DEEP)}
    names = ["input", *(f"hidden{layer}" for layer in range(1, DEEP)), "output"]
    nodes = [helper.make_node("MatMul", [names[layer], f"w{layer}"], [names[layer + 1]]) for layer in range(DEEP)]
    return _model(nodes, weights, [WIDE], [WIDE])


def _image() -> onnx.ModelProto:
    chance = np.random.default_rng(1)
    weights = {
        "filters": chance.standard_normal((FILTERS, CHANNELS, 7, 7)) / 20,
        "head": chance.standard_normal((FILTERS, LABELS)),
    }
    nodes = [
        helper.make_node("Conv", ["input", "filters"], ["found"], strides=[4, 4]),
        helper.make_node("Relu", ["found"], ["kept"]),
        helper.make_node("GlobalAveragePool", ["kept"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["output"]),
    ]
    return _model(nodes, weights, [CHANNELS, SIDE, SIDE], [LABELS])


def _model(
    nodes: list[onnx.NodeProto], weights: dict[str, Array], taken: list[int], given: list[int]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *taken])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", *given])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _random(*shape: int) -> dict[str, Array]:
    return {"input": np.random.default_rng(2).random(shape, np.float32)}


def _signature(session: onnxruntime.InferenceSession) -> Signature:
    dtypes = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    inputs, outputs = (
        [Tensor(name=each.name, dtype=dtypes[each.type], shape=each.shape) for each in group]
        for group in (session.get_inputs(), session.get_outputs())
    )
    return Signature(inputs=inputs, outputs=outputs)


_MODELS: dict[str, tuple[Callable[[], onnx.ModelProto], Callable[[], dict[str, Array]]]] = {
    "tiny": (_tiny, lambda: _random(1, FEATURES)),
    "image": (_image, lambda: _random(1, CHANNELS, SIDE, SIDE)),
    "wide": (_wide, lambda: _random(1, WIDE)),
    "minilm": (minilm.build, lambda: minilm.question(TOKENS)),
}
