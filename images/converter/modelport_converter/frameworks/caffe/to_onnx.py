"""Caffe to ONNX: layer by layer, with the lengths that rounding comes to in Caffe."""

from modelport.conversion.base import Options
from modelport.steps.handover import write_caveats
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.caffe.model import open_model
from modelport_converter.frameworks.caffe.writing.model import write_net
from modelport_converter.onnx_graphs.files import write_model
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write the graph. Raises ModelportError."""
    net = open_model(open_tree(task.model), task.request.inputs).net
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    write_model(write_net(net), path)
    caveats = []
    if net.unused:
        left = ", ".join(net.unused)
        caveats.append(f"weights of layers that the prototxt does not have were left out, as Caffe does: {left:.200}")
    if net.ended:
        left = ", ".join(net.ended)
        caveats.append(f"layers that compare with labels were left out, so outputs are what they took: {left:.200}")
    write_caveats(task.out, caveats)
