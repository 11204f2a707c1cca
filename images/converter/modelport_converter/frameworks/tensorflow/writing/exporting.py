"""From TensorFlow's functions to ONNX, by tf2onnx: with the operators that it lacks, and without those that it passes over.

It logs what it has no operator for and goes on, so that its graph is looked through for what ONNX does not have.
"""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tf2onnx.handler import tf_op
from tf2onnx.onnx_opset import math

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.graphs.endings import refuse_early_ends
from modelport_converter.frameworks.tensorflow.graphs.flattening import flatten, forget_frozen
from modelport_converter.frameworks.tensorflow.graphs.loops import has_old_loops
from modelport_converter.frameworks.tensorflow.lite.reading import convert_tflite
from modelport_converter.frameworks.tensorflow.model import INPUT, Graph, Model, signature_of
from modelport_converter.frameworks.tensorflow.opening.load import Opened
from modelport_converter.onnx_graphs.files import MAX_FILE_BYTES
from modelport_converter.onnx_graphs.graphs import nodes_of, subgraphs_of

OPSETS = range(9, 19)
"""What tf2onnx 1.17 writes."""
MAX_NAMES = 5


@tf_op("Erfc")
class _Erfc:
    """The complement of the error function, which TensorFlow has an operator for: exact GELU ends in it."""

    @classmethod
    def version_9(cls, ctx: tf2onnx.graph.Graph, node: tf2onnx.graph.Node, **_: object) -> None:
        dtype, shape = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0])
        name = tf2onnx.utils.make_name
        one = ctx.make_const(name("one"), tf2onnx.utils.map_onnx_to_numpy_type(dtype)(1).reshape(()))
        node.type = "Erf"
        rest = ctx.insert_new_node_on_output("Sub", node.output[0], name=name(node.name))
        ctx.replace_inputs(rest, [one.output[0], node.output[0]])
        ctx.set_dtype(rest.output[0], dtype)
        ctx.set_shape(rest.output[0], shape)


@tf_op(["FloorDiv", "FloorMod"])
class _Floored:
    """Division and remainder that round down: tf2onnx has those of floats, and rounds integers towards zero."""

    @classmethod
    def version_10(cls, ctx: tf2onnx.graph.Graph, node: tf2onnx.graph.Node, **more: object) -> None:
        is_division = node.type == "FloorDiv"
        if not np.issubdtype(tf2onnx.utils.map_onnx_to_numpy_type(ctx.get_dtype(node.input[0])), np.integer):
            (math.FloorDiv.version_6 if is_division else math.FloorMod.version_7)(ctx, node, **more)
            return
        left, right = node.input
        made = {"name": node.name, "outputs": node.output, "shapes": node.output_shapes, "dtypes": node.output_dtypes}
        ctx.remove_node(node.name)
        if not is_division:
            ctx.make_node("Mod", [left, right], **made)  # its remainder has the divisor's sign
            return
        rest = ctx.make_node("Mod", [left, right])
        whole = ctx.make_node("Sub", [left, rest.output[0]])
        ctx.make_node("Div", [whole.output[0], right], **made)


@tf_op(["TruncateDiv", "TruncateMod"])
class _Truncated:
    """Division and remainder of integers that round towards zero, as ONNX divides."""

    @classmethod
    def version_10(cls, _ctx: tf2onnx.graph.Graph, node: tf2onnx.graph.Node, **_: object) -> None:
        if node.type == "TruncateMod":
            node.set_attr("fmod", 1)
        node.type = node.type.removeprefix("Truncate")


def export_model(opened: Opened, opset: int, path: Path) -> None:
    """Write the ONNX file of a model.

    Raises ModelportError (ConversionFailed, InvalidSpec).
    """
    if opset not in OPSETS:
        message = f"options.opset: expected {OPSETS[0]} to {OPSETS[-1]}, which tf2onnx writes, found {opset}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    model = opened.model
    size = sum(variable.numpy().nbytes for variable in model.variables)
    if size > MAX_FILE_BYTES:
        message = (
            f"expected at most {MAX_FILE_BYTES} bytes of weights, which tf2onnx holds in one message, found {size}"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it says of operators is said below, by layer
    try:
        proto, names = (
            convert_tflite(opened.path, opened.key, opset)
            if opened.graph is None
            else _convert(model, opened.graph, opset)
        )
    except Exception as error:  # its handlers raise what they like
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        raise ModelportError(Reason.CONVERSION_FAILED, f"tf2onnx: {describe_error(error)}") from error
    _refuse_unknown(proto)
    _rename(proto, names, model.inputs)
    onnx.save_model(proto, str(path))


def _convert(model: Model, graph: Graph, opset: int) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the graph, and the names of its inputs and outputs as the model has them. Raises ModelportError."""
    function = flatten(graph.function) if has_old_loops(graph.nodes) else graph.function
    refuse_early_ends(function)
    forget_frozen(function)
    proto, _ = tf2onnx.convert.from_function(_Traced(function), signature_of(model), opset=opset)
    names = dict(zip((value.name for value in proto.graph.output), graph.outputs, strict=True))
    given = {f"{INPUT}{number}": each.name for number, each in enumerate(model.inputs)}
    return proto, names | given | {f"{name}:0": each for name, each in given.items()}  # as tensors, where it flattened


class _Traced(NamedTuple):
    """A function that is traced, as tf2onnx asks for it."""

    function: tf.types.experimental.ConcreteFunction

    def get_concrete_function(self, *_signature: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
        return self.function


def _rename(proto: onnx.ModelProto, names: dict[str, str], given: Sequence[Input]) -> None:
    """Give inputs and outputs the names of the model's, in its order, and all that else has one of them another one."""
    graph = proto.graph
    taken = set(names.values())
    values = {name for node in nodes_of(proto) for name in (*node.input, *node.output)} | {
        tensor.name for tensor in graph.initializer
    }
    names = {name: f"{name}_{INPUT}" for name in values & taken if name not in names} | names
    for node in nodes_of(proto):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for scope in (graph, *subgraphs_of(nodes_of(proto))):
        for value in chain[onnx.TensorProto | onnx.ValueInfoProto](
            scope.initializer, scope.input, scope.output, scope.value_info
        ):
            value.name = names.get(value.name, value.name)
    found = {value.name: value for value in graph.input}
    kept = [found.get(each.name) or _describe(each) for each in given]  # one that nothing reads is left out
    copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in kept]
    del graph.input[:]
    graph.input.extend(copies)


def _describe(each: Input) -> onnx.ValueInfoProto:
    dtype = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tf.as_dtype(each.dtype).as_numpy_dtype))
    return onnx.helper.make_tensor_value_info(each.name, dtype, list(each.shape))


def _refuse_unknown(proto: onnx.ModelProto) -> None:
    unknown = [
        f"{node.op_type} ({node.name})"
        for node in nodes_of(proto)
        if not onnx.defs.has(node.op_type, node.domain) and node.domain in ("", "ai.onnx")
    ]
    if unknown:
        more = f" and {len(unknown) - MAX_NAMES} more" if len(unknown) > MAX_NAMES else ""
        message = f"expected operators that ONNX has, found {', '.join(unknown[:MAX_NAMES]):.350}{more}"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; write the layer with others")
