"""TensorFlow Lite: asked by its own interpreter, converted by tf2onnx, which reads the file itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.errors import describe_error
from modelport_converter.frameworks.tensorflow.model import Model, read_inputs


def load_tflite(path: Path, given: Sequence[Input]) -> Model:
    """Return the model of a file, whose state, if it has one, the interpreter keeps. Raises ModelportError."""
    interpreter = _open(path)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    specs = {
        _name(each): tf.TensorSpec(
            [None if length < 0 else int(length) for length in each["shape_signature"]], each["dtype"]
        )
        for each in inputs
    }

    def asked(tensors: Sequence[tf.Tensor]) -> list[tuple[Mapping[str, Any], tf.Tensor]]:
        return list(zip(inputs, tensors, strict=True))

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        if any(tuple(interpreter.get_tensor(each["index"]).shape) != tensor.shape for each, tensor in asked(tensors)):
            for each, tensor in asked(tensors):
                interpreter.resize_tensor_input(each["index"], list(tensor.shape))
            interpreter.allocate_tensors()  # which forgets states
        for each, tensor in asked(tensors):
            interpreter.set_tensor(each["index"], tensor)
        interpreter.invoke()
        return {_name(each): tf.constant(interpreter.get_tensor(each["index"])) for each in outputs}

    return Model(read_inputs(specs, given), call, ())


def convert_tflite(path: Path, opset: int) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return the graph, and the names of its inputs and outputs as the model has them. Raises what tf2onnx raises."""
    interpreter = _open(path)
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    proto, _ = tf2onnx.convert.from_tflite(str(path), opset=opset)
    return proto, {each["name"]: _name(each) for each in details}


def _open(path: Path) -> Any:
    try:
        interpreter = tf.lite.Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a model that TensorFlow Lite takes, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return interpreter


def _name(detail: Mapping[str, Any]) -> str:
    return str(detail["name"]).removesuffix(":0")
