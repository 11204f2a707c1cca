"""SavedModels, asked by one of their signatures: whoever wrote them said there what goes in, what comes out, and its names.

A SavedModel is a graph, and parts of it run when it is loaded: what reaches for files or Python is refused before.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
import tf_keras  # noqa: F401  # knows the objects in what Keras 2 wrote
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.graphs.stored import freeze, import_graph, make_graph_model
from modelport_converter.frameworks.tensorflow.model import (
    Model,
    inline_compiled,
    make_model,
    nodes_of,
    pick_signature,
    read_inputs,
    refuse_reaching,
)

v1 = tf.compat.v1
TABLE = "Table"
"""In operators on tables of keys."""
SERVE = "serve"
"""The tag of the graph that answers, beside which TensorFlow 1 may have kept one that trains."""
INTERNAL = "__saved_model"
"""How signatures begin that are TensorFlow's own."""


def load_saved_model(path: Path, given: Sequence[Input], name: str | None) -> Model:
    """Return the model of a signature, or of the only one, in the folder of `saved_model.pb`. Raises ModelportError."""
    saved = _read(path)
    graphs = [each.graph_def for each in saved.meta_graphs]
    refuse_reaching(path.name, (node for graph in graphs for node in nodes_of(graph)))
    meta = _pick_graph(path, saved.meta_graphs)
    if _is_old(meta):
        return _load_old(path, meta, given, name)
    tags = list(meta.meta_info_def.tags) if len(saved.meta_graphs) > 1 else None
    with _told(path), _compiled_inlined(path, saved) as folder:
        loaded = tf.saved_model.load(folder, tags)
    signature = loaded.signatures[pick_signature(loaded.signatures, name)]
    # a signature has no order; TensorFlow's is another one in each process
    specs = dict(sorted(signature.structured_input_signature[1].items()))
    inputs = read_inputs(specs, given)

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        answers: Mapping[str, tf.Tensor] = signature(**dict(zip(specs, tensors, strict=True)))
        return dict(sorted(answers.items()))

    return make_model(inputs, call, signature.variables, loaded)


def _read(path: Path) -> SavedModel:
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        message = f"{path.name}: expected a SavedModel, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return saved


def _pick_graph(path: Path, graphs: Sequence[MetaGraphDef]) -> MetaGraphDef:
    """Return the only graph, or the one that is to be served. Raises ModelportError (SourceCorrupt)."""
    tags = [sorted(each.meta_info_def.tags) for each in graphs]
    served = [graph for graph, found in zip(graphs, tags, strict=True) if found == [SERVE] or len(graphs) == 1]
    if len(served) == 1:
        return served[0]
    told = "; ".join(" and ".join(each) or "no tag" for each in tags) or "none"
    message = f"{path.name}: expected one graph, or one that is tagged {SERVE} alone, found {told:.200}"
    raise ModelportError(Reason.SOURCE_CORRUPT, f"{message}; save the graph to serve by itself")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # files and objects are of many kinds
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a SavedModel with its variables, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


# --- of TensorFlow 1 --------------------------------------------------------------------------------------------------


def _is_old(meta: MetaGraphDef) -> bool:
    """Whether TensorFlow 1 wrote a graph; one with tables is left to what initialises them."""
    return not meta.HasField("object_graph_def") and not any(TABLE in node.op for node in nodes_of(meta.graph_def))


def _load_old(path: Path, meta: MetaGraphDef, given: Sequence[Input], name: str | None) -> Model:
    """Freeze a graph whose variables are no objects, in a session, as TensorFlow 1 would have."""
    signatures = {key: each for key, each in meta.signature_def.items() if not key.startswith(INTERNAL)}
    signature = signatures[pick_signature(signatures, name)]
    inputs, outputs = (
        {key: _tensor_name(key, told) for key, told in sorted(side.items())}
        for side in (signature.inputs, signature.outputs)
    )
    with _told(path):
        tags = list(meta.meta_info_def.tags)
        frozen = freeze(lambda session: v1.saved_model.loader.load(session, tags, str(path.parent)), outputs.values())
    return make_graph_model(import_graph(frozen), inputs, outputs, given)


def _tensor_name(key: str, told: TensorInfo) -> str:
    if told.WhichOneof("encoding") != "name":
        message = f"{key:.100}: expected a dense tensor in the signature, found {told.WhichOneof('encoding')}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return str(told.name)


# --- of TensorFlow 2 --------------------------------------------------------------------------------------------------


@contextmanager
def _compiled_inlined(path: Path, saved: SavedModel) -> Iterator[str]:
    """Give the folder of a SavedModel, or of one like it of which all can be looked into."""
    are_changed = [inline_compiled(each.graph_def) for each in saved.meta_graphs]
    if not any(are_changed):
        yield str(path.parent)
        return
    with tempfile.TemporaryDirectory() as folder:
        for each in path.parent.iterdir():
            (Path(folder) / each.name).symlink_to(each)
        changed = Path(folder) / path.name
        changed.unlink()
        changed.write_bytes(saved.SerializeToString())
        yield folder
