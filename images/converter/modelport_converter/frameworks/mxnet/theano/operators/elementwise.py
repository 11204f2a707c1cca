"""Operators for each element; Theano says by `broadcastable` which axes repeat, and all operands have as many axes."""

from collections.abc import Sequence
from typing import Any

from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse
from modelport_converter.frameworks.mxnet.theano.operators.scalars import write_composite, write_scalar

BITS = {"AND", "OR", "XOR"}
COMPARED = {"LT", "GT", "LE", "GE", "EQ", "NEQ", "IsNan", "IsInf", "InRange"}


@operator("Elemwise")
def write_elementwise(graph: Graph, node: Any) -> str | Sequence[str]:
    """Write an operator of scalars, for each element."""
    op, kinds = node.op.scalar_op, [each.dtype for each in node.inputs]
    out = node.outputs[0].dtype
    if type(op).__name__ == "Second":  # the second operand, in the shape of both
        shape = graph.writer.add("Shape", graph.value(node.inputs[0]))
        return graph.writer.add("Expand", graph.valued(node.inputs[1], out), shape)
    if len(node.outputs) > 1:
        made = write_composite(graph, op, graph.values(node.inputs), kinds)
        return [
            graph.cast(name, inner.dtype, each.dtype)
            for name, inner, each in zip(made, op.fgraph.outputs, node.outputs, strict=True)
        ]
    kind = type(op).__name__
    if kind in BITS and not all(is_truth(each) for each in node.inputs):
        refuse(
            f"operator {kind} of {kinds[0]}", "bits of whole numbers have no word in ONNX 17; compare with 0 before it"
        )
    return write_scalar(graph, op, graph.values(node.inputs), kinds, out)


def is_truth(variable: Any) -> bool:
    """Whether a variable is 0 or 1 alone: before Theano 1.0, truth values were bytes."""
    if variable.dtype == "bool":
        return True
    node = variable.owner
    if node is None:
        return False
    kind = type(node.op).__name__
    if kind in {"DimShuffle", "InplaceDimShuffle", "Subtensor", "Reshape", "Rebroadcast"}:
        return is_truth(node.inputs[0])
    inner = type(getattr(node.op, "scalar_op", None)).__name__
    if kind == "Elemwise" and inner in COMPARED:
        return True
    return kind == "Elemwise" and inner in BITS | {"Cast", "Identity"} and all(map(is_truth, node.inputs))


@operator("DimShuffle", "InplaceDimShuffle")
def write_shuffle(graph: Graph, node: Any) -> str:
    """Write axes in another order, with new ones of length 1, and without some of length 1."""
    name, order = graph.value(node.inputs[0]), list(node.op.new_order)
    kept = [each for each in order if each != "x"]
    dropped = [axis for axis in range(node.inputs[0].ndim) if axis not in kept]
    if dropped:
        name = graph.writer.add("Squeeze", name, graph.writer.lengths(*dropped))
    ranked = sorted(kept)
    name = graph.writer.transpose(name, *(ranked.index(each) for each in kept))
    added = [axis for axis, each in enumerate(order) if each == "x"]
    return graph.writer.add("Unsqueeze", name, graph.writer.lengths(*added)) if added else name


@operator(
    "Assert", "ConsiderConstant", "CpuContiguous", "DeepCopyOp", "DisconnectedGrad", "GradClip", "GradScale",
    "OutputGuard", "Print", "Rebroadcast", "ScalarFromTensor", "SpecifyShape", "TensorFromScalar", "TransferOp",
    "UndefinedGrad", "ViewOp", "ZeroGrad",
)  # fmt: skip
def write_same(graph: Graph, node: Any) -> str:
    """Write what hands its first input on."""
    return graph.value(node.inputs[0])
