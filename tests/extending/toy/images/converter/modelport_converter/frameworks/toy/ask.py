"""Toy models are asked by numpy."""

from modelport.api.spec import Input
from modelport.verification.source.model import Source
from modelport_converter.frameworks.toy.models import SUFFIXES, read_model
from modelport_converter.tasks import SourceTask, the_one_file


def open_source(task: SourceTask) -> Source:
    """Return the source model. Raises ModelportError."""
    model = read_model(the_one_file(task.model, SUFFIXES))
    return Source([Input(name=model.input, shape=["batch", len(model.layers[0][0])])], model.run)
