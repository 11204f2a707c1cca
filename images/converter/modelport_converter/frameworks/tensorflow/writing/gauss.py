"""The error function by multiplications, additions and a division, for a target that has none.

TensorFlow Lite has the unit of Gaussian errors built in, which its converter finds in most forms, and no error function.
The fraction is the one that Eigen computes in float32 (generic_fast_erf in its special functions): x P(x²) / Q(x²) for |x| up
to 4, beyond which it is 1.
"""

from typing import Any, cast

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from modelport_converter.frameworks.tensorflow.graphs.loops import Function

v1 = tf.compat.v1
BOUND = 4.0
ABOVE = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
"""Of x¹², x¹⁰, …, 1."""
BELOW = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
"""Of x⁸, x⁶, …, 1."""
CALL = "PartitionedCall"


def erf(x: tf.Tensor) -> tf.Tensor:
    """Return the error function."""
    bounded = tf.clip_by_value(x, -BOUND, BOUND)
    square = bounded * bounded
    return bounded * tf.math.polyval(list(ABOVE), square) / tf.math.polyval(list(BELOW), square)


def erfc(x: tf.Tensor) -> tf.Tensor:
    """Return its complement."""
    return 1.0 - erf(x)


FORMULAS = {"Erf": erf, "Erfc": erfc}


def has_errors(function: Function) -> bool:
    """Whether a function's graph has an operator that a formula stands for."""
    graph = function.graph.as_graph_def()
    return any(node.op in FORMULAS for node in graph.node) or any(
        node.op in FORMULAS for each in graph.library.function for node in each.node_def
    )


def replace_errors(function: Function) -> Function:
    """Return the function with formulas in the place of such operators."""
    graph = function.graph.as_graph_def()
    made: dict[tuple[str, int], Any] = {}
    for node in graph.node:
        _replace(node, made)
    for inner in graph.library.function:
        names = [node.name for node in inner.node_def if _replace(node, made)]
        # in a function an output is called by its place in the operator's definition
        moved = {f"{name}:y:": f"{name}:output:" for name in names}
        for node in inner.node_def:
            node.input[:] = [_moved(each, moved) for each in node.input]
        for key, value in list(inner.ret.items()):
            inner.ret[key] = _moved(value, moved)
    for each in made.values():
        graph.library.function.add().CopyFrom(each.function_def)
    whole = v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    given, answers = (
        [whole.graph.get_tensor_by_name(each.name) for each in side] for side in (function.inputs, function.outputs)
    )
    return cast("Function", whole.prune(given, answers))


def _replace(node: NodeDef, made: dict[tuple[str, int], Any]) -> bool:
    """Make an operator a call of its formula; return whether it is one that has a formula."""
    if node.op not in FORMULAS:
        return False
    dtype = node.attr["T"].type
    key = node.op, dtype
    if key not in made:
        made[key] = tf.function(FORMULAS[node.op]).get_concrete_function(tf.TensorSpec(None, dtype))
    node.op = CALL
    node.attr.clear()
    node.attr["Tin"].list.type.append(dtype)
    node.attr["Tout"].list.type.append(dtype)
    node.attr["f"].func.name = made[key].function_def.signature.name
    return True


def _moved(name: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        if name.startswith(before):
            return name.replace(before, after, 1)
    return name
