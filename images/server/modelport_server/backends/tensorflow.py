"""TensorFlow: a signature of a SavedModel, asked in a session, as TensorFlow's own server asks it.

A session has settings of its own, and needs none of the objects of Python's that were saved beside the graph: no Keras,
no optimizer. All sessions of a process compute in the same threads, as many as the first one was given; whoever asks
runs the operators in its own thread, and these are handed what is worth it.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what fails is raised, too
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_from_session_graph

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport.verification.errors import describe_error
from modelport_server.backends.base import DEFAULT, DTYPES, How, LoadOptions, Traits
from modelport_server.strings import to_bytes, to_string

v1 = tf.compat.v1
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # of ways that are old, and that its own server goes

TRAITS = Traits(
    platform="tensorflow_savedmodel",
    takes=DTYPES,
    gives=DTYPES,
    takes_bytes=True,
    is_shared=True,
    keeps_outputs=True,
    writes_inputs=False,
    alignment=0,
)
WEIGHTS, OPTIMIZATION = "weights", "optimization"
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,
    {WEIGHTS: "variables"},  # as they are stored; constants can be folded into what uses them
    {WEIGHTS: "variables", OPTIMIZATION: "none"},
)
FILE = "saved_model.pb"
SERVING = "serving_default"
INTERNAL = "__saved_model"
"""How signatures begin that are TensorFlow's own."""
MAX_CONSTANT_BYTES = 1 << 30
"""Of weights that become constants of a graph, which is one message of at most 2 GiB."""
ANY = -1
"""Of nodes that a graph must have to be optimised: else one that only calls a function is left as it is."""
CALLERS = -1
"""Of threads between operators: none, the caller's own runs them."""
ONE_THREAD = "SINGLE_THREADED_EXECUTOR"
"""Runs operators one after the other in an order that it finds once, which takes a tenth of the time of finding it anew."""
STATES = ("HashTable", "LookupTable", "Iterator", "MutableDenseHashTable")
"""In operators with something that a session must initialise, and that is no variable."""


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the model, to answer by its signature to serve, or by the only one. Raises ModelportError (RuntimeUnsupported)."""
    found = [name for name in files if name.rpartition("/")[2] == FILE]
    if len(found) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one {FILE}, found {', '.join(files):.200}")
    path = folder / found[0]
    try:
        return _load(path, how)
    except Exception as error:  # of no common base
        if isinstance(error, ModelportError) or lacks_memory(error):
            raise
        message = f"TensorFlow does not load the model: {describe_error(error).replace(str(path.parent), '')}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error


def _load(path: Path, how: How) -> Infer:
    session, told = _open(path, how)
    inputs, outputs = ({name: side[name].name for name in sorted(side)} for side in (told.inputs, told.outputs))
    if how.options.get(WEIGHTS) != "variables":
        session = _with_constants(session, list(outputs.values()), how) or session
    run = _make_callable(session, list(inputs.values()), list(outputs.values()))
    taken = {name: each.dtype == tf.string.as_datatype_enum for name, each in told.inputs.items()}

    def infer(given: Tensors) -> Tensors:
        arrays = [_to_bytes(given[name]) if taken[name] else given[name] for name in inputs]
        return {name: _to_array(answer, arrays) for name, answer in zip(outputs, run(*arrays), strict=True)}

    infer.keeps = session  # type: ignore[attr-defined]  # it is closed with the function
    return infer


def _open(path: Path, how: How) -> tuple[Any, Any]:
    """Return a session with the graph, its variables and tables, and the signature."""
    session = _start(how)
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


def _start(how: How, graph: tf.Graph | None = None) -> Any:
    settings = v1.ConfigProto(
        intra_op_parallelism_threads=how.threads,
        inter_op_parallelism_threads=CALLERS,
        use_per_session_threads=True,
    )
    if how.options.get(OPTIMIZATION) == "none":
        settings.graph_options.rewrite_options.disable_meta_optimizer = True
        settings.graph_options.optimizer_options.opt_level = -1
    else:
        settings.experimental.executor_type = ONE_THREAD
        # loops and decisions stay operators, for that executor has none of those that they are made of
        settings.experimental.disable_functional_ops_lowering = True
        settings.graph_options.rewrite_options.min_graph_nodes = ANY
    return v1.Session(graph=graph or tf.Graph(), config=settings)


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
        changed = _start(how)
        with changed.graph.as_default():
            v1.import_graph_def(frozen, name="")
    except Exception as error:  # of no common base: loops, and functions that take variables, it may not see through
        if lacks_memory(error):
            raise
        return None
    return changed


def _weigh(session: Any) -> int:
    """Return the bytes of a session's variables."""
    variables = session.graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
    return sum(each.shape.num_elements() * each.dtype.size for each in variables)


def _make_callable(session: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Callable[..., list[Any]]:
    """Return what the session runs, from arrays in order to answers in order; `Session.run` takes ten times as long."""
    run: Callable[..., list[Any]] = session._make_callable_from_options(  # noqa: SLF001
        CallableOptions(feed=inputs, fetch=outputs)
    )
    return run


def _to_bytes(array: Array) -> Array:
    return _map(to_bytes, array)


def _to_array(answer: Any, given: Sequence[Array]) -> Array:
    """Return an answer as an array of its own: of no axis, it is an element; an input that is passed through is a view."""
    if isinstance(answer, bytes):
        answer = np.array(answer, object)
    array: Array = np.asarray(answer)
    if array.dtype.hasobject:
        return _map(to_string, array)
    return array.copy() if any(np.may_share_memory(array, each) for each in given) else array


def _map(change: Callable[[Any], Any], array: Array) -> Array:
    changed = np.empty(array.size, object)
    changed[:] = [change(each) for each in array.flat]
    return changed.reshape(array.shape)
