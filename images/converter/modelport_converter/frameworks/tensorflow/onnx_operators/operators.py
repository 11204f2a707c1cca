"""All operators: importing this notes each one in the table."""

from modelport_converter.frameworks.tensorflow.onnx_operators import control
from modelport_converter.frameworks.tensorflow.onnx_operators.images import convolution, detecting, pooling, resizing
from modelport_converter.frameworks.tensorflow.onnx_operators.images import quantized as quantized_images
from modelport_converter.frameworks.tensorflow.onnx_operators.layers import linear, normalizing, quantized, recurrent
from modelport_converter.frameworks.tensorflow.onnx_operators.node import OPERATORS
from modelport_converter.frameworks.tensorflow.onnx_operators.tensors import (
    activations,
    elementwise,
    indexing,
    reductions,
    shapes,
    slicing,
)

__all__ = ["OPERATORS"]
_ = (
    activations, control, convolution, detecting, elementwise, indexing, linear, normalizing, pooling, quantized,
    quantized_images, recurrent, reductions, resizing, shapes, slicing,
)  # fmt: skip
