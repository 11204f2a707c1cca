"""A model of TensorFlow or Keras: loaded strictly, and looked at; ask and the first hop share it."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import FolderTree, open_tree
from modelport_converter.frameworks.tensorflow.graphs.saved_models import load_saved_model
from modelport_converter.frameworks.tensorflow.graphs.stored import load_checkpoint, load_graph
from modelport_converter.frameworks.tensorflow.keras.architectures import find_code
from modelport_converter.frameworks.tensorflow.keras.calling import describe_layer_error
from modelport_converter.frameworks.tensorflow.keras.files import read_architecture, read_keras
from modelport_converter.frameworks.tensorflow.keras.models import load_built, load_keras
from modelport_converter.frameworks.tensorflow.lite.reading import load_tflite
from modelport_converter.frameworks.tensorflow.model import (
    Graph,
    Model,
    find_random,
    refuse_reaching,
    refuse_states,
    trace,
)
from modelport_converter.tasks import HopTask, find_part, has_part

TFLITE = "tflite"
PARTS = {"keras-json-weights": "weights"}
"""The part with the weights, where it is no whole model."""
GRAPHS = {
    "tensorflow-saved-model": load_saved_model,
    "tensorflow-graph": load_graph,
    "tensorflow-checkpoint": load_checkpoint,
}
"""What loads formats that hold a graph."""


class Opened(NamedTuple):
    """A model that answers."""

    model: Model
    graph: Graph | None
    """None where TensorFlow does not make its own graph of it."""
    path: Path
    """Of the file that makes it a model."""
    key: str | None
    """What the user asks for of what is in it."""


_opened: dict[Path, Opened] = {}
"""By the folder of the source: ask and the first hop run one after the other in one process."""


def open_hop(task: HopTask) -> Opened:
    """Return the model that a hop converts: the source, or what the hop before made of it. Raises ModelportError."""
    request = task.request
    if not task.is_first:  # what is said of the source holds for it alone
        request = msgspec.structs.replace(request, source_format=task.hop.source, checkpoint=None, code=None, inputs=[])
    return open_model(request, task.model)


def open_model(request: ConvertRequest, folder: Path) -> Opened:
    """Return the model in a folder, built at most once. Raises ModelportError."""
    if folder not in _opened:
        path = _find_model(open_tree(folder), request.source_format)
        model = load_model(request, folder, seed=0)
        graph = _trace(model) if request.source_format != TFLITE else None
        if graph:
            refuse_reaching(path.name, graph.nodes)
        if graph and not find_random(
            graph.nodes
        ):  # whose state changes with every draw: two answers to one question tell
            refuse_states(graph.nodes)
        _opened[folder] = Opened(model, graph, path, _key_of(request))
    return _opened[folder]


def _trace(model: Model) -> Graph:
    try:
        return trace(model)
    except Exception as error:  # of layers, which raise what they like
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"the model cannot be asked: {describe_layer_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error


def _find_model(tree: FolderTree, format_name: str) -> Path:
    return find_part(tree, format_name, PARTS.get(format_name, "model"))


def _key_of(request: ConvertRequest) -> str | None:
    return request.checkpoint.key if request.checkpoint else None


def load_model(request: ConvertRequest, folder: Path, seed: int) -> Model:
    """Build the model under this seed, and load its weights. Raises ModelportError."""
    tree, name = open_tree(folder), request.source_format
    path = _find_model(tree, name)
    if name == TFLITE:
        return load_tflite(path, request.inputs, _key_of(request))
    if name in GRAPHS:
        return GRAPHS[name](path, request.inputs, _key_of(request))
    if name in PARTS and not has_part(tree, name, "architecture"):
        return load_built(request, path, seed)
    stored = read_architecture(find_part(tree, name, "architecture")) if name in PARTS else read_keras(path)
    code = find_code(stored.config)
    if code and not request.trusted:  # inspect saw none
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"found {', '.join(code):.300}, which would run")
    return load_keras(request, path, stored, seed)
