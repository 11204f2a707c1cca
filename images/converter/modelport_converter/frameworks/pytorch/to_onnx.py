"""PyTorch to ONNX, by PyTorch's exporters."""

from modelport.conversion.onnx_options import OnnxOptions
from modelport.frameworks import FORMATS
from modelport.steps.handover import read_signature
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.pytorch.exporting.base import Flattened, pick_example
from modelport_converter.frameworks.pytorch.exporting.doubts import is_check
from modelport_converter.frameworks.pytorch.exporting.onnx_files import Export, export_model, warm_up
from modelport_converter.frameworks.pytorch.exporting.telling import naming_packings, tell_doubts
from modelport_converter.frameworks.pytorch.load import open_model
from modelport_converter.onnx_graphs.files import finish_model
from modelport_converter.tasks import MODEL, HopTask

__all__ = ["convert", "warm_up"]
DEFAULT_OPSET = 17


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Export the model that was asked. Raises ModelportError (ConversionFailed)."""
    opened = open_model(task.request, task.model, task.code)
    model, inputs, *_ = opened.loaded
    reference = read_reference(task.asked / FILE_NAME)
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    export = Export(
        Flattened(model, inputs),
        pick_example(reference, inputs),
        inputs,
        read_signature(task.asked).outputs,
        options.opset or DEFAULT_OPSET,
        path,
        task.code,
        opened.loaded.captured,
        opened.loaded.is_traceable,
    )
    watch = opened.asker.watch
    # a graph has control flow of its own: what looks at values there is no Python
    is_graph = FORMATS[task.request.source_format].holds_graph
    looks = [place for place in watch.looks if not (is_graph or is_check(place.file, place.line))]
    with naming_packings(watch.packings):
        exported = export_model(
            export, is_other=bool(task.hop.by), is_doubtful=bool(looks), is_asked=options.opset is not None
        )
    tell_doubts(task, opened.loaded, reference, exported)
    finish_model(path, simplify=options.simplify, precision=options.precision)
