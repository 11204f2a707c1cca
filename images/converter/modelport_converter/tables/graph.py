"""The graph of a model of a table: matrices of float64, whose rows are questions."""

from collections.abc import Iterable, Sequence

import numpy as np

from modelport_converter.onnx_graphs.writing import GraphWriter


class TableGraph(GraphWriter):
    """Nodes and weights, computed in float64 as libraries of tables do."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """Begin with nothing; `taken` are the names of inputs and outputs."""
        super().__init__(np.float64, taken=taken)
        self.caveats: list[str] = []
        """What users of the model must know."""

    def columns(self, value: str, indices: Sequence[int]) -> str:
        """Return some columns of a matrix."""
        return self.add("Gather", value, np.array(indices, np.int64), axis=1)

    def side_by_side(self, values: Sequence[str]) -> str:
        """Return matrices as one."""
        return self.concat(values, axis=1)

    def sigmoid(self, value: str) -> str:
        """Return 1 / (1 + exp(-x)), which is right in its tails, where ONNX Runtime's own operator is 10 % off."""
        return self.add("Div", 1.0, self.add("Add", 1.0, self.add("Exp", self.add("Neg", value))))
