"""Toy models are asked by numpy."""

from modelport.api.spec import Input
from modelport.storage.trees import open_tree
from modelport.verification.source.model import Source
from modelport_converter.frameworks.toy.models import read_model
from modelport_converter.tasks import SourceTask, find_part


def open_source(task: SourceTask) -> Source:
    """Return the source model. Raises ModelportError."""
    model = read_model(find_part(open_tree(task.model), task.request.source_format))
    return Source([Input(name=model.input, shape=["batch", len(model.layers[0][0])])], model.run)
