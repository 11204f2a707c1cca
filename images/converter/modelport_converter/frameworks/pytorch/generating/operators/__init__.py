"""Operators of ONNX by name, each with the function that writes its code."""

from typing import cast

from modelport_converter.frameworks.pytorch.generating.nodes import Handler
from modelport_converter.frameworks.pytorch.generating.operators import (
    elementwise,
    indexing,
    layers,
    normalising,
    pooling,
    quantized,
    recurrent,
    reducing,
    resizing,
    shaping,
)

_FAMILIES = (elementwise, indexing, layers, normalising, pooling, quantized, recurrent, reducing, resizing, shaping)
OPERATORS = {name: cast("Handler", write) for family in _FAMILIES for name, write in family.OPERATORS.items()}
