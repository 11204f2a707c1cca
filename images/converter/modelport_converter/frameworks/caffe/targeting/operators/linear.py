"""Products with matrices that are constants, and what moves numbers between places and channels by them."""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write

MATRIX = 2
"""Axes of one."""


def _matmul(to: Building, node: Node) -> str:
    blob, matrix = to.blob(node), _matrix(to, node, 1)
    if matrix.ndim > MATRIX and max(matrix.shape[:-2]) == 1:
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim != MATRIX or len(to.wanted(node)) != len(to.shape(blob)):
        raise node.refuse(f"expected one matrix, found {list(matrix.shape)}")
    return composing.product(to, blob, matrix)


def _matrix(to: Building, node: Node, index: int) -> Array:
    found = to.constant(node.input(index))
    if found is None:
        raise node.refuse(
            f"input {index}: expected a matrix that is a constant, found one that follows from the inputs"
        )
    return found


def _gemm(to: Building, node: Node) -> str:
    if node.get("transA", 0):
        raise node.refuse("expected transA 0, found 1")
    matrix = _matrix(to, node, 1).astype(np.float64) * node.get("alpha", 1.0)
    matrix = matrix.T if node.get("transB", 0) else matrix
    blob = to.blob(node)
    if not node.input(2):
        return composing.product(to, blob, matrix)
    bias, beta = to.constant(node.input(2)), node.get("beta", 1.0)
    if bias is not None and bias.size in {1, matrix.shape[1]} and bias.shape[-1:] != (1,) * (matrix.shape[1] != 1):
        return composing.product(to, blob, matrix, np.broadcast_to(bias.ravel() * beta, matrix.shape[1]))
    if bias is not None:
        whole = np.broadcast_to(bias * beta, to.wanted(node))
        return composing.scale(to, composing.product(to, blob, matrix), np.ones(whole.shape), whole, 0)
    added = to.blob(node, 2)
    if to.shape(added) != to.wanted(node):
        raise node.refuse(f"expected a third input of {list(to.wanted(node))}, found {list(to.shape(added))}")
    return composing.combine(to, node, "SUM", [composing.product(to, blob, matrix), added], [1, beta])


OPERATORS: dict[str, Write] = {"Gemm": _gemm, "MatMul": _matmul}
