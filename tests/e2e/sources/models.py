"""Small real models, and what they must answer: computed here by ONNX Runtime and numpy, not by what is under test."""

import io
import secrets
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from e2e.sources.torchfiles import state_dict_bytes

Array = np.ndarray[Any, np.dtype[np.float32]]
Body = dict[str, Any]
FACTORIES = Path(__file__).parent / "factories"
FEATURES: list[Body] = [{"name": "features", "shape": ["batch", 4]}]
RUN = secrets.randbits(32)
"""Makes the models of each run its own, so that nothing of an earlier run is reused."""


class Model(NamedTuple):
    """A model's file, and its answers to `request`."""

    content: bytes
    request: Array
    answers: list[Array]
    input: str = "features"


def onnx_mlp(seed: int, *, opset: int = 17) -> Model:
    """Return a model with two layers of weights that depend on `seed`."""
    weights = mlp_weights(seed)
    nodes = [
        helper.make_node("Gemm", ["features", "first.weight", "first.bias"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "second.weight", "second.bias"], ["scores"], transB=1),
    ]
    content = _model(nodes, weights, ("features", ["batch", 4]), ("scores", ["batch", 3]), opset)
    return answered(content, "features", _request(seed, (2, 4)))


def external_onnx(content: bytes) -> dict[str, bytes]:
    """Return the model in two files: the graph, and the weights beside it."""
    model = onnx.load_from_string(content)
    weights = io.BytesIO()
    for tensor in model.graph.initializer:
        external_data_helper.set_external_data(tensor, "model.weights", weights.tell(), len(tensor.raw_data))
        weights.write(tensor.raw_data)
        tensor.ClearField("raw_data")
    return {"model.onnx": model.SerializeToString(), "model.weights": weights.getvalue()}


def torch_mlp(seed: int) -> Model:
    """Return weights for `mlp:build`, and what that network answers, computed by numpy."""
    weights = mlp_weights(seed)
    request = _request(seed, (2, 4))
    hidden = np.maximum(request @ weights["first.weight"].T + weights["first.bias"], 0)
    scores = hidden @ weights["second.weight"].T + weights["second.bias"]
    return Model(state_dict_bytes(weights), request, [scores.astype(np.float32)])


def hostile_state_dict() -> bytes:
    """Return weights whose pickle names os.system."""
    return state_dict_bytes(mlp_weights(0), hostile=True)


def answered(content: bytes, name: str, request: Array) -> Model:
    """Return the ONNX model with what ONNX Runtime answers to `request`."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return Model(content, request, session.run(None, {name: request}), name)


def mlp_weights(seed: int) -> dict[str, Array]:
    """Return the weights of the small network."""
    generator = np.random.default_rng((RUN, seed))
    shapes = {"first.weight": (8, 4), "first.bias": (8,), "second.weight": (3, 8), "second.bias": (3,)}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def factories_archive() -> bytes:
    """Return the code of all factories as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(FACTORIES.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0)), file.read_bytes())
    return buffer.getvalue()


def zip_with_link(target: str) -> bytes:
    """Return a zip in which `weights.pt` is a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("mlp.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    return buffer.getvalue()


def zip_with_name(name: str) -> bytes:
    """Return a zip with one file whose name leads out of the folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "import os\n")
    return buffer.getvalue()


def tar_with_link(target: str, *, hard: bool = False) -> bytes:
    """Return a tar in which `mlp.py` is a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("mlp.py")
        link.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
        link.linkname = target
        archive.addfile(link)
    return buffer.getvalue()


def _request(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng((RUN, seed, 1)).normal(size=shape).astype(np.float32)


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Array],
    source: tuple[str, list[Any]],
    result: tuple[str, list[Any]],
    opset: int,
) -> bytes:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (source, result)]
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "small", values[:1], values[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
