"""H2O's files: descriptions are read whole and checked; the scorer tells inputs and outputs, and nothing is run here."""

from pathlib import Path
from typing import NoReturn

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.h2o import MOJO, is_left_out, is_mojo
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.h2o.reading.mojo import read_mojo
from modelport_converter.frameworks.h2o.reading.pojo import read_pojo
from modelport_converter.tasks import find_part


def inspect(folder: Path, paths: list[str], format_name: str) -> None:
    """Check the file. Raises ModelportError (SourceCorrupt, ConversionFailed for other files of H2O's)."""
    tree = FolderTree(folder, tuple(paths))
    path = find_part(tree, format_name)
    name = path.relative_to(folder).as_posix()
    if format_name != MOJO:
        read_pojo(path)
    elif is_mojo(tree, name) or not is_left_out(tree, name):
        read_mojo(path)
    else:
        _refuse(tree, name)


def _refuse(tree: FolderTree, name: str) -> NoReturn:
    found, instead = (
        ("a MOJO of Driverless AI", "a model of H2O-3: Driverless AI's MOJOs need its own licensed runtime")
        if tree.members(name)
        else (
            "the state of a cluster (h2o.saveModel)",
            "what h2o.download_mojo writes, from a cluster of the same version",
        )
    )
    raise ModelportError(Reason.CONVERSION_FAILED, f"{name:.100}: expected a MOJO, found {found}; give {instead}")
