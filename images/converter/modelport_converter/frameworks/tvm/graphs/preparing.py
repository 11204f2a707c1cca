"""An ONNX model as TVM's frontend takes it: whole, with the signature's lengths, constants folded, nothing it misreads."""

from collections.abc import Callable, Iterable
from pathlib import Path

import onnx
import onnx.inliner
import onnx.version_converter
import onnxslim
from onnx.helper import make_attribute

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport_converter.frameworks.tvm.graphs.branches import settle_branches
from modelport_converter.frameworks.tvm.graphs.lengths import settle_lengths
from modelport_converter.frameworks.tvm.graphs.mending import mend
from modelport_converter.frameworks.tvm.graphs.recurrent import unroll
from modelport_converter.frameworks.tvm.graphs.refusals import refuse_unsupported
from modelport_converter.onnx_graphs.files import load_whole, opset_of
from modelport_converter.tasks import last_line

Rewrite = Callable[[onnx.ModelProto], bool]
"""Changes a model in place; tells whether it did."""
OLDEST = 13
"""Operator set from which on the frontend reads what it has; older forms of TopK, Slice, Upsample, … it misreads or lacks."""
UNRAISED = "Hardmax"
"""Operator that onnx leaves as it is, although it means something else from 13 on."""
TOLD_PLACES = 11
PLACES = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
"""Where Resize looked before the operator set that has attributes for it; onnx leaves those out."""
IR_VERSION = 8
"""From 4 on, weights are no inputs."""


def prepare(path: Path, signature: Signature) -> onnx.ModelProto:
    """Return the model of a file. Raises ModelportError (ConversionFailed) for what TVM cannot do."""
    model = load_whole(path)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    drop_listed_weights(model)
    name_lengths(model.graph.input, signature.inputs)
    del model.graph.value_info[:]  # what was inferred for other lengths
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    model = _folded(model)
    if settle_branches(model):
        model = _folded(model)
    model = _raised(model)
    for rewrite in (unroll, settle_lengths, mend):
        if rewrite(model):
            model = _folded(model)
    refuse_unsupported(model)
    return model


def drop_listed_weights(model: onnx.ModelProto) -> None:
    """Let a model have no inputs but its own: files of old list their weights, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    own = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(own)


def name_lengths(values: Iterable[onnx.ValueInfoProto], tensors: Iterable[Tensor]) -> None:
    """Give inputs the lengths that the signature has.

    A free one is called `n` and a number, since the frontend computes with names: it reads `batch-size` as a difference.
    """
    names: dict[str, str] = {}
    shapes = {each.name: each.shape for each in tensors}
    for value in values:
        if value.name not in shapes:
            continue
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for length in shapes[value.name]:
            if isinstance(length, int):
                shape.dim.add().dim_value = length
            else:
                shape.dim.add().dim_param = names.setdefault(length, f"n{len(names)}")


def _raised(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with operators of a set that is not of old; branches, which nobody raises, are refused later."""
    model.ir_version = max(model.ir_version, IR_VERSION)
    version = opset_of(model)
    if version >= OLDEST:
        return model
    if any(node.op_type == UNRAISED for node in model.graph.node):
        raise _too_old(version, f"{UNRAISED} means something else")
    try:
        raised = onnx.version_converter.convert_version(model, OLDEST)
    except Exception as error:  # of no common base
        raise _too_old(version, last_line(error)) from error
    for node in raised.graph.node:
        if node.op_type == "Resize" and version < TOLD_PLACES:
            node.attribute.extend(make_attribute(name, value) for name, value in PLACES.items())
    return _folded(raised)


def _too_old(version: int, told: str) -> ModelportError:
    message = (
        f"TVM reads operator sets from {OLDEST} on, and onnx cannot raise this one of {version}: {told}; "
        "convert the model with a newer operator set"
    )
    return ModelportError(Reason.CONVERSION_FAILED, message)


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants folded; TVM's frontend takes most shapes as constants alone."""
    try:
        slim = onnxslim.slim(model, model_check=False)
    except Exception as error:  # of no common base
        message = f"onnxslim cannot fold the constants of the model: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    assert isinstance(slim, onnx.ModelProto)
    try:
        return onnx.shape_inference.infer_shapes(slim, data_prop=True)
    except Exception:  # noqa: BLE001  # who needs a shape tells that it is not there
        return slim
