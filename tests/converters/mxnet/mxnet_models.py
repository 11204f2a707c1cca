"""Small and usual models of MXNet, as `save_checkpoint` and `HybridBlock.export` store them, and as releases before 0.9 did."""

import json
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")
import mxnet as mx
import numpy as np
from mxnet.gluon import nn, rnn
from mxnet.gluon.model_zoo import vision

S = mx.sym
Arrays = dict[str, Any]


class Net(NamedTuple):
    """A model before it is stored: a symbol and its parameters, and how its inputs are stated."""

    symbol: Any
    parameters: Arrays
    inputs: list[dict[str, Any]]
    outputs: int
    dimensions: dict[str, dict[str, int]] = {}  # noqa: RUF012  # a tuple's default


def image(size: int) -> list[dict[str, Any]]:
    return [{"name": "data", "shape": ["batch", 3, size, size]}]


# --- symbols ---


def cnn() -> Net:
    """What older releases have of their own: full pooling, an epsilon of 1e-3, gamma left out, a softmax with a label."""
    last = S.Convolution(S.Variable("data"), kernel=(3, 3), num_filter=8, pad=(1, 1), name="conv1")
    last = S.BatchNorm(last, name="bn1")
    last = S.Activation(last, act_type="relu", name="relu1")
    last = S.Pooling(last, kernel=(3, 3), stride=(2, 2), pooling_convention="full", pool_type="max", name="pool1")
    last = S.Convolution(last, kernel=(3, 3), num_filter=12, no_bias=True, name="conv2")
    last = S.BatchNorm(last, fix_gamma=False, eps=2e-5, name="bn2")
    last = S.LeakyReLU(last, act_type="prelu", name="prelu2")
    last = S.Pooling(last, kernel=(2, 2), stride=(2, 2), pool_type="avg", pad=(1, 1), name="pool2")
    last = S.FullyConnected(S.Flatten(last, name="flat"), num_hidden=16, name="fc1")
    last = S.Dropout(S.Activation(last, act_type="tanh", name="tanh1"), p=0.5, name="drop1")
    last = S.FullyConnected(last, num_hidden=6, name="fc2")
    return with_parameters(S.SoftmaxOutput(last, name="softmax"), image(17), 1)


def squeezed() -> Net:
    """Channels whose image is one pixel, which `squeeze` leaves out without being told where it is."""
    last = S.Convolution(S.Variable("data"), kernel=(3, 3), num_filter=8, name="conv1")
    last = S.Pooling(last, global_pool=True, kernel=(1, 1), pool_type="avg", name="pool1")
    return with_parameters(S.FullyConnected(S.squeeze(last, name="flat"), num_hidden=4, name="fc1"), image(9), 1)


def lstm() -> Net:
    """Words, two layers of cells that were unrolled, and the state that they end with."""
    words = S.Embedding(S.Variable("data"), input_dim=20, output_dim=6, name="embed")
    cells = mx.rnn.SequentialRNNCell()
    cells.add(mx.rnn.LSTMCell(8, prefix="lstm_l0_"))
    cells.add(mx.rnn.GRUCell(8, prefix="gru_l1_"))
    outputs, _ = cells.unroll(5, inputs=words, layout="NTC", merge_outputs=True)
    last = S.FullyConnected(S.Reshape(outputs, shape=(-1, 8)), num_hidden=20, name="pred")
    given = {"name": "data", "shape": ["batch", 5]}
    return with_parameters(S.softmax(S.Reshape(last, shape=(-1, 5, 20)), axis=-1, name="words"), [given], 1)


def ssd() -> Net:
    """Two maps with anchors, and what is found at them."""
    maps, last = [], S.Variable("data")
    for number, filters in enumerate((8, 12, 12)):
        last = S.Convolution(last, kernel=(3, 3), stride=(2, 2), pad=(1, 1), num_filter=filters, name=f"conv{number}")
        last = S.Activation(last, act_type="relu", name=f"relu{number}")
        maps.append(last)
    scores, moves, anchors = [], [], []
    for number, each in enumerate(maps[1:]):
        normal = S.L2Normalization(each, mode="channel") * 3
        anchors.append(S.contrib.MultiBoxPrior(normal, sizes=(0.2 + 0.3 * number, 0.4), ratios=(1, 2, 0.5), clip=True))
        for parts, count in ((scores, 4), (moves, 4)):
            part = S.Convolution(
                normal,
                kernel=(3, 3),
                pad=(1, 1),
                num_filter=4 * count,
                name=f"head{number}_{len(parts)}_{parts is moves}",
            )
            parts.append(S.Flatten(S.transpose(part, axes=(0, 2, 3, 1))))
    probabilities = S.SoftmaxActivation(
        S.transpose(S.Reshape(S.Concat(*scores, dim=1), shape=(0, -1, 4)), axes=(0, 2, 1)), mode="channel"
    )
    found = S.contrib.MultiBoxDetection(
        probabilities,
        S.Concat(*moves, dim=1),
        S.Concat(*anchors, dim=1),
        name="detection",
        nms_threshold=0.45,
        threshold=0.01,
    )
    return with_parameters(found, image(32), 1)


