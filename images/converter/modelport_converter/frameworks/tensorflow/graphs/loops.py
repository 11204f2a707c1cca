"""Loops as TensorFlow 1 has them (Enter, Merge, Switch, NextIteration, Exit), put where tf2onnx finds and knows them.

A function with such loops is inlined into no other one, so that what calls it hides them. And freezing a graph of
TensorFlow 2 makes such ones of its loops, whose lists of tensors tf2onnx knows in a While alone.
Source of the form: "Implementation of Control Flow in TensorFlow", a white paper of TensorFlow's.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

v1 = tf.compat.v1
Function: TypeAlias = tf.types.experimental.ConcreteFunction
ENTER = "Enter"
DECIDES = "LoopCond"
"""Operator that says whether there is one more turn."""
MAX_NODES = 1_000_000
"""A graph with functions that call themselves has no end."""
PASSING = {ENTER, "Merge", "Switch", "Exit", "Identity"}
"""Operators whose output is what they are given first."""
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
PLACES = "_class"
"""Attribute with nodes that one is to be computed beside, by names that they had."""
FROZEN = "_frozen_0"
"""How TensorFlow ends the names of functions that it froze, with a number."""
COUNTER = tf.TensorSpec((), tf.int32)
"""Of the two variables that each loop of TensorFlow 2 begins with, its turn and the most turns, as tf2onnx expects them."""
ARRAYS = "TensorArray"
"""How operators on arrays of tensors begin, in loops of TensorFlow 1; those of TensorFlow 2 have lists."""


def has_old_loops(nodes: Iterable[NodeDef]) -> bool:
    """Whether there is a loop of TensorFlow 1."""
    return any(node.op == ENTER for node in nodes)


# --- calls ------------------------------------------------------------------------------------------------------------


def inline_calls(graph: GraphDef) -> GraphDef:
    """Return the graph with the nodes of functions where those are called."""
    bodies = {each.signature.name: each for each in graph.library.function}
    nodes = list(graph.node)
    while calls := [node for node in nodes if node.op in CALLS]:
        answers: dict[str, str] = {}
        nodes = [node for node in nodes if node.op not in CALLS]
        for call in calls:
            body = bodies[call.attr["f"].func.name]
            inner, flat = function_def_to_graph_def(body)
            names = [flat[body.ret[each.name]] for each in body.signature.output_arg]
            nodes += inline(call, inner, [each.name for each in body.signature.input_arg])
            answers |= {f"{call.name}:{number}": f"{call.name}/{name}" for number, name in enumerate(names)}
        read_others(nodes, answers, {call.name for call in calls})
        if len(nodes) > MAX_NODES:
            message = f"expected a graph of at most {MAX_NODES} nodes, found more, in functions that call others"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
    for node in nodes:
        node.attr.pop(PLACES, None)
    return GraphDef(node=nodes, versions=graph.versions, library=graph.library)


def inline(call: NodeDef, body: GraphDef, parameters: Sequence[str]) -> list[NodeDef]:
    """Return the nodes of a body, below the call's name; the parameters are copies of what the call is given."""
    given = [each for each in call.input if not each.startswith("^")]
    made = []
    for node in body.node:
        node.name = f"{call.name}/{node.name}"
        node.input[:] = [_below(call.name, each) for each in node.input]
        if not node.input:  # one that is in no loop by what it reads is in the loop of its call
            node.input.extend(f"^{owner(each)}" for each in call.input)
        made.append(node)
    for parameter, tensor in zip(parameters, given, strict=True):
        node = next(each for each in made if each.name == f"{call.name}/{parameter}")
        kind = node.attr["dtype"].type
        node.Clear()
        node.name, node.op = f"{call.name}/{parameter}", "Identity"
        node.input.append(tensor)
        node.attr["T"].type = kind
    return made


def _below(name: str, tensor: str) -> str:
    return f"^{name}/{tensor[1:]}" if tensor.startswith("^") else f"{name}/{tensor}"


def owner(tensor: str) -> str:
    """Return the name of the node that a tensor, or an order to wait for one, is of."""
    return tensor.lstrip("^").partition(":")[0]


def read_others(nodes: Iterable[NodeDef], renamed: Mapping[str, str], gone: Collection[str]) -> None:
    """Have nodes read other tensors, by their names with numbers, and wait for none of those that are gone."""
    for node in nodes:
        inputs = [each for each in node.input if not (each.startswith("^") and owner(each) in gone)]
        node.input[:] = [_follow(each, renamed) for each in inputs]


