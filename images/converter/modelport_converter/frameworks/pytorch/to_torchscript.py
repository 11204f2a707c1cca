"""PyTorch to TorchScript: a script stays as it is, all else is traced, or captured where a trace would bake something in."""

import torch

from modelport.asking.pytorch.names import FILE
from modelport.conversion.base import Options
from modelport_converter.frameworks.pytorch.exporting.graphs import check_operators, operators_of, to_torchscript
from modelport_converter.frameworks.pytorch.exporting.subjects import make_subject, read_asked, read_names
from modelport_converter.frameworks.pytorch.exporting.telling import naming_packings, tell_doubts
from modelport_converter.frameworks.pytorch.load import open_model
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write the script of the model that was asked. Raises ModelportError (ConversionFailed)."""
    opened = open_model(task.request, task.model, task.code)
    reference = read_asked(task)
    with naming_packings(opened.asker.watch.packings):
        script, exported = to_torchscript(make_subject(task, opened, reference))
    check_operators(operators_of(script))
    tell_doubts(task, opened.loaded, reference, exported)
    (task.out / MODEL).mkdir()
    torch.jit.save(script, task.out / MODEL / "model.pt", _extra_files={FILE: read_names(task).encode()})