def with_parameters(symbol: Any, inputs: list[dict[str, Any]], outputs: int) -> Net:
    """Return the model with random parameters."""
    random = np.random.default_rng(5)
    shapes = {
        each["name"]: tuple(length if isinstance(length, int) else 2 for length in each["shape"]) for each in inputs
    }
    arguments, _, states = symbol.infer_shape(**shapes)
    parameters = {}
    for name, shape in zip(symbol.list_arguments(), arguments, strict=True):
        if name not in shapes and "label" not in name and "begin_state" not in name:
            fan_in = int(np.prod(shape[1:])) or 1
            drawn = random.uniform(0.1, 0.4, shape) if "prelu" in name else random.normal(0, fan_in**-0.5 * 1.4, shape)
            parameters[f"arg:{name}"] = mx.nd.array(drawn + ("gamma" in name))
    for name, shape in zip(symbol.list_auxiliary_states(), states, strict=True):
        low, high = (0.2, 1.5) if name.endswith("var") else (-0.4, 0.4)
        parameters[f"aux:{name}"] = mx.nd.array(random.uniform(low, high, shape))
    return Net(symbol, parameters, inputs, outputs)


# --- Gluon ---


def of_zoo(name: str) -> Net:
    return exported(getattr(vision, name)(classes=50), image(224), mx.init.MSRAPrelu())


class Attending(mx.gluon.HybridBlock):
    """A block of a transformer, with the products that GluonNLP interleaves."""

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.words = nn.Embedding(30, 12)
            self.places = nn.Embedding(40, 12)
            self.project = nn.Dense(36, flatten=False)
            self.joined = nn.Dense(12, flatten=False)
            self.normal = nn.LayerNorm()
            self.wide = nn.Dense(24, flatten=False)
            self.gelu = nn.GELU()
            self.narrow = nn.Dense(12, flatten=False)

    def hybrid_forward(self, F: Any, words: Any) -> Any:  # as Gluon calls it
        places = self.places(F.contrib.arange_like(words, axis=1))
        states = F.transpose(F.broadcast_add(self.words(words), F.expand_dims(places, axis=0)), axes=(1, 0, 2))
        parts = self.project(states)
        scores = F.softmax(F.contrib.interleaved_matmul_selfatt_qk(parts, heads=3), axis=-1)
        states = self.normal(states + self.joined(F.contrib.interleaved_matmul_selfatt_valatt(parts, scores, heads=3)))
        states = states + self.narrow(self.gelu(self.wide(states)))
        return F.transpose(states, axes=(1, 0, 2))


class Reading(mx.gluon.HybridBlock):
    """A bidirectional LSTM over time, from states that it makes itself, and its last step."""

    def __init__(self) -> None:
        super().__init__()
        with self.name_scope():
            self.cells = rnn.LSTM(7, num_layers=2, bidirectional=True, layout="NTC")
            self.dense = nn.Dense(5)

    def hybrid_forward(self, F: Any, series: Any) -> Any:  # as Gluon calls it
        return F.log_softmax(self.dense(F.SequenceLast(F.swapaxes(self.cells(series), 0, 1))))


def exported(
    net: Any, inputs: list[dict[str, Any]], how: Any = None, dimensions: dict[str, dict[str, int]] | None = None
) -> Net:
    """Return what export stores of a block with random parameters."""
    mx.random.seed(7)
    net.initialize(how or mx.init.Normal(0.3))
    net.hybridize()
    shape = tuple(length if isinstance(length, int) else 2 for length in inputs[0]["shape"])
    net(mx.nd.ones(shape))
    for name, each in net.collect_params().items():
        for end, low, high in (("running_mean", -0.2, 0.2), ("running_var", 0.3, 1.2), ("beta", -0.3, 0.3)):
            if name.endswith(end):
                each.set_data(mx.nd.random.uniform(low, high, each.shape))
        if name.endswith("weight") and len(each.shape) > 3:  # so that depthwise ones, too, let their input through
            each.set_data(mx.nd.random.normal(0, math.sqrt(2 / math.prod(each.shape[1:])), each.shape))
    symbol = net(S.var("data"))
    states = set(symbol.list_auxiliary_states())
    parameters = {
        f"{'aux' if name in states else 'arg'}:{name}": each.data() for name, each in net.collect_params().items()
    }
    return Net(symbol, parameters, inputs, 1, dimensions or {})


