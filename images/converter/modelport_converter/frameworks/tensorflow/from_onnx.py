"""ONNX graphs become SavedModels, operator by operator: names, order of axes and free lengths stay as they are.

A SavedModel has one signature. TensorFlow takes few letters in the names of a function's arguments; the keys of a signature
are free. So the function's arguments are called by position, and the file is rewritten with the model's own names.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.function.polymorphism.function_type import sanitize_arg_name
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.reasons import Reason
from modelport.api.status import Tensor
from modelport.conversion.base import Options
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.frameworks.tensorflow import SAVED_MODEL
from modelport.steps.handover import read_signature
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.tensorflow.model import INPUT, SERVING
from modelport_converter.frameworks.tensorflow.onnx_operators.building import Building
from modelport_converter.frameworks.tensorflow.onnx_operators.functions import expand, refuse_unknown
from modelport_converter.onnx_graphs.files import load_whole
from modelport_converter.tasks import MODEL, HopTask, find_part

LITE = "tflite"
FINGERPRINT = "fingerprint.pb"
"""Of the file as it was before its names were rewritten."""
TAKEN = "self"
"""The one name that no signature can be called with, because Python's method has it."""


def convert(task: HopTask, _options: Options) -> None:
    """Write the SavedModel. Raises ModelportError (ConversionFailed) naming operators, or a node."""
    model = expand(load_whole(find_part(open_tree(task.model), task.hop.source)))
    refuse_unknown(model)
    inputs = read_signature(task.asked).inputs
    _refuse_names([each.name for each in inputs])
    building = Building(model, lite=any(hop.target == LITE for hop in task.request.hops))
    del model
    function = trace(building, inputs)
    say(
        "tensorflow",
        f"{len(function.graph.get_operations())} operators of TensorFlow, {len(building.weights)} variables",
    )
    write(function, building.weights, [each.name for each in inputs], task.out / MODEL)


def _refuse_names(names: Sequence[str]) -> None:
    """Raise ModelportError (ConversionFailed) for inputs that a function of TensorFlow cannot tell apart."""
    arguments = [sanitize_arg_name(name) for name in names]
    unclear = [name for name, each in zip(names, arguments, strict=True) if arguments.count(each) > 1 or each == TAKEN]
    if unclear:
        message = f"expected inputs whose names differ by letters or digits, none called {TAKEN}, found"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message} {', '.join(unclear):.200}; rename them")


def trace(building: Building, inputs: Sequence[Tensor]) -> Any:
    """Return the model as a function from inputs to outputs by name. Raises ModelportError.

    The inputs are in the order of their names, which TensorFlow takes those of a signature in.
    """
    ordered = sorted(inputs, key=lambda each: each.name)
    specs = [
        tf.TensorSpec([None if isinstance(length, str) else length for length in each.shape], each.dtype, argument(at))
        for at, each in enumerate(ordered)
    ]
    shapes = {each.name: each.shape for each in inputs}

    def answer(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        given = {each.name: tensor for each, tensor in zip(ordered, tensors, strict=True)}
        return building.call(given, shapes)

    while True:
        try:
            return tf.function(answer, input_signature=specs, autograph=False).get_concrete_function()
        except ModelportError:
            if not building.choose_otherwise():
                raise


def argument(position: int) -> str:
    """Return what the function calls an input; in the order of their letters they are in that of their positions."""
    return f"{INPUT}{position:05}"


def write(function: Any, weights: Sequence[tf.Variable], names: Sequence[str], folder: Path) -> None:
    """Write a SavedModel whose inputs have these names. Raises ModelportError (ConversionFailed)."""
    holder = tf.Module()
    holder.weights = list(weights)
    try:
        tf.saved_model.save(holder, str(folder), {SERVING: function})
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        message = f"TensorFlow cannot save the model: {describe_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    _rename(folder / SAVED_MODEL, {argument(position): name for position, name in enumerate(sorted(names))})
    (folder / FINGERPRINT).unlink(missing_ok=True)


def _rename(path: Path, names: Mapping[str, str]) -> None:
    """Give inputs their names: in the signature, and in the function that TensorFlow makes of it when it is loaded."""
    saved = SavedModel()
    saved.ParseFromString(path.read_bytes())
    (meta,) = saved.meta_graphs
    _rekey(meta.signature_def[SERVING].inputs, names)
    for node in meta.object_graph_def.nodes:
        keywords = node.bare_concrete_function.argument_keywords
        if node.HasField("bare_concrete_function") and set(keywords) <= set(names):
            keywords[:] = [names[each] for each in keywords]
            arguments = node.bare_concrete_function.function_spec.fullargspec.named_tuple_value.values
            for argument in (each for part in arguments for each in part.value.list_value.values):
                argument.string_value = sanitize_arg_name(names[argument.string_value])
    for function in meta.object_graph_def.concrete_functions.values():
        for part in function.canonicalized_input_signature.tuple_value.values:
            _rekey(part.dict_value.fields, names)
    path.write_bytes(saved.SerializeToString())


def _rekey(entries: Any, names: Mapping[str, str]) -> None:
    """Give the entries of a map of messages other keys."""
    copies = {names.get(key, key): type(value).FromString(value.SerializeToString()) for key, value in entries.items()}
    entries.clear()
    for key, value in copies.items():
        entries[key].CopyFrom(value)
