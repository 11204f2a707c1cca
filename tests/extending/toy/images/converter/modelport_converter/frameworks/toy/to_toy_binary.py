"""Toy models become bytes."""

from modelport.conversion.base import Options
from modelport_converter.frameworks.toy.models import SUFFIXES, read_model, write_binary
from modelport_converter.tasks import MODEL, HopTask, the_one_file


def convert(task: HopTask, _options: Options) -> None:
    """Write the other form."""
    (task.out / MODEL).mkdir()
    write_binary(read_model(the_one_file(task.model, SUFFIXES)), task.out / MODEL / "model.toyb")
