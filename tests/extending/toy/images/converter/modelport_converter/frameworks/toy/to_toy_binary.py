"""Toy models become bytes."""

from modelport.conversion.base import Options
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.toy.models import read_model, write_binary
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, _options: Options) -> None:
    """Write the other form."""
    (task.out / MODEL).mkdir()
    write_binary(read_model(find_part(open_tree(task.model), task.hop.source)), task.out / MODEL / "model.toyb")
