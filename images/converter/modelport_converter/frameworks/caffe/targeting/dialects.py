"""A net of one dialect in the words of the other: what both compute alike and call otherwise."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.caffe.reading.architecture import Architecture, Layer
from modelport_converter.frameworks.caffe.reading.schema import ENUMS, new_architecture
from modelport_converter.frameworks.caffe.targeting.building import Dialect

FLOOR = ENUMS["Round"]["FLOOR"]
OF_BVLC = frozenset({
    "AbsVal", "ArgMax", "BNLL", "BatchNorm", "BatchReindex", "Bias", "Clip", "Concat", "Convolution", "Crop",
    "Deconvolution", "Dropout", "ELU", "Eltwise", "Embed", "Exp", "Filter", "Flatten", "Im2col", "InnerProduct",
    "Input", "LRN", "LSTM", "Log", "MVN", "PReLU", "Parameter", "Pooling", "Power", "RNN", "ReLU", "Recurrent",
    "Reduction", "Reshape", "SPP", "Scale", "Sigmoid", "Silence", "Slice", "Softmax", "Split", "Swish", "TanH",
    "Threshold", "Tile",
})  # fmt: skip
"""Types of layers in BVLC's master that answer."""
OF_OTHERS = {"batch_norm": "scale_bias", "dropout": "scale_train"}
"""Parameters of such layers that only other forks read."""


def restate(architecture: Architecture, dialect: Dialect) -> str:
    """Return the layers that answer as text of a dialect. Raises ModelportError (ConversionFailed) for layers it has not."""
    if dialect == "bvlc":
        _refuse_others(architecture.layers)
    net = new_architecture()
    for name, shape in architecture.inputs.items():
        net.input.append(name)
        net.input_shape.add(dim=shape or ())
    for layer in architecture.layers:
        message = layer.message
        # each generation has messages of its own
        added = net.layer.add() if message.DESCRIPTOR.name == "Layer" else net.layers.add()
        added.CopyFrom(message)
        added.ClearField("include")
        added.ClearField("exclude")
        if added.HasField("pooling_param"):
            _round(added.pooling_param, dialect)
        if layer.type == "LRN" and not added.lrn_param.HasField("alpha"):
            added.lrn_param.alpha = 1.0  # as it is in Caffe, and not in OpenCV
    return text_format.MessageToString(net)


def _round(pooling: Any, dialect: Dialect) -> None:
    is_floor = pooling.round_mode == FLOOR or (pooling.HasField("ceil_mode") and not pooling.ceil_mode)
    for name in ("round_mode", "ceil_mode"):
        pooling.ClearField(name)
    if is_floor and dialect == "opencv":
        pooling.ceil_mode = False
    elif is_floor:
        pooling.round_mode = FLOOR


def _refuse_others(layers: Sequence[Layer]) -> None:
    other = [f"{each.type:.40} (layer {each.name:.60})" for each in layers if each.type not in OF_BVLC]
    other += [
        f"{kind}_param.{name} (layer {each.name:.60})"
        for each in layers
        for kind, name in OF_OTHERS.items()
        if getattr(each.message, f"{kind}_param").HasField(name)
    ]
    if other:
        message = f"options.dialect: bvlc: expected layers of BVLC's Caffe, found {', '.join(other):.300}"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; ask for dialect: opencv")
