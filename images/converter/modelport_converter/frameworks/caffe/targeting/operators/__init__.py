"""ONNX's operators as layers: one function for each, by name."""

from modelport_converter.frameworks.caffe.targeting.building import Write
from modelport_converter.frameworks.caffe.targeting.operators import (
    activations,
    arithmetic,
    linear,
    normalizing,
    pooling,
    reductions,
    resizing,
    shaping,
    windows,
)

OPERATORS: dict[str, Write] = {
    **activations.OPERATORS,
    **arithmetic.OPERATORS,
    **linear.OPERATORS,
    **normalizing.OPERATORS,
    **pooling.OPERATORS,
    **reductions.OPERATORS,
    **resizing.OPERATORS,
    **shaping.OPERATORS,
    **windows.OPERATORS,
}
