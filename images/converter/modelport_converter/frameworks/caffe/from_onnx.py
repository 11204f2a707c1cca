"""ONNX to Caffe: layer by layer, in the dialect that OpenCV reads or in BVLC's; every length of the answer is as ONNX has it."""

from modelport.frameworks.caffe import CaffeOptions
from modelport.steps.handover import read_signature, write_caveats
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.caffe.targeting.converting import convert_model
from modelport_converter.frameworks.caffe.targeting.layers import write_files
from modelport_converter.frameworks.caffe.targeting.proving import tell_verifier
from modelport_converter.onnx_graphs.files import load_whole
from modelport_converter.tasks import MODEL, HopTask, find_part

LOGGER = "caffe"


def convert(task: HopTask, options: CaffeOptions) -> None:
    """Write both files. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    reference = read_reference(task.asked / FILE_NAME)
    model = load_whole(find_part(open_tree(task.model), "onnx"))
    net = convert_model(model, read_signature(task.asked), reference, options.dialect)
    write_files(net, task.out / MODEL)
    say(LOGGER, f"{len(net.layers)} layers for Caffe as {options.dialect} has it")
    caveats = tell_verifier(task.out / MODEL, options.dialect, reference)
    write_caveats(task.out, caveats)
