"""PyTorch to a program of torch.export; a program stays as it is."""

from modelport.conversion.base import Options
from modelport_converter.frameworks.pytorch.exporting.graphs import save_program, to_program
from modelport_converter.frameworks.pytorch.exporting.subjects import make_subject, read_asked, read_names
from modelport_converter.frameworks.pytorch.exporting.telling import naming_packings, tell_doubts
from modelport_converter.frameworks.pytorch.load import open_model
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write the program of the model that was asked. Raises ModelportError (ConversionFailed)."""
    opened = open_model(task.request, task.model, task.code)
    reference = read_asked(task)
    with naming_packings(opened.asker.watch.packings):
        program, exported = to_program(make_subject(task, opened, reference))
    tell_doubts(task, opened.loaded, reference, exported)
    save_program(program, read_names(task), task.out / MODEL)
