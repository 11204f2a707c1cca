"""Products of matrices, dense layers, and the products that MXNet's transformers interleave."""

import math

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

MATRIX = 2


@operator("FullyConnected", "_npx_fully_connected", "_sparse_FullyConnected", least=2)
def write_dense(call: Call) -> str:
    """Write a dense layer of all that belongs to an example, or of the last axis; its weights are [units, features]."""
    is_biased = not call.flag("no_bias") and len(call.inputs) > MATRIX
    if call.flag("flatten", default=True):
        value = call.x() if call.rank() == MATRIX else call.add("Flatten", call.x(), axis=1)
        return call.add("Gemm", value, call.x(1), *([call.x(2)] if is_biased else []), transB=1)
    product = call.add("MatMul", call.x(), call.graph.transpose(call.x(1), 1, 0))
    return call.add("Add", product, call.x(2)) if is_biased else product


@operator("dot", "_np_dot", "_npi_dot", least=2)
def write_dot(call: Call) -> str:
    """Write the last axis of the one meets the first axis of the other; turned, the first and the last one."""
    left, right = call.x(0), call.x(1)
    ranks = call.rank(0), call.rank(1)
    if call.node.operator != "dot" and max(ranks) <= MATRIX and min(ranks):
        return call.add("MatMul", left, right)
    if call.node.operator != "dot":
        raise call.refuse("expected at most two axes", f"{ranks[0]} and {ranks[1]}")
    if call.flag("transpose_a"):
        left = call.graph.transpose(left, *range(1, ranks[0]), 0)
    if call.flag("transpose_b"):
        right = call.graph.transpose(right, ranks[1] - 1, *range(ranks[1] - 1))
    if ranks == (1, 1):
        return call.graph.reshape(call.add("MatMul", left, right), 1)
    if ranks[1] <= MATRIX:
        return call.add("MatMul", left, right)
    shape = call.shape(1) if not call.flag("transpose_b") else (call.shape(1)[-1], *call.shape(1)[:-1])
    if any(length is None for length in shape):
        raise call.refuse("expected known lengths of the second operand", str(list(shape)))
    flat = call.graph.reshape(right, -1 if shape[0] is None else shape[0], -1)
    product = call.add("MatMul", left, flat)
    return call.graph.reshape(product, *[0] * (ranks[0] - 1), *(length or 0 for length in shape[1:]))


@operator("batch_dot", "_npx_batch_dot", "_npi_matmul", least=2)
def write_batch_dot(call: Call) -> str:
    """Write a product of matrices for each of the leading axes."""
    return _matrices(call)


def _matrices(call: Call) -> str:
    names = [call.x(0), call.x(1)]
    for index, key in enumerate(("transpose_a", "transpose_b")):
        if call.flag(key):
            names[index] = _turned(call, names[index], call.rank(index))
    return call.add("MatMul", *names)


@operator("linalg_gemm2", "_linalg_gemm2", least=2)
def write_gemm(call: Call) -> str:
    """Write a scaled product of matrices."""
    if call.has("axis") and call.axis("axis", -2) != call.rank() - 2:
        raise call.refuse("expected axis=-2", call.text("axis"))
    product, factor = _matrices(call), call.number("alpha", 1.0)
    return product if factor == 1 else call.add("Mul", product, call.constant(factor))


def _turned(call: Call, value: str, rank: int) -> str:
    return call.graph.transpose(value, *range(rank - 2), rank - 1, rank - 2)


# --- attention, whose projections lie interleaved by heads: time, batch, heads x parts x features ---


def _part(call: Call, index: int, count: int, number: int) -> str:
    """Return one of the interleaved parts, [batch x heads, time, features]."""
    heads, width = call.integer("heads"), call.fixed(2, index)
    features = width // (heads * count)
    shaped = call.graph.reshape(call.x(index), 0, 0, heads, count, features)
    part = call.add("Gather", shaped, np.array(number, np.int64), axis=3)
    ordered = call.graph.transpose(part, 1, 2, 0, 3)  # batch, heads, time, features
    lengths = call.graph.concat(
        [call.graph.lengths(-1), call.graph.length(call.x(index), 0), call.graph.lengths(features)], 0
    )
    return call.add("Reshape", ordered, lengths)


def _scores(call: Call, query: str, key: str, features: int) -> str:
    scaled = call.add("Div", query, call.constant(math.sqrt(features)))
    return call.add("MatMul", scaled, call.graph.transpose(key, 0, 2, 1))


def _mixed(call: Call, values: str, index: int) -> str:
    """Return values mixed by the scores at an operand, joined to time, batch, heads x features."""
    heads = call.integer("heads")
    mixed = call.add("MatMul", call.x(index), values)  # batch x heads, time, features
    length = call.graph.length(mixed, 1)
    parts = [call.graph.lengths(-1, heads), length, call.graph.length(mixed, 2)]
    ordered = call.graph.transpose(call.add("Reshape", mixed, call.graph.concat(parts, 0)), 2, 0, 1, 3)
    return call.graph.reshape(ordered, 0, 0, -1)


@operator("_contrib_interleaved_matmul_selfatt_qk")
def write_self_scores(call: Call) -> str:
    """How a sequence attends to itself."""
    features = call.fixed(2) // (3 * call.integer("heads"))
    return _scores(call, _part(call, 0, 3, 0), _part(call, 0, 3, 1), features)


@operator("_contrib_interleaved_matmul_selfatt_valatt", least=2)
def write_self_values(call: Call) -> str:
    """Write what it takes from itself."""
    return _mixed(call, _part(call, 0, 3, 2), 1)


@operator("_contrib_interleaved_matmul_encdec_qk", least=2)
def write_other_scores(call: Call) -> str:
    """How a sequence attends to another one."""
    features = call.fixed(2) // call.integer("heads")
    return _scores(call, _part(call, 0, 1, 0), _part(call, 1, 2, 0), features)


@operator("_contrib_interleaved_matmul_encdec_valatt", least=2)
def write_other_values(call: Call) -> str:
    """Write what it takes from another one."""
    return _mixed(call, _part(call, 0, 2, 1), 1)
