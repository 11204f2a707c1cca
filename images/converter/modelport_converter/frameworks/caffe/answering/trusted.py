"""Which nets OpenCV is not asked about: those with what it leaves out, or computes otherwise than Caffe.

Found by asking OpenCV 4.14 and Caffe's formulas the same (tests/converters/caffe/test_layers.py). What OpenCV refuses to load needs no
line here: then numpy answers, too.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from modelport_converter.frameworks.caffe.layers import convolving, detecting, elementwise, shaping
from modelport_converter.frameworks.caffe.layers.base import Shape, numbers
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.frameworks.caffe.model import Model

MOST_KEPT = 10_000
Reason = Callable[[Any, Any], str]
"""What is said of an operator and the message of its layer; empty: nothing."""


def find_untrusted(model: Model) -> str:
    """Return what OpenCV computes otherwise; empty: nothing."""
    if model.is_filtered:
        return "it has layers that phase TEST leaves out"
    names = Counter(step.layer.name for step in model.net.steps)
    if max(names.values()) > 1:
        return f"{names.most_common(1)[0][0]:.60} is the name of several layers"
    sliced = {top for step in model.net.steps if isinstance(step.operator, shaping.Slice) for top in step.tops}
    for step in model.net.steps:
        # reports tell of pieces that were joined wrongly with what takes their maximum (LightCNN)
        is_joined = isinstance(step.operator, elementwise.Eltwise) and step.operator.operation == "MAX"
        why = "maximum of a Slice" if is_joined and sliced & set(step.bottoms) else _why(step)
        if why:
            return f"{why} in layer {step.layer.name:.60}"
    return ""


def _why(step: Step) -> str:
    if isinstance(step.operator, convolving.Pooling) and _is_beyond(step.operator, step.shapes[0]):
        return "a kernel_size beyond the image"
    reason = REASONS.get(type(step.operator))
    return reason(step.operator, step.layer.message) if reason else ""


def _is_beyond(layer: convolving.Pooling, shape: Shape) -> bool:
    return any(k > n + 2 * p for k, p, n in zip(layer.kernel, layer.pad, numbers(shape[2:]), strict=True))


def _unary(layer: elementwise.Unary, message: Any) -> str:
    if layer.kind == "Log" and layer.values != {"base": -1.0, "scale": 1.0, "shift": 0.0}:
        return "log_param"
    if layer.kind == "Swish" and layer.values["beta"] != 1:
        return "swish_param.beta"
    return "dropout_param.scale_train" if message.dropout_param.HasField("scale_train") else ""


def _local_response(layer: convolving.LocalResponse, message: Any) -> str:
    if not message.lrn_param.HasField("alpha"):
        return "an alpha that lrn_param does not say"
    return "k" if layer.k != 1 and not layer.is_within else ""


def _detect(layer: detecting.Detect, _: Any) -> str:
    # OpenCV makes room for keep_top_k * images, whatever comes of it: it writes beyond where that is negative
    if not 0 < layer.keep <= MOST_KEPT:
        return "keep_top_k"
    if not np.isfinite(layer.threshold) or layer.threshold < 0:
        return "a confidence_threshold below 0"
    return "background_label_id -1" if layer.background < 0 else ""


REASONS: dict[type, Reason] = {
    convolving.Convolution: lambda layer, _: (
        "dilation" if layer.is_transposed and any(each != 1 for each in layer.dilation) else ""
    ),
    convolving.InnerProduct: lambda _, message: "transpose" if message.inner_product_param.transpose else "",
    convolving.LocalResponse: _local_response,
    convolving.Pooling: lambda _, message: "round_mode" if message.pooling_param.HasField("round_mode") else "",
    elementwise.Unary: _unary,
    shaping.Resize: lambda layer, _: "pad_beg, pad_end" if layer.begin or layer.end else "",
    # it adds epsilon to the variance
    detecting.MeanVariance: lambda layer, _: "eps" if layer.is_divided else "",
    detecting.Priors: lambda _, message: (
        "img_size" if any(message.prior_box_param.HasField(name) for name in ("img_size", "img_h", "img_w")) else ""
    ),
    detecting.Detect: _detect,
}
