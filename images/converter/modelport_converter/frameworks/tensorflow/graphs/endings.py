"""Loops that may end before their lists of tensors are full.

TensorFlow gives zeros for what a loop did not write into a list of a fixed size; tf2onnx has a loop give as many tensors as
it had turns. Questions that have each loop go on to its end do not show it.
"""

from collections.abc import Collection, Mapping

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.tensorflow.graphs.loops import (
    ENTER,
    PASSING,
    Function,
    follow_back,
    frame_of,
    owner,
    skip_copies,
    take_apart,
)

LOOPS = {"While", "StatelessWhile"}
SIZES = {"TensorListReserve": 1, "TensorArrayV3": 0}
"""Operators that begin a list, and which of their inputs is its size."""
WRITES = "TensorArrayWriteV3"
COUNTS = {"Add", "AddV2", "Sub"}


def refuse_early_ends(function: Function) -> None:
    """Raise ModelportError (ConversionFailed) for loops that may end before a list is full, by what they compute."""
    graph = function.graph.as_graph_def()
    bodies = {each.signature.name: each for each in graph.library.function}
    scopes = [graph, *(function_def_to_graph_def(each)[0] for each in bodies.values())]
    early = [name for scope in scopes for name in _find_new(scope, bodies)] + _find_old(graph, function.graph)
    if early:
        message = (
            f"{', '.join(early):.200}: expected a loop that fills its list of tensors, found one that may end before, by"
            " what it computes; let it go on to the end, or begin with a list of no tensors that grows (dynamic_size=True)"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _find_new(scope: GraphDef, bodies: Mapping[str, FunctionDef]) -> list[str]:
    nodes = {node.name: node for node in scope.node}
    return [
        loop.name
        for loop in nodes.values()
        if loop.op in LOOPS
        and any(_is_fixed(each, nodes) for each in loop.input if not each.startswith("^"))
        and _is_early(bodies[loop.attr["cond"].func.name], bodies[loop.attr["body"].func.name])
    ]


def _find_old(graph: GraphDef, known: tf.Graph) -> list[str]:
    nodes = {node.name: node for node in graph.node}
    found = []
    for name in sorted({frame_of(node) for node in nodes.values() if node.op == ENTER}):
        loop = take_apart(name, nodes, known)
        region = [nodes[each] for each in follow_back(loop.ends, nodes, loop.own)]
        if any(node.op == WRITES and _is_fixed(node.input[0], nodes) for node in region):
            read = _read(loop.condition, nodes, loop.own)
            changing = _find_changing({each.in_body: each.answer for each in loop.variables}, nodes, loop.own)
            asked = {each.in_body for each in loop.variables if owner(each.in_condition) in read}
            found += [name] if asked & changing else []
    return found


def _is_fixed(tensor: str, nodes: Mapping[str, NodeDef]) -> bool:
    """Whether a tensor is a list that has tensors before any is written."""
    node = nodes[owner(tensor)]
    while node.op in PASSING:
        node = nodes[owner(node.input[0])]
    if node.op not in SIZES:
        return False
    size = nodes[owner(skip_copies(node.input[SIZES[node.op]], nodes, ()))]
    return size.op != "Const" or bool(tf.make_ndarray(size.attr["value"].tensor).any())


def _is_early(condition: FunctionDef, body: FunctionDef) -> bool:
    """Whether a loop's end follows from more than its turns, and from what it does not change."""
    (asking, asked), (turning, turned) = (function_def_to_graph_def(each) for each in (condition, body))
    (end,) = (asked[condition.ret[each.name]] for each in condition.signature.output_arg)
    names = [each.name for each in condition.signature.input_arg]
    read = _read(end, {node.name: node for node in asking.node}, names)
    nodes = {node.name: node for node in turning.node}
    given = [f"{each.name}:0" for each in body.signature.input_arg]
    answers = [turned[body.ret[each.name]] for each in body.signature.output_arg]
    stops = {owner(each) for each in given}
    changing = _find_changing(dict(zip(given, answers, strict=True)), nodes, stops)
    return any(name in read and each in changing for name, each in zip(names, given, strict=True))


def _read(end: str, nodes: Mapping[str, NodeDef], stops: Collection[str]) -> set[str]:
    """Return the names of the nodes that a tensor follows from, with those at which it is no longer followed."""
    region = follow_back([end], nodes, stops)
    return {owner(end), *region, *(owner(each) for name in region for each in nodes[name].input)}


def _find_changing(answers: Mapping[str, str], nodes: Mapping[str, NodeDef], stops: Collection[str]) -> set[str]:
    """Return the variables, by what a turn begins with, that change by more than the same number in each turn."""
    ends = {begin: skip_copies(answer, nodes, stops) for begin, answer in answers.items()}
    steady = {begin for begin, end in ends.items() if begin == end}

    def is_counted(begin: str) -> bool:
        node = nodes[owner(ends[begin])]
        parts = [skip_copies(each, nodes, stops) for each in node.input if not each.startswith("^")]
        steps = [each for each in parts if each != begin]
        is_step = len(steps) == 1 and (steps[0] in steady or nodes[owner(steps[0])].op == "Const")
        return node.op in COUNTS and is_step

    return {begin for begin in ends if begin not in steady and not is_counted(begin)}
