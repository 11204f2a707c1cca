"""MXNet to ONNX: the graph of the symbol, operator by operator."""

from modelport.conversion.base import Options
from modelport.steps.handover import write_caveats
from modelport_converter.frameworks.mxnet.symbols.building import build
from modelport_converter.frameworks.mxnet.symbols.settling import open_settled
from modelport_converter.onnx_graphs.files import write_model
from modelport_converter.tasks import MODEL, HopTask

WIDENED = "computes in float32 what was stored in float16, for which MXNet has no layers on a CPU"


def convert(task: HopTask, _options: Options) -> None:
    """Write the graph. Raises ModelportError (ConversionFailed)."""
    (task.out / MODEL).mkdir()
    settled = open_settled(task.request, task.model)
    caveats = settled.caveats + ([WIDENED] if settled.model.is_widened else [])
    write_caveats(task.out, caveats)
    write_model(build(settled.model, settled.inferred), task.out / MODEL / "model.onnx")
