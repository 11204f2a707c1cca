"""Products of matrices, softmax and its losses, normalisation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse


@operator("Dot", "Dot22", "BatchedDot")
def write_product(graph: Graph, node: Any) -> str:
    """Write a product of vectors, matrices, or batches of them."""
    left, right = node.inputs
    out = node.outputs[0].dtype
    names = [graph.valued(left, out), graph.valued(right, out)]
    if type(node.op).__name__ != "BatchedDot":
        return graph.compute("MatMul", names, out)
    if left.ndim == 2:  # noqa: PLR2004
        names[0] = graph.writer.add("Unsqueeze", names[0], graph.writer.lengths(1))
    if right.ndim == 2:  # noqa: PLR2004
        names[1] = graph.writer.add("Unsqueeze", names[1], graph.writer.lengths(2))
    made = graph.compute("MatMul", names, out)
    dropped = [axis for axis, each in ((1, left), (2, right)) if each.ndim == 2]  # noqa: PLR2004
    return graph.writer.add("Squeeze", made, graph.writer.lengths(*dropped)) if dropped else made


@operator("Dot22Scalar")
def write_scaled(graph: Graph, node: Any) -> str:
    """Write a product of matrices, times a number."""
    out = node.outputs[0].dtype
    left, right, scale = (graph.valued(each, out) for each in node.inputs)
    return graph.writer.add("Mul", graph.writer.add("MatMul", left, right), scale)


@operator("Gemm", "Gemv")
def write_gemm(graph: Graph, node: Any) -> str:
    """Write beta · z + alpha · x · y."""
    out = node.outputs[0].dtype
    z, alpha, x, y, beta = (graph.valued(each, out) for each in node.inputs)
    product = graph.writer.add("Mul", graph.writer.add("MatMul", x, y), alpha)
    return graph.writer.add("Add", graph.writer.add("Mul", z, beta), product)


@operator("Ger")
def write_outer(graph: Graph, node: Any) -> str:
    """Write a + alpha · x · yᵀ."""
    out = node.outputs[0].dtype
    matrix, alpha, x, y = (graph.valued(each, out) for each in node.inputs)
    column = graph.writer.add("Unsqueeze", x, graph.writer.lengths(1))
    row = graph.writer.add("Unsqueeze", y, graph.writer.lengths(0))
    return graph.writer.add("Add", matrix, graph.writer.add("Mul", graph.writer.add("Mul", column, row), alpha))


@operator("Softmax", "LogSoftmax")
def write_softmax(graph: Graph, node: Any) -> str:
    """Write softmax of each row of a matrix."""
    return graph.writer.add(type(node.op).__name__, graph.value(node.inputs[0]), axis=-1)


@operator("SoftmaxWithBias")
def write_softmax_of_sum(graph: Graph, node: Any) -> str:
    """Write softmax of each row plus a vector."""
    return graph.writer.add("Softmax", graph.writer.add("Add", *graph.values(node.inputs)), axis=-1)


@operator("CrossentropyCategorical1Hot")
def write_loss(graph: Graph, node: Any) -> str:
    """Write -log of each row's element at a label."""
    rows, labels = node.inputs
    return _picked(graph, graph.writer.add("Log", graph.value(rows)), graph.valued(labels, "int64"))


@operator("CrossentropySoftmaxArgmax1HotWithBias")
def write_losses(graph: Graph, node: Any) -> Sequence[str]:
    """Write the loss of a softmax by label, the softmax, and the place of its largest element."""
    rows, offset, labels = node.inputs
    scores = graph.writer.add("Add", graph.value(rows), graph.value(offset))
    loss = _picked(graph, graph.writer.add("LogSoftmax", scores, axis=-1), graph.valued(labels, "int64"))
    place = graph.writer.add("ArgMax", scores, axis=1, keepdims=0)
    return [loss, graph.writer.add("Softmax", scores, axis=-1), graph.cast(place, "int64", node.outputs[2].dtype)]


def _picked(graph: Graph, rows: str, labels: str) -> str:
    column = graph.writer.add("Unsqueeze", labels, graph.writer.lengths(1))
    found = graph.writer.add("GatherElements", rows, column, axis=1)
    return graph.writer.add("Neg", graph.writer.add("Squeeze", found, graph.writer.lengths(1)))


@operator("AbstractBatchNormInference")
def write_normalised(graph: Graph, node: Any) -> str:
    """Write (x - mean) · scale / sqrt(variance + epsilon) + offset."""
    out = _normalised_type(node)
    value, scale, offset, mean, variance, epsilon = (graph.valued(each, out) for each in node.inputs)
    return _normalised(graph, (value, scale, offset), mean, variance, epsilon)[0]


def _normalised_type(node: Any) -> str:
    out = str(node.outputs[0].dtype)
    if not out.startswith("float"):
        refuse(
            f"operator {type(node.op).__name__} of {out}", "its fractions would be cut off; cast to float32 before it"
        )
    return out


def _normalised(graph: Graph, given: tuple[str, str, str], mean: str, variance: str, epsilon: str) -> tuple[str, str]:
    add, (value, scale, offset) = graph.writer.add, given
    root = add("Sqrt", add("Add", variance, epsilon))
    made = add("Add", add("Mul", add("Sub", value, mean), add("Div", scale, root)), offset)
    return made, root


@operator("AbstractBatchNormTrain")
def write_normalised_by_batch(graph: Graph, node: Any) -> Sequence[str]:
    """Write normalisation by the mean and variance of the batch itself, and these two."""
    out = _normalised_type(node)
    value, scale, offset, epsilon = (graph.valued(each, out) for each in node.inputs[:4])
    axes = list(node.op.axes)
    mean = graph.writer.add("ReduceMean", value, axes=axes)
    centred = graph.writer.add("Sub", value, mean)
    variance = graph.writer.add("ReduceMean", graph.writer.add("Mul", centred, centred), axes=axes)
    made, root = _normalised(graph, (value, scale, offset), mean, variance, epsilon)
    return [made, mean, graph.writer.add("Div", graph.writer.weight(np.array(1, out)), root)]
