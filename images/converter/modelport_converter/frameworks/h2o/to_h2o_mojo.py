"""A MOJO stays as it is; one that was unpacked is packed."""

import zipfile

from modelport.conversion.base import Options
from modelport.frameworks.h2o import INI, MOJO
from modelport.storage.files import list_tree
from modelport.storage.trees import open_tree
from modelport_converter.tasks import MODEL, HopTask, find_part

FILE = "model.zip"


def convert(task: HopTask, _options: Options) -> None:
    """Copy the archive. Raises ModelportError."""
    path = find_part(open_tree(task.model), MOJO)
    target = task.out / MODEL / FILE
    target.parent.mkdir()
    if path.name != INI:
        target.write_bytes(path.read_bytes())
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(list_tree(path.parent)):
            packed.writestr(zipfile.ZipInfo(name), (path.parent / name).read_bytes(), zipfile.ZIP_DEFLATED)
