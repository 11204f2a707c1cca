"""An ONNX model for readers that take a graph without indirection: whole operator sets, no weights as inputs, constants folded."""

import onnx
import onnx.version_converter
from onnx.helper import make_attribute

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.onnx_graphs.files import opset_of
from modelport_converter.onnx_graphs.slimming import slim
from modelport_converter.tasks import last_line

OLDEST = 13
"""Operator set from which on the forms of operators are alike; older ones of TopK, Slice, Upsample, … differ."""
UNRAISED = "Hardmax"
"""Operator that onnx leaves as it is, although it means something else from 13 on."""
TOLD_PLACES = 11
PLACES = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
"""Where Resize looked before the operator set that has attributes for it; onnx leaves those out."""
IR_VERSION = 8
"""From 4 on, weights are no inputs."""


def drop_listed_weights(model: onnx.ModelProto) -> None:
    """Let a model have no inputs but its own: files of old list their weights, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    own = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(own)


def raise_operators(model: onnx.ModelProto, reader: str) -> onnx.ModelProto:
    """Return the model with operators of a set that is not of old; branches are left as they are.

    Raises ModelportError (ConversionFailed), in the name of who reads it.
    """
    model.ir_version = max(model.ir_version, IR_VERSION)
    version = opset_of(model)
    if version >= OLDEST:
        return model
    if any(node.op_type == UNRAISED for node in model.graph.node):
        raise _too_old(reader, version, f"{UNRAISED} means something else")
    try:
        raised = onnx.version_converter.convert_version(model, OLDEST)
    except Exception as error:  # of no common base
        raise _too_old(reader, version, last_line(error)) from error
    for node in raised.graph.node:
        if node.op_type == "Resize" and version < TOLD_PLACES:
            node.attribute.extend(make_attribute(name, value) for name, value in PLACES.items())
    return fold(raised)


def _too_old(reader: str, version: int, told: str) -> ModelportError:
    message = (
        f"{reader} reads operator sets from {OLDEST} on, and onnx cannot raise this one of {version}: {told}; "
        "convert the model with a newer operator set"
    )
    return ModelportError(Reason.CONVERSION_FAILED, message)


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants folded, and the shapes that follow. Raises ModelportError (ConversionFailed)."""
    try:
        slimmed = slim(model)
    except Exception as error:  # of no common base
        message = f"onnxslim cannot fold the constants of the model: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    try:
        return onnx.shape_inference.infer_shapes(slimmed, data_prop=True)
    except Exception:  # noqa: BLE001  # who needs a shape tells that it is not there
        return slimmed
