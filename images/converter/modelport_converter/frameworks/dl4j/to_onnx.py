"""DL4J to ONNX, by a reader of our own."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError
from modelport.frameworks.dl4j import FORMAT
from modelport.steps.handover import write_caveats
from modelport.storage.trees import open_tree
from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.opening import Model, open_model
from modelport_converter.frameworks.dl4j.reading.archives import has_normalizer
from modelport_converter.frameworks.dl4j.reading.networks import Network, Vertex
from modelport_converter.frameworks.dl4j.reading.parameters import split_parameters
from modelport_converter.frameworks.dl4j.writing.activations import is_identity
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, refused
from modelport_converter.frameworks.dl4j.writing.layers import write_layer
from modelport_converter.frameworks.dl4j.writing.reshaping import preprocess
from modelport_converter.frameworks.dl4j.writing.vertices import write_vertex
from modelport_converter.onnx_graphs.files import finish_model, write_model
from modelport_converter.onnx_graphs.writing import OPSET, value_info
from modelport_converter.tasks import MODEL, HopTask, find_part, last_line

NORMALIZED = "normalizer.bin: the model was saved with statistics of its data, which are not part of it: prepare inputs as before"

ROUNDED = "DOUBLE: ONNX computes in float32, and gives its answers as float64"
FROZEN = {"FrozenLayer", "FrozenLayerWithBackprop"}
JOINING = {"CnnToRnnPreProcessor", "FeedForwardToRnnPreProcessor"}
"""Preprocessors that make sequences of rows again."""


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Write the model. Raises ModelportError (ConversionFailed, SourceCorrupt, InputsNeeded)."""
    path = find_part(open_tree(task.model), FORMAT)
    model = open_model(path, task.request.inputs)
    target = task.out / MODEL / "model.onnx"
    target.parent.mkdir()
    proto = write_network(model)
    if options.opset and options.opset != OPSET:
        proto = _with_opset(proto, options.opset)
    write_model(proto, target)
    finish_model(target, simplify=options.simplify, precision=options.precision)
    caveats = [text for text, holds in ((NORMALIZED, has_normalizer(path)), (ROUNDED, is_double(model))) if holds]
    write_caveats(task.out, caveats)


def is_double(model: Model) -> bool:
    """Whether a network computes in more bits than its graph."""
    return str(model.vector.dtype) == "float64"


def write_network(model: Model) -> onnx.ModelProto:
    """Return the graph of a network: whatever it computes in, the graph does in float32, and rounds at its ends.

    ONNX Runtime has few operators for the others: no convolution and no LSTM.
    """
    network, dtype = model.network, str(model.vector.dtype)
    _refuse_changed_inputs(network)
    graph = Graph(taken={*network.inputs, *network.outputs})
    graph.first_input = network.inputs[0]
    values = {each.name: _enter(graph, each) for each in model.inputs}
    weights = split_parameters(network, model.vector)
    for vertex in network.vertices:
        graph.scope = vertex.name
        values[vertex.name] = _write(graph, vertex, values, weights.get(vertex.name, {}), has_batch=network.has_batch)
    graph.scope = ""
    outputs = [_leave(graph, values[name], name, dtype) for name in network.outputs]
    inputs = [value_info(each.name, each.dtype, each.shape) for each in model.inputs]
    return onnx.shape_inference.infer_shapes(graph.finish("dl4j", inputs, outputs))


def _refuse_changed_inputs(network: Network) -> None:
    """Raise ModelportError (ConversionFailed) where DL4J puts an activation into the input itself, and others read that behind it."""
    for number, vertex in enumerate(network.vertices):
        layer = vertex.layer
        while layer and layer.kind in FROZEN:
            layer = layer.inner("layer", "underlying")
        if not layer or layer.kind != "ActivationLayer" or is_identity(layer.fields):
            continue
        changed = {*vertex.inputs} & {*network.inputs}
        reading = [each.name for each in network.vertices[number + 1 :] if changed & {*each.inputs}]
        if reading:
            message = f"an ActivationLayer of an input that {reading[0]!a:.60} reads, too: DL4J changes the input, but not in training"
            raise refused(layer.fields.where, f"{message}; put a vertex between, such as a ScaleVertex by 1")


def _write(
    graph: Graph, vertex: Vertex, values: dict[str, Value], weights: Mapping[str, Array], *, has_batch: bool
) -> Value:
    if vertex.layer is None:
        return write_vertex(graph, vertex, values)
    if len(vertex.inputs) != 1:
        message = f"{vertex.name:.80}: expected one input of a layer, found {len(vertex.inputs)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    value = values[vertex.inputs[0]]
    if vertex.preprocessor:
        kind, fields = vertex.preprocessor
        if not has_batch and kind in JOINING:
            message = f"miniBatch false with a {kind}: all rows would be one sequence; set miniBatch to true in configuration.json"
            raise refused(fields.where, message)
        value = preprocess(graph, vertex.preprocessor, value)
    return write_layer(graph, vertex.layer, weights, value)


def _enter(graph: Graph, each: Input) -> Value:
    is_own = each.dtype in {"int64", str(graph.dtype)}
    return Value(each.name if is_own else graph.cast(each.name, graph.dtype), len(each.shape))


def _leave(graph: Graph, value: Value, name: str, dtype: str) -> onnx.ValueInfoProto:
    if dtype == str(graph.dtype):
        graph.add("Identity", value.name, out=name)
    else:
        graph.add("Cast", value.name, out=name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), None)


def _with_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # of no common base
        message = f"options.opset: {OPSET} does not become {opset}: {last_line(error)}; leave it out"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