def _follow(tensor: str, renamed: Mapping[str, str]) -> str:
    name = tensor if ":" in tensor or tensor.startswith("^") else f"{tensor}:0"
    while name in renamed:
        name = renamed[name]
        name = name if ":" in name else f"{name}:0"
    return name if name != f"{tensor}:0" else tensor


# --- loops ------------------------------------------------------------------------------------------------------------


class Variable(NamedTuple):
    """What a loop of TensorFlow 1 carries from turn to turn, or reads in each; tensors are named with their numbers."""

    given: str
    """What it is before the first turn."""
    type: tf.TensorSpec
    in_condition: str
    """As the condition reads it."""
    in_body: str
    answer: str
    """What it is in the next turn."""
    exits: tuple[str, ...] = ()
    """Nodes that give what it is after the last turn."""


class Loop(NamedTuple):
    """A loop of TensorFlow 1, taken apart."""

    name: str
    variables: list[Variable]
    condition: str
    own: set[str]
    """Names of the nodes that make it one."""

    @property
    def ends(self) -> list[str]:
        """What is computed in each turn."""
        return [self.condition, *(each.answer for each in self.variables)]


def raise_loops(graph: GraphDef) -> GraphDef:
    """Return the graph with a While in the place of each loop that has no arrays of tensors, the inner ones first."""
    nodes = {node.name: node for node in graph.node}
    functions = list(graph.library.function)
    with tf.Graph().as_default() as known:
        tf.import_graph_def(graph, name="")
    waiting = sorted({frame_of(node) for node in graph.node if node.op == ENTER})
    while waiting:
        for name in list(waiting):
            loop = take_apart(name, nodes, known)
            region = follow_back(loop.ends, nodes, loop.own)
            inner = {frame_of(nodes[each]) for each in region if nodes[each].op == ENTER}
            if inner & set(waiting):
                continue
            waiting.remove(name)
            if not inner and not any(nodes[each].op.startswith(ARRAYS) for each in region):
                functions += _replace(nodes, loop, functions)
    result = GraphDef(node=nodes.values(), versions=graph.versions)
    result.library.function.extend(functions)
    return result


def frame_of(enter: NodeDef) -> str:
    """Return the name of the loop that a node begins."""
    return str(enter.attr["frame_name"].s, "utf-8")


def take_apart(name: str, nodes: Mapping[str, NodeDef], known: tf.Graph) -> Loop:
    """Return a loop of the nodes, by its name; the graph knows their types."""
    readers: dict[str, list[NodeDef]] = defaultdict(list)
    for node in nodes.values():
        for each in node.input:
            readers[owner(each)].append(node)
    variables, own, condition = list[Variable](), set[str](), ""
    for enter in [node for node in nodes.values() if node.op == ENTER and frame_of(node) == name]:
        given, entered = enter.input[0], f"{enter.name}:0"
        own.add(enter.name)
        if enter.attr["is_constant"].b:
            variables.append(Variable(given, _type(known, enter), entered, entered, entered))
            continue
        (merge,) = (node for node in readers[enter.name] if node.op == "Merge")
        decided = [node for node in readers[merge.name] if node.op == "Switch"]  # decisions in the condition, too
        switch = next((node for node in decided if nodes[owner(node.input[1])].op == DECIDES), None)
        (following,) = (nodes[owner(each)] for each in merge.input if owner(each) != enter.name)
        own |= {merge.name, following.name}
        in_body, exits = f"{merge.name}/unread:0", list[str]()  # as it is where only the condition reads a variable
        if switch:
            in_body, exits = f"{switch.name}:1", [node.name for node in readers[switch.name] if node.op == "Exit"]
            decides = nodes[owner(switch.input[1])]
            own |= {switch.name, decides.name, *exits}
            condition = _numbered(decides.input[0])
        inside = f"{merge.name}:0", in_body, _numbered(following.input[0])
        variables.append(Variable(given, _type(known, enter), *inside, tuple(exits)))
    # tf2onnx takes lists that are read out of a loop, and then no longer finds those that are written behind them
    variables.sort(key=lambda each: skip_copies(each.answer, nodes, own) == each.in_body)
    return Loop(name, variables, condition, own)


def _type(known: tf.Graph, enter: NodeDef) -> tf.TensorSpec:
    """Return the type of what enters a loop, as the graph had it before any loop was raised: one may read another one.

    TensorFlow infers no rank through the operators of loops, which leave it as it is.
    """
    (tensor,) = known.get_operation_by_name(enter.name).inputs
    dtype = tensor.dtype
    while tensor.shape.rank is None and tensor.op.type in PASSING:
        tensor = tensor.op.inputs[0]
    rank = tensor.shape.rank
    return tf.TensorSpec(None if rank is None else [None] * rank, dtype)  # lengths may be others in each turn


