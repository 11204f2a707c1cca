"""A generated module stays as it is: its code and its weights, once more after they were loaded."""

from modelport.api.reasons import Reason
from modelport.asking.pytorch.modules import CODE, STATE
from modelport.asking.pytorch.names import FILE
from modelport.conversion.base import Options
from modelport.errors import ModelportError
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.exporting.subjects import read_names
from modelport_converter.frameworks.pytorch.load import open_model
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, _options: Options) -> None:
    """Copy code and weights. Raises ModelportError (ConversionFailed)."""
    path = find_part(open_tree(task.model), "pytorch-module")
    if path.name != CODE:
        message = f"expected a module whose code is beside its weights ({CODE}), found {path.name}, saved whole, whose class the server has not; convert it to torchscript or pytorch-export"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    open_model(task.request, task.model, task.code)
    folder = task.out / MODEL
    folder.mkdir()
    for name in (CODE, STATE):
        (folder / name).write_bytes(path.with_name(name).read_bytes())
    (folder / FILE).write_text(read_names(task).encode(), encoding="utf-8")
