"""Average pooling of numbers of 8 bits as TensorFlow Lite rounds it: halves away from zero, in the steps of the tensor.

What tf2onnx writes (DequantizeLinear, AveragePool, QuantizeLinear) rounds them to the even one, which is one step off for
every second half, and layers behind it make several of it.
Source of the rule: TensorFlow Lite's specification of 8-bit quantization (AVERAGE_POOL_2D keeps scale and zero point), and
its reference kernel, which adds half the number of elements to the sum, by its sign, before it divides.
"""

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

POOL = "AveragePool"
MOVING = {"Transpose", "Reshape", "Identity"}
"""Operators between a pool and its quantization that change no number."""
BOUNDING = {"Relu", "Clip"}
"""Operators between them that bound numbers, which may be done before or after they are rounded."""
NEAR = 1e-3
"""What a mean in floats may be short of a half, in steps; less than what means of fewer than 1,000 differ by."""


def round_pools(model: onnx.ModelProto) -> None:
    """Have average pools between numbers of 8 bits of the same scale and zero point round as TensorFlow Lite does."""
    graph = model.graph
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}
    read: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            read.setdefault(name, []).append(node)
    for pool in [node for node in graph.node if node.op_type == POOL]:
        taken, given = _behind(pool, made), _before(pool, read)
        if taken is None or given is None or not _is_one_step(taken, given, known):
            continue
        area = math.prod(next(each.ints for each in pool.attribute if each.name == "kernel_shape"))
        _round(graph, pool, [known[name] for name in taken.input[1:3]], min(NEAR, 0.25 / area))


def _behind(node: onnx.NodeProto, made: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """Return the DequantizeLinear that a pool's input is of."""
    found = made.get(node.input[0])
    while found is not None and found.op_type in MOVING:
        found = made.get(found.input[0])
    return found if found is not None and found.op_type == "DequantizeLinear" else None


def _before(node: onnx.NodeProto, read: Mapping[str, list[onnx.NodeProto]]) -> onnx.NodeProto | None:
    """Return the QuantizeLinear that alone a pool's output goes to."""
    readers = read.get(node.output[0], [])
    while len(readers) == 1 and readers[0].op_type in MOVING | BOUNDING:
        readers = read.get(readers[0].output[0], [])
    return readers[0] if len(readers) == 1 and readers[0].op_type == "QuantizeLinear" else None


def _is_one_step(one: onnx.NodeProto, other: onnx.NodeProto, known: Mapping[str, np.ndarray]) -> bool:
    """Whether two nodes have the same scale and zero point, one for the whole tensor."""
    pairs = list(zip(one.input[1:], other.input[1:], strict=False))
    if len(pairs) != len(("scale", "zero point")) or not all(name in known for pair in pairs for name in pair):
        return False
    return all(known[a].size == 1 and np.array_equal(known[a], known[b]) for a, b in pairs)


def _round(graph: onnx.GraphProto, pool: onnx.NodeProto, step: list[np.ndarray], near: float) -> None:
    """Put behind a pool what rounds its output to whole steps."""
    scale, zero = (each.astype(np.float32).reshape(()) for each in step)
    rounded = pool.output[0]
    pool.output[0] = f"{rounded}/mean"
    place = list(graph.node).index(pool) + 1

    def add(operator: str, *inputs: str | np.ndarray, output: str) -> str:
        nonlocal place
        names = []
        for number, each in enumerate(inputs):
            if isinstance(each, np.ndarray):
                graph.initializer.append(numpy_helper.from_array(each, f"{output}/{number}"))
            names.append(f"{output}/{number}" if isinstance(each, np.ndarray) else each)
        graph.node.insert(place, onnx.helper.make_node(operator, names, [output], name=f"{output}/rounding"))
        place += 1
        return output

    steps = add("Add", add("Div", pool.output[0], scale, output=f"{rounded}/divided"), zero, output=f"{rounded}/steps")
    half = np.array(0.5 + near, np.float32)
    raised = add("Add", add("Abs", steps, output=f"{rounded}/size"), half, output=f"{rounded}/raised")
    whole = add("Floor", raised, output=f"{rounded}/whole")
    signed = add("Mul", whole, add("Sign", steps, output=f"{rounded}/sign"), output=f"{rounded}/signed")
    add("Mul", add("Sub", signed, zero, output=f"{rounded}/moved"), scale, output=rounded)
