"""Nodes and constants that are added to a graph, with names of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import make_node

from modelport.verification.arrays import Array


class Writer:
    """Adds to a graph, whose names it begins with what nobody else has."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        self._graph, self._prefix, self._count = graph, prefix, 0

    def constant(self, array: Array) -> str:
        """Add a constant."""
        self._graph.initializer.append(numpy_helper.from_array(np.array(array, order="C"), self._fresh("constant")))
        return str(self._graph.initializer[-1].name)

    def add(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node; return its output."""
        name = output or self._fresh(operator)
        self._graph.node.append(make_node(operator, inputs, [name], name, **attributes))
        return name

    def stacked(self, values: Sequence[str], axis: int, output: str = "") -> str:
        """Put values side by side along a new axis."""
        axes = self.constant(np.array([axis], np.int64))
        parts = [self.add("Unsqueeze", [value, axes]) for value in values]
        return self.add("Concat", parts, output, axis=axis)

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}/unrolled/{kind}_{self._count}"