WORDS = [{"name": "data", "shape": ["batch", "length"]}]
NETS: dict[str, Callable[[], Net]] = {
    "cnn": cnn,
    "squeezed": squeezed,
    "lstm": lstm,
    "ssd": ssd,
    "reading": lambda: exported(Reading(), [{"name": "data", "shape": ["batch", "time", 4]}]),
    "attention": lambda: exported(Attending(), WORDS, dimensions={"length": {"max": 40}}),
    "resnet18": lambda: of_zoo("resnet18_v2"),
    "mobilenet": lambda: of_zoo("mobilenet1_0"),
    "squeezenet": lambda: of_zoo("squeezenet1_0"),
    "densenet": lambda: of_zoo("densenet121"),
}


# --- stored ---


def answer(net: Net, asked: Arrays) -> list[Any]:
    """Return MXNet's answers before anything is stored."""
    names = {key.partition(":")[2]: value for key, value in net.parameters.items()}
    shapes = {name: array.shape for name, array in asked.items()}
    executor = net.symbol.simple_bind(mx.cpu(), grad_req="null", **shapes)
    executor.copy_params_from(
        {key: value for key, value in names.items() if key in executor.arg_dict},
        {key: value for key, value in names.items() if key in executor.aux_dict},
    )
    return [
        each.asnumpy() for each in executor.forward(is_train=False, **{k: mx.nd.array(v) for k, v in asked.items()})
    ]


def write(net: Net, form: str, folder: Path) -> None:
    """Store a model: as 1.9 does, with names alone as Gluon once did, or as releases of an age did."""
    folder.mkdir(parents=True)
    symbol, parameters = folder / "net-symbol.json", folder / "net-0003.params"
    if form in {"mxnet", "bare"}:
        symbol.write_text(net.symbol.tojson())
        arrays = net.parameters
        mx.nd.save(str(parameters), {k.partition(":")[2]: v for k, v in arrays.items()} if form == "bare" else arrays)
        return
    symbol.write_text(json.dumps(aged(json.loads(net.symbol.tojson()), form), indent=2))
    parameters.write_bytes(aged_arrays({name: each.asnumpy() for name, each in net.parameters.items()}, form))


def aged(graph: dict[str, Any], form: str) -> dict[str, Any]:
    """Return a graph as 0.8 or 0.11 wrote it: without versions, with attributes under other names."""
    nodes = []
    for node in graph["nodes"]:
        told = node.get("attrs", {})
        is_variable = node["op"] == "null"
        own = (
            {"param": {} if is_variable else told, "attr": told if is_variable else {}}
            if form == "0.8"
            else {"attr": told}
        )
        inputs = [each[:2] for each in node["inputs"]]
        if form == "0.8" and node["op"] == "BatchNorm":
            inputs = inputs[:3]  # auxiliary states stood in no list
        nodes.append({"op": node["op"], "name": node["name"], **own, "inputs": inputs, "backward_source_id": -1})
    if form == "0.8":
        used = {each[0] for node in nodes for each in node["inputs"]} | {each[0] for each in graph["heads"]}
        kept = [number for number in range(len(nodes)) if number in used]
        place = {number: index for index, number in enumerate(kept)}
        nodes = [{**nodes[number], "inputs": [[place[a], b] for a, b in nodes[number]["inputs"]]} for number in kept]
        graph = {**graph, "heads": [[place[each[0]], *each[1:]] for each in graph["heads"]]}
    arguments = [number for number, node in enumerate(nodes) if node["op"] == "null"]
    told = {} if form == "0.8" else {"attrs": {"mxnet_version": ["int", 1100]}}
    return {"nodes": nodes, "arg_nodes": arguments, "heads": [each[:2] for each in graph["heads"]], **told}


def aged_arrays(arrays: Arrays, form: str) -> bytes:
    """Return a list of arrays in their first form (0.8), or in their second one."""
    content = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        if form == "0.8":
            content += struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
        else:
            content += struct.pack(f"<II{array.ndim}q", 0xF993FAC8, array.ndim, *array.shape)
        content += struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()
    content += struct.pack("<Q", len(arrays))
    return content + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)
