"""Toy models become bytes, by a package that is built from source and with a jar beside it."""

import sys
from pathlib import Path
from zipfile import ZipFile

import docopt

from modelport.conversion.base import Options
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.toy.models import read_model, write_binary
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, _options: Options) -> None:
    """Write the other form."""
    assert docopt.__version__ == "0.6.2"
    with ZipFile(Path(sys.prefix) / "jars" / "slf4j-api-2.0.16.jar") as jar:
        assert jar.testzip() is None
    (task.out / MODEL).mkdir()
    write_binary(read_model(find_part(open_tree(task.model), task.hop.source)), task.out / MODEL / "model.toyb")
