"""What a hop turns into a graph of PyTorch's own, and what it leaves."""

from modelport.asking.pytorch.names import Names
from modelport.frameworks import FORMATS
from modelport.steps.handover import read_signature
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport_converter.frameworks.pytorch.exporting.base import pick_example
from modelport_converter.frameworks.pytorch.exporting.doubts import find_looks
from modelport_converter.frameworks.pytorch.exporting.graphs import Subject
from modelport_converter.frameworks.pytorch.load import Opened
from modelport_converter.tasks import HopTask


def make_subject(task: HopTask, opened: Opened, reference: Reference) -> Subject:
    """Return the model that was asked, as it was asked."""
    # a graph has control flow of its own: what looks at values there is no Python
    is_graph = FORMATS[task.request.source_format].holds_graph
    return Subject(
        opened.loaded.model,
        pick_example(reference, opened.loaded.inputs),
        read_signature(task.asked).inputs,
        task.code,
        opened.loaded.captured,
        opened.loaded.is_traceable,
        is_doubtful=not is_graph and bool(find_looks(opened.asker.watch.looks)),
    )


def read_asked(task: HopTask) -> Reference:
    """Return what the source was asked, and its answers."""
    return read_reference(task.asked / FILE_NAME)


def read_names(task: HopTask) -> Names:
    """Return the names that the artifact tells."""
    signature = read_signature(task.asked)
    return Names([each.name for each in signature.inputs], [each.name for each in signature.outputs])
