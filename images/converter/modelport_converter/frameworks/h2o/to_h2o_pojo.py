"""A POJO stays as it is: source that the server compiles in memory."""

from modelport.conversion.base import Options
from modelport.frameworks.h2o import POJO
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.h2o.reading.pojo import read_pojo
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, _options: Options) -> None:
    """Copy the source. Raises ModelportError."""
    path = find_part(open_tree(task.model), POJO)
    target = task.out / MODEL / path.name
    target.parent.mkdir()
    target.write_bytes(read_pojo(path))
