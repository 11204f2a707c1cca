"""Sessions of TensorFlow, as its own server has them: with settings of their own, and without any object of Python's.

All sessions of a process compute in the same threads, as many as the first one was given; whoever asks runs the operators
in its own thread, and these are handed what is worth it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import How
from modelport_server.strings import to_bytes, to_string

v1 = tf.compat.v1
OPTIMIZATION = "optimization"
ANY = -1
"""Of nodes that a graph must have to be optimised: else one that only calls a function is left as it is."""
CALLERS = -1
"""Of threads between operators: none, the caller's own runs them."""
ONE_THREAD = "SINGLE_THREADED_EXECUTOR"
"""Runs operators one after the other in an order that it finds once, which takes a tenth of the time of finding it anew."""
MAX_CONSTANT_BYTES = 1 << 30
"""Of weights that become constants of a graph, which is one message of at most 2 GiB."""


def start(how: How, graph: Any = None) -> Any:
    """Return a session, with the nodes of a graph if one is given."""
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
    session = v1.Session(graph=tf.Graph(), config=settings)
    if graph is not None:
        with session.graph.as_default():
            v1.import_graph_def(graph, name="")
    return session


def make_infer(session: Any, inputs: dict[str, str], outputs: dict[str, str]) -> Infer:
    """Return what answers inputs by name with outputs by name, which are given with the tensors that they are."""
    run = _make_callable(session, list(inputs.values()), list(outputs.values()))
    strings = {name for name, tensor in inputs.items() if session.graph.get_tensor_by_name(tensor).dtype == tf.string}

    def infer(given: Tensors) -> Tensors:
        arrays = [_map(to_bytes, given[name]) if name in strings else given[name] for name in inputs]
        return {name: to_array(answer, arrays) for name, answer in zip(outputs, run(*arrays), strict=True)}

    infer.keeps = session  # type: ignore[attr-defined]  # it is closed with the function
    return infer


def _make_callable(session: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Callable[..., list[Any]]:
    """Return what the session runs, from arrays in order to answers in order; `Session.run` takes ten times as long."""
    run: Callable[..., list[Any]] = session._make_callable_from_options(  # noqa: SLF001
        CallableOptions(feed=inputs, fetch=outputs)
    )
    return run


def to_array(answer: Any, given: Sequence[Array]) -> Array:
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
