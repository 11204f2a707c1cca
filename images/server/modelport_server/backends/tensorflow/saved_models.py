"""A signature of a SavedModel, asked in a session: no Keras and no optimizer is needed that was saved with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_from_session_graph

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.calls import Infer
from modelport_server.backends.base import How
from modelport_server.backends.tensorflow.sessions import MAX_CONSTANT_BYTES, make_infer, start

v1 = tf.compat.v1
WEIGHTS, VARIABLES = "weights", "variables"
FILE = "saved_model.pb"
SERVING = "serving_default"
INTERNAL = "__saved_model"
"""How signatures begin that are TensorFlow's own."""
STATES = ("HashTable", "LookupTable", "Iterator", "MutableDenseHashTable")
"""In operators with something that a session must initialise, and that is no variable."""


def load_saved_model(path: Path, how: How) -> Infer:
    """Load the model of a `saved_model.pb`, to answer by its signature to serve, or by the only one."""
    session, told = _open(path, how)
    inputs, outputs = ({name: side[name].name for name in sorted(side)} for side in (told.inputs, told.outputs))
    if how.options.get(WEIGHTS) != VARIABLES:
        session = _with_constants(session, list(outputs.values()), how) or session
    return make_infer(session, inputs, outputs)


def _open(path: Path, how: How) -> tuple[Any, Any]:
    """Return a session with the graph, its variables and tables, and the signature."""
    session = start(how)
    with session.graph.as_default():
        meta = v1.saved_model.loader.load(session, _tags(path), str(path.parent))
    signatures = {name: each for name, each in meta.signature_def.items() if not name.startswith(INTERNAL)}
    if SERVING not in signatures and len(signatures) != 1:
        message = f"expected a signature {SERVING}, or one alone, found {', '.join(signatures) or 'none':.200}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message)
    return session, signatures.get(SERVING) or next(iter(signatures.values()))


def _tags(path: Path) -> list[str]:
    """Return the tags of the graph that answers, or of the only one."""
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        message = f"{FILE}: expected a SavedModel, found: {error!s:.200}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
    tags = [list(each.meta_info_def.tags) for each in saved.meta_graphs]
    return tags[0] if len(tags) == 1 else ["serve"]


def _with_constants(session: Any, outputs: Sequence[str], how: How) -> Any | None:
    """Return a session of the same graph with its weights as constants; None where that cannot be."""
    graph = session.graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    if any(each in node.op for node in nodes for each in STATES):
        return None
    try:
        if _weigh(session) > MAX_CONSTANT_BYTES:
            return None
        frozen = convert_variables_to_constants_from_session_graph(
            session, graph, [name.partition(":")[0] for name in outputs]
        )
        return start(how, frozen)
    except Exception as error:  # of no common base: loops, and functions that take variables, it may not see through
        if lacks_memory(error):
            raise
        return None


def _weigh(session: Any) -> int:
    """Return the bytes of a session's variables."""
    variables = session.graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
    return sum(each.shape.num_elements() * each.dtype.size for each in variables)
