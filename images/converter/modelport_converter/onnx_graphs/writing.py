"""An ONNX graph while it is written: operators are called like functions, and arrays become weights."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto, helper, numpy_helper

from modelport.verification.arrays import Array
from modelport_converter.onnx_graphs.graphs import fresh_name

ML = "ai.onnx.ml"
TREES = "TreeEnsemble"
ML_OPSET, ML_OPSET_WITHOUT_TREES = 5, 3
"""The first one whose trees compare and add in float64; and one that still has the older operators of trees."""
OPSET, IR_VERSION = 17, 10
END = 2**31 - 1
"""Beyond any axis, for Slice."""
Operand = str | Array | float | int


class GraphWriter:
    """Nodes and weights in the order in which they are added; numbers of Python's own become weights of `dtype`."""

    def __init__(self, dtype: DTypeLike = np.float32, *, taken: Iterable[str] = ()) -> None:
        """Begin with nothing; `taken` are names that no new value gets, as those of inputs and outputs."""
        self.dtype = np.dtype(dtype)
        self.scope = ""
        """What new names begin with: the layer that is written."""
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._taken = set(taken)
        self._counts: Counter[str] = Counter()

    def fresh(self, stem: str) -> str:
        """Return a name that no value has."""
        stem = f"{self.scope}/{stem}" if self.scope else stem
        self._counts[stem] += 1
        return fresh_name(f"{stem}_{self._counts[stem]}", self._taken)

    def weight(self, operand: Operand) -> str:
        """Return the name of an array, added as it is, or of a number, as `dtype`; strings are names already."""
        if isinstance(operand, str):
            return operand
        content = np.asarray(operand, self.dtype) if isinstance(operand, (int, float)) else np.asarray(operand)
        name = self.fresh("weight")
        # numpy's ascontiguousarray makes a scalar a vector
        self.weights.append(numpy_helper.from_array(np.require(content, requirements="C"), name))
        return name

    def lengths(self, *values: int) -> str:
        """Return the name of whole numbers, int64 [n]: axes, shapes, bounds."""
        return self.weight(np.array(values, np.int64))

    def add(self, operator: str, *operands: Operand, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node and return its first output, `out` if that is told."""
        return self.add_many(operator, [out], *operands, domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, outputs: Sequence[str], *operands: Operand, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node and return its outputs; empty names become new ones. An empty operand is one that is not given."""
        inputs = [self.weight(each) for each in operands]
        names = [each or self.fresh(operator) for each in outputs]
        self.nodes.append(helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names

    def cast(self, value: Operand, dtype: DTypeLike, out: str = "") -> str:
        """Return a value in another element type of numpy's."""
        return self.add("Cast", value, out=out, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, value: Operand, *lengths: int, out: str = "") -> str:
        """Return a value in another shape; 0 is the length that it has, -1 what is left."""
        return self.add("Reshape", value, np.array(lengths, np.int64), out=out)

    def transpose(self, value: str, *order: int) -> str:
        """Return a value with its axes in another order."""
        return value if list(order) == sorted(order) else self.add("Transpose", value, perm=order)

    def length(self, value: str, axis: int) -> str:
        """Return the length of an axis, int64 [1]."""
        return self.add("Gather", self.add("Shape", value), self.lengths(axis), axis=0)

    def slice(self, value: str, axis: int, start: int, end: int = END, step: int = 1) -> str:
        """Return a part of a value along an axis."""
        return self.add("Slice", value, *map(self.lengths, (start, end, axis, step)))

    def concat(self, values: Sequence[str], axis: int) -> str:
        """Return values as one along an axis."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=axis)

    def sum_of(self, value: str, axis: int, *, keepdims: bool = False) -> str:
        """Return the sum along an axis."""
        return self.add("ReduceSum", value, self.lengths(axis), keepdims=int(keepdims))

    def insert(self, model: onnx.ModelProto, inputs: Mapping[str, str]) -> list[str]:
        """Add another model's nodes, with its inputs named so, and return its outputs."""
        prefix = self.fresh("inserted")
        names = dict(inputs)

        def own(name: str) -> str:
            return names.setdefault(name, f"{prefix}/{name}") if name else ""

        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = own(tensor.name)
            self.weights.append(copy)
        for node in model.graph.node:
            added = onnx.NodeProto()
            added.CopyFrom(node)
            added.name = ""
            added.input[:] = [own(name) for name in node.input]
            added.output[:] = [own(name) for name in node.output]
            self.nodes.append(added)
        return [own(value.name) for value in model.graph.output]

    def finish(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        opset: int = OPSET,
    ) -> onnx.ModelProto:
        """Return the model, whose graph is called `name`."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        opsets = [helper.make_opsetid("", opset)]
        learned = [node.op_type for node in self.nodes if node.domain == ML]
        if learned:
            opsets.append(helper.make_opsetid(ML, ML_OPSET if TREES in learned else ML_OPSET_WITHOUT_TREES))
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="modelport")


def value_info(name: str, dtype: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Return the declaration of an input or output; `dtype` is an element type of numpy's, or `string`."""
    kind = TensorProto.STRING if dtype == "string" else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, list(shape))


def text_array(values: Sequence[object]) -> Array:
    """Return texts as ONNX has them: objects."""
    return np.array([str(each) for each in values], object)
