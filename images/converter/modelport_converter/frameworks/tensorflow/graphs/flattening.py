"""Functions as those take them that look into no calls and know no variables."""

import re
from collections.abc import Callable
from typing import cast

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.eager import context
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from modelport_converter.frameworks.tensorflow.graphs.endings import fill_arrays
from modelport_converter.frameworks.tensorflow.graphs.loops import Function, inline_calls, raise_loops

v1 = tf.compat.v1
FROZEN = re.compile(r"_frozen_\d+$")
"""How functions of a graph end that was frozen: they are called so again when they are frozen once more, and TensorFlow
takes no second one of a name that is written otherwise. Nobody asks the model any more by then.
"""


def flatten(function: Function) -> Function:
    """Return a function with loops of TensorFlow 1 as tf2onnx takes it: without calls, and with weights as constants.

    Raises ModelportError (ConversionFailed) for functions that call themselves.
    """
    return _change(function, lambda graph: fill_arrays(raise_loops(inline_calls(graph))))


def inline(function: Function) -> Function:
    """Return a function without calls, those in bodies of loops included, and with weights as constants."""
    return _change(function, inline_calls)


def forget_frozen(function: Function) -> None:
    """Let the functions of a frozen graph be frozen once more."""
    functions, known = function.graph.as_graph_def().library.function, context.context()
    for name in (each.signature.name for each in functions if FROZEN.search(each.signature.name)):
        while known.has_function(name):  # once for each graph that has it
            known.remove_function(name)


def _change(function: Function, change: Callable[[GraphDef], GraphDef]) -> Function:
    forget_frozen(function)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph = change(frozen.graph.as_graph_def())
    whole = v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    given, answers = (
        [whole.graph.get_tensor_by_name(each.name) for each in side] for side in (frozen.inputs, frozen.outputs)
    )
    return cast("Function", whole.prune(given, answers))
