"""Graphs of TensorFlow 1 with their weights: frozen into constants, or in a checkpoint beside the graph.

Such a graph says what goes in (placeholders; those with a value keep it, unless the user states them as inputs), and not
what comes out: nodes that follow from an input and that no other one reads, unless the user names some.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.frameworks.tensorflow import META
from modelport_converter.frameworks.tensorflow.model import (
    WRITING,
    Model,
    inline_compiled,
    make_model,
    nodes_of,
    read_inputs,
    refuse_reaching,
    refuse_states,
)

v1 = tf.compat.v1
PLACEHOLDERS = {"Placeholder", "PlaceholderV2"}
WITH_VALUE = "PlaceholderWithDefault"
SILENT = PLACEHOLDERS | {WITH_VALUE, "Assert", "Const", "NoOp"}
"""Operators whose results are no answer."""
SUMMARY = "Summary"
"""In operators that write a log."""
SWITCH = "Switch"
"""Operator that begins the branches of a decision, of which one may have no reader."""
EXIT = "Exit"
"""Operator of loops that gives one of their variables, whether it is read or not."""
VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
GRADIENTS = "gradients"
"""The scope that TensorFlow 1 gives to what it derives for an optimizer."""
SHAPES = "_output_shapes"
"""Attribute with shapes as an older TensorFlow inferred them, which today's refuses where it infers others."""
MAX_NAMES = 5
TRAINING = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply")
"""How operators of optimizers begin: the graph has losses among its ends."""


def load_graph(path: Path, given: Sequence[Input], outputs: str | None) -> Model:
    """Return the model of a frozen graph. Raises ModelportError."""
    graph = GraphDef()
    _parse(graph, path)
    held = [node.name for node in graph.node if node.op in VARIABLES]
    if held:
        message = f"{path.name}: expected a frozen graph, found variables without values: {', '.join(held):.200}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, f"{message}; freeze it, or give its .meta and checkpoint")
    return _load(graph, _pick_outputs(graph, outputs), given)


def load_checkpoint(meta: Path, given: Sequence[Input], outputs: str | None) -> Model:
    """Return the model of a graph in a .meta file, with the weights of the checkpoint beside it. Raises ModelportError."""
    content = MetaGraphDef()
    _parse(content, meta)
    saver = content.saver_def.save_tensor_name.partition("/")[0]
    if saver:
        kept = [node for node in content.graph_def.node if node.name.partition("/")[0] != saver]
    else:
        kept = list(content.graph_def.node)
    graph = GraphDef(node=kept, versions=content.graph_def.versions, library=content.graph_def.library)
    ends = _pick_outputs(graph, outputs)
    refuse_reaching(meta.name, nodes_of(content.graph_def))

    prefix = str(meta).removesuffix(META)  # which may end in no name: `folder/.meta`

    def restore(session: tf.compat.v1.Session) -> None:
        v1.train.import_meta_graph(content, clear_devices=True).restore(session, prefix)

    try:
        frozen = freeze(restore, ends)
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        message = f"{meta.name}: expected a checkpoint with every weight of the graph: {describe_error(error)}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message) from error
    return _load(frozen, ends, given)


def freeze(restore: Callable[[tf.compat.v1.Session], object], ends: Iterable[str]) -> GraphDef:
    """Return the graph that a function restores, as far as tensors need it, with its weights as constants."""
    with tf.Graph().as_default(), v1.Session() as session:
        restore(session)
        names = [end.partition(":")[0] for end in ends]
        frozen: GraphDef = v1.graph_util.convert_variables_to_constants(session, session.graph_def, names)
        return frozen


def make_graph_model(
    whole: Any, inputs: Mapping[str, str], outputs: Mapping[str, str], given: Sequence[Input]
) -> Model:
    """Return the model that an imported graph is from some of its tensors to others. Raises ModelportError."""
    with _taken():
        asked = {name: whole.graph.get_tensor_by_name(tensor) for name, tensor in inputs.items()}
        answers = {name: whole.graph.get_tensor_by_name(tensor) for name, tensor in outputs.items()}
        used = whole.prune(list(asked.values()), list(answers.values()))
    specs = {name: tf.TensorSpec(each.shape, each.dtype) for name, each in asked.items()}

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return dict(zip(answers, used(*tensors), strict=True))

    return make_model(read_inputs(specs, given), call, ())


