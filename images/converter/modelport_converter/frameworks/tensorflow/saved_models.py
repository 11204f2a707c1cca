"""SavedModels, asked by one of their signatures: whoever wrote them said there what goes in, what comes out, and its names.

A SavedModel is a graph, and parts of it run when it is loaded: what reaches for files or Python is refused before.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras  # noqa: F401  # knows the objects in what Keras 2 wrote
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.errors import describe_error
from modelport_converter.frameworks.tensorflow.model import Model, read_inputs, refuse_reaching

SERVING = "serving_default"


def load_saved_model(path: Path, given: Sequence[Input], name: str | None) -> Model:
    """Return the model of a signature, or of the only one, in the folder of `saved_model.pb`. Raises ModelportError."""
    _refuse_reaching(path)
    try:
        loaded = tf.saved_model.load(str(path.parent))
    except Exception as error:  # files and objects are of many kinds
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a SavedModel with its variables, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    signature = _pick(loaded.signatures, name)
    # a signature has no order; TensorFlow's is another one in each process
    specs = dict(sorted(signature.structured_input_signature[1].items()))
    inputs = read_inputs(specs, given)

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        answers: Mapping[str, tf.Tensor] = signature(**dict(zip(specs, tensors, strict=True)))
        return dict(sorted(answers.items()))

    call.keeps = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return Model(inputs, call, signature.variables)


def _refuse_reaching(path: Path) -> None:
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        message = f"{path.name}: expected a SavedModel, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    refuse_reaching(path.name, [each.graph_def for each in saved.meta_graphs])


def _pick(signatures: Mapping[str, Any], name: str | None) -> Any:
    wanted = name or (SERVING if SERVING in signatures or len(signatures) != 1 else next(iter(signatures)))
    if wanted in signatures:
        return signatures[wanted]
    if not signatures:
        message = "expected a signature, which tells inputs and outputs, found none; save it with signatures="
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    message = (
        f"spec.source.checkpoint.key: expected a signature, one of {', '.join(signatures):.200}; found {wanted:.60}"
    )
    raise ModelportError(Reason.INVALID_SPEC, message)
