"""Models of tables are asked by the library that trained them."""

from modelport.verification.source.model import Source
from modelport_converter.frameworks.tabular.opening.load import open_table
from modelport_converter.tables.asking import make_source
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    return make_source(open_table(task.request, task.model), task.request.inputs)