def _numbered(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def follow_back(ends: Iterable[str], nodes: Mapping[str, NodeDef], stops: Collection[str]) -> list[str]:
    """Return the names of the nodes that tensors follow from, up to some others."""
    waiting, found = [owner(each) for each in ends], dict[str, None]()
    while waiting:
        name = waiting.pop()
        if name not in found and name not in stops:
            found[name] = None
            waiting += [owner(each) for each in nodes[name].input]
    return list(found)


def skip_copies(tensor: str, nodes: Mapping[str, NodeDef], stops: Collection[str]) -> str:
    """Return the tensor that this one is a copy of: tf2onnx wants to see what is not changed in a loop."""
    while owner(tensor) not in stops and nodes[owner(tensor)].op == "Identity":
        tensor = nodes[owner(tensor)].input[0]
    return _numbered(tensor)


def _replace(nodes: dict[str, NodeDef], loop: Loop, known: Sequence[FunctionDef]) -> list[FunctionDef]:
    """Put a While into the place of a loop, and return its two functions."""
    types = [each.type for each in loop.variables]
    answers = [each.answer for each in loop.variables]
    condition = _make_function(
        [each.in_condition for each in loop.variables], [loop.condition], loop, nodes, known, counts=False
    )
    body = _make_function([each.in_body for each in loop.variables], answers, loop, nodes, known, counts=True)
    turn, most = (make_number(f"{loop.name}_{name}", value) for name, value in (("turn", 0), ("most", -1)))
    made = NodeDef(name=f"{loop.name}_while", op="While")
    made.input.extend([turn.name, most.name, *(each.given for each in loop.variables)])
    made.attr["T"].list.type.extend(each.dtype.as_datatype_enum for each in (COUNTER, COUNTER, *types))
    made.attr["cond"].func.name, made.attr["body"].func.name = condition.signature.name, body.signature.name
    gone = {*follow_back(loop.ends, nodes, loop.own), *loop.own}
    for name in gone:
        del nodes[name]
    nodes.update({each.name: each for each in (turn, most, made)})
    after = {
        f"{last}:0": f"{made.name}:{2 + number}" for number, each in enumerate(loop.variables) for last in each.exits
    }
    read_others(nodes.values(), after, gone)
    return [condition, body]


def make_number(name: str, value: int) -> NodeDef:
    """Return a node that gives a whole number."""
    made = NodeDef(name=name, op="Const")
    made.attr["dtype"].type = COUNTER.dtype.as_datatype_enum
    made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, COUNTER.dtype))
    return made


def _make_function(
    given: Sequence[str],
    ends: Sequence[str],
    loop: Loop,
    nodes: Mapping[str, NodeDef],
    known: Sequence[FunctionDef],
    *,
    counts: bool,
) -> FunctionDef:
    """Return the function from the variables to the condition, or to the variables after a turn, which is counted."""
    ends = [skip_copies(each, nodes, loop.own) for each in ends]
    graph = GraphDef()
    graph.library.function.extend(known)
    for name in follow_back(ends, nodes, loop.own):
        node = graph.node.add()
        node.CopyFrom(nodes[name])  # each is computed once in a turn: none waits for another one that it does not read
        node.input[:] = [skip_copies(each, nodes, loop.own) for each in node.input if not each.startswith("^")]
    read = {_numbered(each) for node in graph.node for each in node.input}

    def run(turn: tf.Tensor, most: tf.Tensor, *tensors: tf.Tensor) -> list[tf.Tensor]:
        at_hand = dict(zip(given, tensors, strict=True))
        wanted = [each for each in ends if each not in at_hand]
        taken = {name: tensor for name, tensor in at_hand.items() if name in read}
        found = iter(tf.import_graph_def(graph, input_map=taken, return_elements=wanted, name=""))
        answers = [at_hand[each] if each in at_hand else next(found) for each in ends]
        return [turn + 1, most, *answers] if counts else answers

    # with names that no function around it has: tf2onnx would take those for these
    place = re.sub(r"\W", "_", f"{loop.name}_{'body' if counts else 'condition'}")
    types = [COUNTER, COUNTER, *(each.type for each in loop.variables)]
    specs = [tf.TensorSpec(each.shape, each.dtype, f"{place}_{number}") for number, each in enumerate(types)]
    made = v1.wrap_function(run, specs)
    function = FunctionDef()
    function.CopyFrom(made.function_def)
    function.signature.name += FROZEN  # TensorFlow knows the other one already, and takes no second one
    return function
