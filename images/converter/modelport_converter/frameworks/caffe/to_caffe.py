"""Caffe to Caffe: the layers that answer, in the words of the dialect that is asked for; weights as they are."""

from modelport.frameworks.caffe import CaffeOptions
from modelport.steps.handover import write_caveats
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.caffe.model import open_model
from modelport_converter.frameworks.caffe.reading.architecture import read_architecture
from modelport_converter.frameworks.caffe.targeting.dialects import restate
from modelport_converter.frameworks.caffe.targeting.layers import ARCHITECTURE, WEIGHTS
from modelport_converter.frameworks.caffe.targeting.proving import tell_verifier
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, options: CaffeOptions) -> None:
    """Write both files. Raises ModelportError (ConversionFailed)."""
    model = open_model(open_tree(task.model), task.request.inputs)
    architecture = read_architecture(model.architecture)
    # what the user says of the inputs is what the file then tells
    inputs: dict[str, tuple[int, ...] | None] = {
        name: tuple(1 if isinstance(each, str) else each for each in shape) for name, shape in model.net.inputs.items()
    }
    folder = task.out / MODEL
    folder.mkdir()
    (folder / ARCHITECTURE).write_text(restate(architecture._replace(inputs=inputs), options.dialect), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(model.weights.read_bytes())
    caveats = tell_verifier(folder, options.dialect, read_reference(task.asked / FILE_NAME))
    write_caveats(task.out, caveats)
