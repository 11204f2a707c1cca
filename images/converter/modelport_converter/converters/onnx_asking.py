"""Ask an ONNX model, node by node as it is written, and keep what goes into a final softmax or sigmoid."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import onnx
import onnxruntime

from modelport.api import Dimension, Dtype, Input
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors
from modelport.verification.onnx_logits import add_logits
from modelport.verification.reference import Answer
from modelport_converter.converters.job import last_line

RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
ERRORS_ONLY = 3


def read_inputs(model: onnx.ModelProto, given: Sequence[Input]) -> list[Input]:
    """Return the inputs of the graph; what the user says about one of them by name comes first.

    Raises ModelportError (InvalidSpec) for a name that the graph does not have.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    found = [_input(value) for value in model.graph.input if value.name not in weights]
    said = {each.name: each for each in given}
    unknown = set(said) - {each.name for each in found}
    if unknown:
        names = ", ".join(each.name for each in found)[:300]
        message = f"spec.source.inputs: the model has no input {', '.join(sorted(unknown))[:200]}; it has {names}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return [said.get(each.name, each) for each in found]


def make_run(model: onnx.ModelProto, folder: Path) -> Callable[[Tensors], Answer]:
    """Return the function that asks the model; `folder` has its external data."""
    outputs = [value.name for value in model.graph.output]
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    logits = dict(add_logits(asked.graph))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other containers want the cores
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    try:
        session = onnxruntime.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no public base
        message = f"ONNX Runtime does not load the source: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error

    def run(tensors: Tensors) -> Answer:
        found = session.run([*outputs, *logits.values()], tensors)
        return Answer(dict(zip(outputs, found, strict=False)), dict(zip(logits, found[len(outputs) :], strict=True)))

    return run


def find_random_operations(model: onnx.ModelProto) -> list[str]:
    """Return the nodes that make two runs differ, by name and type."""
    return [f"{node.name or node.output[0]} ({node.op_type})" for node in model.graph.node if _is_random(node)]


def _is_random(node: onnx.NodeProto) -> bool:
    in_training = node.op_type == "Dropout" and len(node.input) > 2  # noqa: PLR2004  # input 2 is training_mode
    return node.op_type in RANDOM or in_training


def _input(value: onnx.ValueInfoProto) -> Input:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise ModelportError(
            Reason.CONVERSION_FAILED, f"input {value.name}: expected a tensor with a rank, found neither"
        )
    name = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    dtype = next((each for each in get_args(Dtype) if each == name), None)
    if dtype is None:
        raise ModelportError(
            Reason.CONVERSION_FAILED, f"input {value.name}: expected numbers, found elements of {name}"
        )
    shape = [_dimension(value.name, axis, length) for axis, length in enumerate(tensor.shape.dim)]
    return Input(name=value.name, dtype=dtype, shape=shape)


def _dimension(name: str, axis: int, length: onnx.TensorShapeProto.Dimension) -> Dimension:
    if length.HasField("dim_value") and length.dim_value > 0:
        return int(length.dim_value)
    # a first axis that nobody named is a batch: the same length for all inputs
    return length.dim_param or ("batch" if axis == 0 else f"{name}_{axis}")
