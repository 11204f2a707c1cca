"""Theano's operators in ONNX's words: importing this notes each one in the table."""

from modelport_converter.frameworks.mxnet.theano.operators import (
    convolution,
    elementwise,
    indexing,
    linear,
    looping,
    pooling,
    reducing,
    shaping,
)
from modelport_converter.frameworks.mxnet.theano.operators.node import OPERATORS, Graph

__all__ = ["OPERATORS", "Graph"]
_ = (convolution, elementwise, indexing, linear, looping, pooling, reducing, shaping)