def import_graph(graph: GraphDef) -> Any:
    """Return a function without inputs that holds a graph of constants. Raises ModelportError."""
    refuse_reaching("graph", nodes_of(graph))
    refuse_states(
        list(nodes_of(graph))
    )  # whose variables are constants here, which TensorFlow takes for a broken graph
    inline_compiled(graph)
    with _taken():
        return v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])


@contextmanager
def _taken() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        message = f"expected a graph that TensorFlow takes, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _parse(message: GraphDef | MetaGraphDef, path: Path) -> None:
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError as error:
        told = f"{path.name}: expected a {type(message).__name__}, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, told) from error
    for node in (message.graph_def if isinstance(message, MetaGraphDef) else message).node:
        node.attr.pop(SHAPES, None)


def _pick_outputs(graph: GraphDef, given: str | None) -> list[str]:
    """Return the tensors that the user names, or the nodes that no other one reads."""
    known = {node.name for node in graph.node}
    if given:
        ends = [each.strip() for each in given.split(",")]
        unknown = [each for each in ends if each.partition(":")[0] not in known]
        if not unknown:
            return ends
        message = f"spec.source.checkpoint.key: the graph has no {', '.join(unknown):.200}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    trained = next((node.name for node in graph.node if node.op.startswith(TRAINING)), None)
    followed = _follow(graph)
    unread = [name for name, readers in followed.items() if not readers]
    exits = {node.name for node in graph.node if node.op == EXIT}
    ends = [name for name in unread if name not in exits] or unread
    if trained:
        others = _find_ends(graph, followed)
        told = f"; besides that it ends in {', '.join(others[:MAX_NAMES]):.250}" if others else ""
        message = "spec.source.checkpoint.key: expected the names of the outputs, because the graph has"
        raise ModelportError(Reason.INVALID_SPEC, f"{message} {trained:.60}, which trains it{told}")
    if not ends:
        message = "expected a graph with placeholders, and outputs that follow from them, found none"
        raise ModelportError(
            Reason.CONVERSION_FAILED, f"{message}; store the graph that is asked, not the one that trains"
        )
    return ends


def _find_ends(graph: GraphDef, followed: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the nodes that nothing reads but what trains: answers, and losses."""
    operators = {node.name: node.op for node in graph.node}
    decisions = {
        node.name for node in graph.node if node.op == SWITCH or node.attr["T"].type == tf.bool.as_datatype_enum
    }

    def trains(name: str) -> bool:
        return GRADIENTS in name.split("/") or operators[name].startswith(TRAINING)

    return [
        name
        for name, readers in followed.items()
        if name not in decisions and not trains(name) and all(trains(reader) for reader in readers)
    ]


def _follow(graph: GraphDef) -> dict[str, list[str]]:
    """Return the nodes that follow from an input, those that log or write left out, each with what reads it."""
    readers: dict[str, list[str]] = defaultdict(list)
    for node in graph.node:
        for each in node.input:
            readers[each.lstrip("^").partition(":")[0]].append(node.name)
    operators = {node.name: node.op for node in graph.node}
    waiting = [name for name, operator in operators.items() if operator in PLACEHOLDERS]
    found: dict[str, list[str]] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = readers[name]
            waiting += readers[name]
    return {
        node.name: found[node.name]
        for node in graph.node
        if node.name in found and node.op not in SILENT and SUMMARY not in node.op and not WRITING.match(node.op)
    }


def _load(graph: GraphDef, outputs: Sequence[str], given: Sequence[Input]) -> Model:
    """Return the model from the placeholders of a graph to its outputs."""
    whole = import_graph(graph)
    with _taken():
        ends = [tensor for name in outputs for tensor in _tensors(whole.graph, name)]
    reached, said = _reach(ends), {each.name for each in given}  # loops leave placeholders behind that nothing needs
    inputs = {
        operation.name: operation.outputs[0].name
        for operation in whole.graph.get_operations()
        if (operation.type in PLACEHOLDERS and operation.name in reached | said)
        or (operation.type == WITH_VALUE and operation.name in said)
    }
    answers = {each.name.removesuffix(":0").replace(":", "_"): each.name for each in ends}
    return make_graph_model(whole, inputs, answers, given)


def _reach(ends: Sequence[tf.Tensor]) -> set[str]:
    """Return the names of the operations that tensors follow from."""
    waiting, found = [each.op for each in ends], set[str]()
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found.add(operation.name)
            waiting += [*(each.op for each in operation.inputs), *operation.control_inputs]
    return found


def _tensors(graph: tf.Graph, name: str) -> list[tf.Tensor]:
    return [graph.get_tensor_by_name(name)] if ":" in name else list(graph.get_operation_by_name(name).outputs)
