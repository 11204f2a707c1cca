"""TensorFlow Lite: asked by its own interpreter, converted by tf2onnx, which reads the file itself.

A signature names the tensors that go in and come out, one of them by several names, too; a file without one has them by
number. Names of tensors are what the writer's compiler made of them.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import tensorflow as tf
import tf2onnx
from tf2onnx.handler import tfl_op

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking.litert.naming import name_details, name_output
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.lite.quantized import round_pools
from modelport_converter.frameworks.tensorflow.model import (
    OUTPUT,
    Model,
    make_model,
    pick_signature,
    read_inputs,
)

RECURRENT = {f"{way}DIRECTIONAL_SEQUENCE_{cell}" for way in ("UNI", "BI") for cell in ("LSTM", "RNN")}
WRITING = {"ASSIGN_VARIABLE", "CALL_ONCE", "LSTM", "RNN", "SVDF", "VAR_HANDLE"} | RECURRENT
"""Operators that keep what the next call begins with."""


@tfl_op("TFL_GELU")
class _Gelu:
    """The unit of Gaussian errors, exact or by its tanh (Hendrycks and Gimpel, arXiv 1606.08415), for which tf2onnx has none."""

    @classmethod
    def version_9(cls, ctx: tf2onnx.graph.Graph, node: tf2onnx.graph.Node, **_: object) -> None:
        (value,), made = (
            node.input,
            {"outputs": node.output, "shapes": node.output_shapes, "dtypes": node.output_dtypes},
        )
        dtype, is_approximate = ctx.get_dtype(value), node.get_attr_value("approximate", 0)
        ctx.remove_node(node.name)

        def make(operator: str, left: str, right: str | float | None = None, **more: object) -> str:
            if isinstance(right, float):
                number = tf2onnx.utils.map_onnx_to_numpy_type(dtype)(right)
                right = ctx.make_const(tf2onnx.utils.make_name("number"), number.reshape(())).output[0]
            inputs = [left] if right is None else [left, right]
            return str(ctx.make_node(operator, inputs, **{"dtypes": [dtype], **more}).output[0])

        if is_approximate:
            scale = math.sqrt(2 / math.pi)
            factor = make("Add", make("Mul", make("Mul", value, value), 0.044715 * scale), scale)
            share = make("Tanh", make("Mul", value, factor))
        else:
            share = make("Erf", make("Mul", value, math.sqrt(0.5)))
        make("Mul", make("Mul", value, 0.5), make("Add", share, 1.0), **made)


class _Opened(NamedTuple):
    interpreter: Any
    inputs: Mapping[str, Mapping[str, Any]]
    """Details of the tensors by the names that they have in the model."""
    outputs: Mapping[str, Mapping[str, Any]]
    operators: frozenset[str]


def load_tflite(path: Path, given: Sequence[Input], signature: str | None) -> Model:
    """Return the model of a file. Raises ModelportError, ConversionFailed for one that keeps a state."""
    interpreter, inputs, outputs, operators = _open(path, signature)
    writing = WRITING.intersection(operators)
    if writing:
        found = ", ".join(sorted(writing))
        message = f"{path.name:.100}: expected a model whose answers follow from its inputs alone, found {found}"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; give the model that it was made of")
    specs = {
        name: tf.TensorSpec([None if length < 0 else int(length) for length in each["shape_signature"]], each["dtype"])
        for name, each in inputs.items()
    }

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        asked = [(each["index"], tensor) for each, tensor in zip(inputs.values(), tensors, strict=True)]
        if any(tuple(interpreter.get_tensor(index).shape) != tensor.shape for index, tensor in asked):
            for index, tensor in asked:
                interpreter.resize_tensor_input(index, list(tensor.shape))
            interpreter.allocate_tensors()
        for index, tensor in asked:
            interpreter.set_tensor(index, tensor)
        interpreter.invoke()
        return {name: tf.constant(interpreter.get_tensor(each["index"])) for name, each in outputs.items()}

    return make_model(read_inputs(specs, given), call, ())


def convert_tflite(path: Path, signature: str | None, opset: int) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the graph, and the names of its inputs and outputs as the model has them. Raises what tf2onnx raises."""
    opened = _open(path, signature)
    proto, _ = tf2onnx.convert.from_tflite(str(path), opset=opset)
    round_pools(proto)
    graph, names = proto.graph, {str(detail["name"]): name for name, detail in opened.inputs.items()}
    types = {value.name: value.type for value in (*graph.input, *graph.output)}
    del graph.output[:]
    for number, (name, detail) in enumerate(opened.outputs.items()):
        tensor, own = detail["name"], f"{OUTPUT}{number}"  # one tensor may be several outputs, or an input as well
        graph.node.add(op_type="Identity", name=own, input=[tensor], output=[own])
        graph.output.add(name=own, type=types[tensor])
        names[own] = name_output(name, opened.inputs)
    return proto, names


def _open(path: Path, signature: str | None) -> _Opened:
    try:
        interpreter = tf.lite.Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        operators = frozenset(each["op_name"] for each in interpreter._get_ops_details())  # noqa: SLF001
        signatures = interpreter.get_signature_list()
        if signatures:
            runner = interpreter.get_signature_runner(pick_signature(signatures, signature))
            named = runner.get_input_details(), runner.get_output_details()
    except ModelportError:
        raise
    except (ValueError, RuntimeError) as error:
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a model that TensorFlow Lite takes, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not signatures:
        return _Opened(interpreter, name_details(inputs), name_details(outputs), operators)
    known = [each["name"] for each in (*inputs, *outputs)]
    if any(each["name"] not in known for part in named for each in part.values()):
        message = f"spec.source.checkpoint.key: {signature!s:.60} is not the first graph in the file, which alone is converted"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return _Opened(interpreter, *named, operators)
