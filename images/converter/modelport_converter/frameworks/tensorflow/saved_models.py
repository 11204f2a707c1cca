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
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.errors import describe_error
from modelport_converter.frameworks.tensorflow.model import (
    Model,
    inline_compiled,
    make_model,
    nodes_of,
    pick_signature,
    read_inputs,
    refuse_reaching,
)


def load_saved_model(path: Path, given: Sequence[Input], name: str | None) -> Model:
    """Return the model of a signature, or of the only one, in the folder of `saved_model.pb`. Raises ModelportError."""
    try:
        with _checked(path) as folder:
            loaded = tf.saved_model.load(folder)
    except ModelportError:
        raise
    except Exception as error:  # files and objects are of many kinds
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a SavedModel with its variables, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    signature = loaded.signatures[pick_signature(loaded.signatures, name)]
    # a signature has no order; TensorFlow's is another one in each process
    specs = dict(sorted(signature.structured_input_signature[1].items()))
    inputs = read_inputs(specs, given)

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        answers: Mapping[str, tf.Tensor] = signature(**dict(zip(specs, tensors, strict=True)))
        return dict(sorted(answers.items()))

    call.keeps = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return make_model(inputs, call, signature.variables)


@contextmanager
def _checked(path: Path) -> Iterator[str]:
    """Give the folder of a SavedModel that reaches for nothing, or one like it of which all can be looked into."""
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        message = f"{path.name}: expected a SavedModel, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    graphs = [each.graph_def for each in saved.meta_graphs]
    refuse_reaching(path.name, (node for graph in graphs for node in nodes_of(graph)))
    are_changed = [inline_compiled(graph) for graph in graphs]
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
