"""Loops that may end before their lists of tensors are full.

TensorFlow gives zeros for what a loop did not write into a list of a fixed size; tf2onnx has a loop give as many tensors as
it had turns. Questions that have each loop go on to its end do not show it.
"""

from collections.abc import Collection, Mapping, Sequence

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
    Loop,
    Variable,
    follow_back,
    frame_of,
    inline,
    make_number,
    owner,
    read_others,
    skip_copies,
    take_apart,
)

LOOPS = {"While", "StatelessWhile"}
SIZES = {"TensorListReserve": 1, "TensorArrayV3": 0}
"""Operators that begin a list, and which of their inputs is its size."""
STACKS = "TensorArrayGatherV3"
WRITES = "TensorArrayWriteV3"
COUNTS = {"Add", "AddV2", "Sub"}


def refuse_early_ends(function: Function) -> None:
    """Raise ModelportError (ConversionFailed) for loops that may end before a list is full."""
    graph = function.graph.as_graph_def()
    bodies = {each.signature.name: each for each in graph.library.function}
    scopes = [graph, *(function_def_to_graph_def(each)[0] for each in bodies.values())]
    early = [name for scope in scopes for name in _find_new(scope, bodies)] + _find_old(graph, function.graph)
    if early:
        message = (
            f"{', '.join(early):.200}: expected a loop that fills its list of tensors, found one that may end before, by"
            " what it computes or at a number; let it go on to the end, or begin with a list of no tensors that grows (dynamic_size=True)"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def fill_arrays(graph: GraphDef) -> GraphDef:
    """Return the graph with zeros for what loops of TensorFlow 1 do not write into arrays, as `dynamic_rnn` has it.

    It does not turn more often than the longest of the series that it is told the lengths of.
    """
    nodes = {node.name: node for node in graph.node}
    with tf.Graph().as_default() as known:
        tf.import_graph_def(graph, name="")
    sizes: dict[str, str] = {}
    for loop in _loops_of(nodes, known):
        for array in (_begin_of(each, nodes) for each in _written(loop, nodes) if _is_fixed(each, nodes)):
            size = skip_copies(array.input[0], nodes, ())
            if not _is_limit(size, loop, nodes):
                sizes[array.name] = size
                array.attr["dynamic_size"].b = True  # or TensorFlow's optimizer takes its length for that of the stack
    stacks = [node for node in graph.node if node.op == STACKS and owner(node.input[0]) in sizes]
    for stack in stacks:
        name, size = stack.name, sizes[owner(stack.input[0])]
        call = NodeDef(name=name, input=[f"{name}/written:0", size])
        filling = _make_filling(tf.as_dtype(stack.attr["dtype"].type))
        read_others(graph.node, {f"{name}:0": f"{name}/filled:0"}, ())
        stack.name = f"{name}/written"
        graph.node.extend(_count_anew(stack))
        graph.node.extend(inline(call, filling, ["stack", "size"]))
    return graph


def _count_anew(stack: NodeDef) -> list[NodeDef]:
    """Have a stack ask how many tensors there are, as it did before it was optimized, and return what it asks with."""
    array, _, flow = stack.input
    first, step = make_number(f"{stack.name}/first", 0), make_number(f"{stack.name}/step", 1)
    count = NodeDef(name=f"{stack.name}/count", op="TensorArraySizeV3", input=[array, flow])
    numbers = NodeDef(name=f"{stack.name}/numbers", op="Range", input=[first.name, count.name, step.name])
    numbers.attr["Tidx"].type = tf.int32.as_datatype_enum
    stack.input[1] = numbers.name
    return [first, step, count, numbers]


def _is_limit(size: str, loop: Loop, nodes: Mapping[str, NodeDef]) -> bool:
    """Whether nothing but a size, and what changes, says when a loop ends."""
    asked = _asked(loop, nodes)
    changing = {each.in_body for each in asked if each.in_body != each.answer}
    limits = {skip_copies(each.given, nodes, ()) for each in asked if each.in_body not in changing}
    numbers = [each for each in follow_back([loop.condition], nodes, loop.own) if nodes[each].op == "Const"]
    return limits == {size} and not numbers


def _make_filling(dtype: tf.DType) -> GraphDef:
    """Return the graph from a stack of tensors, and how many there are to be, to one of that length."""
    with tf.Graph().as_default() as graph:
        stack, size = tf.compat.v1.placeholder(dtype, None, "stack"), tf.compat.v1.placeholder(tf.int32, (), "size")
        shape = tf.shape(stack)
        missing = tf.concat([[tf.maximum(size - shape[0], 0)], shape[1:]], 0)
        tf.concat([stack, tf.zeros(missing, dtype)], 0, "filled")
    return graph.as_graph_def()


def _find_new(scope: GraphDef, bodies: Mapping[str, FunctionDef]) -> list[str]:
    nodes = {node.name: node for node in scope.node}
    found = []
    for loop in (node for node in nodes.values() if node.op in LOOPS):
        lists = [each for each in loop.input if not each.startswith("^") and _is_fixed(each, nodes)]
        sizes = [_size_of(_begin_of(each, nodes), nodes) for each in lists]
        condition, body = (bodies[loop.attr[each].func.name] for each in ("cond", "body"))
        found += [loop.name] if lists and _is_early(condition, body, sizes) else []
    return found


def _find_old(graph: GraphDef, known: tf.Graph) -> list[str]:
    nodes = {node.name: node for node in graph.node}
    found = []
    for loop in _loops_of(nodes, known):
        if any(_is_fixed(each, nodes) for each in _written(loop, nodes)):
            changing = _find_changing({each.in_body: each.answer for each in loop.variables}, nodes, loop.own)
            asked = {each.in_body for each in _asked(loop, nodes)}
            found += [loop.name] if asked & changing else []
    return found


def _loops_of(nodes: Mapping[str, NodeDef], known: tf.Graph) -> list[Loop]:
    names = sorted({frame_of(node) for node in nodes.values() if node.op == ENTER})
    return [take_apart(name, nodes, known) for name in names]


def _written(loop: Loop, nodes: Mapping[str, NodeDef]) -> list[str]:
    """Return the arrays that a loop of TensorFlow 1 writes."""
    region = [nodes[each] for each in follow_back(loop.ends, nodes, loop.own)]
    return [node.input[0] for node in region if node.op == WRITES]


def _asked(loop: Loop, nodes: Mapping[str, NodeDef]) -> list[Variable]:
    """Return the variables that the condition of a loop of TensorFlow 1 reads."""
    read = _read(loop.condition, nodes, loop.own)
    return [each for each in loop.variables if owner(each.in_condition) in read]


def _begin_of(tensor: str, nodes: Mapping[str, NodeDef]) -> NodeDef:
    """Return the node that a list is of, in loops and behind them."""
    node = nodes[owner(tensor)]
    while node.op in PASSING:
        node = nodes[owner(node.input[0])]
    return node


def _is_fixed(tensor: str, nodes: Mapping[str, NodeDef]) -> bool:
    """Whether a tensor is a list that has tensors before any is written."""
    node = _begin_of(tensor, nodes)
    if node.op not in SIZES:
        return False
    size = _size_of(node, nodes)
    return size.op != "Const" or bool(tf.make_ndarray(size.attr["value"].tensor).any())


def _size_of(node: NodeDef, nodes: Mapping[str, NodeDef]) -> NodeDef:
    return nodes[owner(skip_copies(node.input[SIZES[node.op]], nodes, ()))]


def _is_early(condition: FunctionDef, body: FunctionDef, sizes: Sequence[NodeDef]) -> bool:
    """Whether a loop's end follows from more than its turns, and from what it does not change, or from a number.

    A number that is the size of a list ends it where it is full.
    """
    (asking, asked), (turning, turned) = (function_def_to_graph_def(each) for each in (condition, body))
    (end,) = (asked[condition.ret[each.name]] for each in condition.signature.output_arg)
    names = [each.name for each in condition.signature.input_arg]
    read = _read(end, {node.name: node for node in asking.node}, names)
    full = {tf.make_ndarray(each.attr["value"].tensor).item() for each in sizes if each.op == "Const"}
    numbers = (
        tf.make_ndarray(node.attr["value"].tensor) for node in asking.node if node.op == "Const" and node.name in read
    )
    if any(each.dtype.kind == "i" and each.size == 1 and each.item() not in full for each in numbers):
        return True
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
