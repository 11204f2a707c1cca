"""All operators: importing this notes each one in the table."""

from modelport_converter.frameworks.mxnet.symbols.operators.images import boxes, regions, resizing, sampling
from modelport_converter.frameworks.mxnet.symbols.operators.layers import (
    convolution,
    linear,
    normalizing,
    pooling,
    recurrent,
)
from modelport_converter.frameworks.mxnet.symbols.operators.node import OPERATORS
from modelport_converter.frameworks.mxnet.symbols.operators.tensors import (
    activations,
    elementwise,
    functions,
    indexing,
    making,
    reductions,
    shapes,
    slicing,
)

__all__ = ["OPERATORS"]
_ = (
    activations, boxes, convolution, elementwise, functions, indexing, linear, making, normalizing, pooling, recurrent, reductions,
    regions, resizing, sampling, shapes, slicing,
)  # fmt: skip
