"""A model of TensorFlow or Keras: loaded strictly, and looked at; ask and the first hop share it."""

from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.tensorflow.keras.architectures import find_code
from modelport_converter.frameworks.tensorflow.keras.files import read_architecture, read_keras
from modelport_converter.frameworks.tensorflow.keras.models import describe_layer_error, load_keras
from modelport_converter.frameworks.tensorflow.model import Graph, Model, find_random, refuse_states, trace
from modelport_converter.frameworks.tensorflow.saved_models import load_saved_model
from modelport_converter.tasks import find_part


class Opened(NamedTuple):
    """A model that answers."""

    model: Model
    graph: Graph


_opened: dict[Path, Opened] = {}
"""By the folder of the source: ask and the first hop run one after the other in one process."""


def open_model(request: ConvertRequest, folder: Path) -> Opened:
    """Return the model in a folder, built at most once. Raises ModelportError."""
    if folder not in _opened:
        model = load_model(request, folder, seed=0)
        graph = _trace(model)
        if not find_random(graph.nodes):  # whose state changes with every draw: two answers to one question tell
            refuse_states(graph.nodes)
        _opened[folder] = Opened(model, graph)
    return _opened[folder]


def _trace(model: Model) -> Graph:
    try:
        return trace(model)
    except Exception as error:  # of layers, which raise what they like
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"the model cannot be asked: {describe_layer_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error


def load_model(request: ConvertRequest, folder: Path, seed: int) -> Model:
    """Build the model under this seed, and load its weights. Raises ModelportError."""
    tree, name = open_tree(folder), request.source_format
    if name == "tensorflow-saved-model":
        return load_saved_model(
            find_part(tree, name), request.inputs, request.checkpoint.key if request.checkpoint else None
        )
    parts = ("architecture", "weights") if name == "keras-weights" else ("model", "model")
    architecture, weights = (find_part(tree, name, part) for part in parts)
    stored = read_keras(architecture) if architecture == weights else read_architecture(architecture)
    code = find_code(stored.config)
    if code and not request.trusted:  # inspect saw none
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"found {', '.join(code):.300}, which would run")
    return load_keras(weights, stored, request.inputs, is_trusted=request.trusted, seed=seed)
