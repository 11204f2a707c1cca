"""TensorFlow and Keras to TensorFlow Lite, with its built-in operators alone; its own files are copied."""

import shutil

from modelport.api.spec import FIELDS
from modelport.conversion.base import Options
from modelport.conversion.shapes import fix_shapes
from modelport.frameworks.tensorflow import LITE_MODEL, LiteOptions
from modelport.steps.handover import read_signature
from modelport.verification.arrays import Tensors
from modelport.verification.source.data import read_data
from modelport_converter.frameworks.tensorflow.lite.signatures import give_signature
from modelport_converter.frameworks.tensorflow.opening.load import Opened, open_hop
from modelport_converter.frameworks.tensorflow.writing.lite import Reduction, write_lite
from modelport_converter.tasks import MODEL, HopTask

FILE = "model.tflite"


def convert(task: HopTask, options: Options) -> None:
    """Write the flatbuffer. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    opened, signature, path = open_hop(task), read_signature(task.asked), task.out / MODEL / FILE
    path.parent.mkdir()
    if task.hop.source == LITE_MODEL:
        shutil.copyfile(opened.path, path)
        give_signature(path, opened.key)
        return
    reduction = (
        Reduction(options.precision, _calibrate(task, opened)) if isinstance(options, LiteOptions) else Reduction()
    )
    path.write_bytes(write_lite(opened.model, signature, reduction))


def _calibrate(task: HopTask, opened: Opened) -> list[Tensors]:
    """Return the samples by whose ranges numbers are rounded. Raises ModelportError."""
    if task.calibration is None:
        return []
    inputs = fix_shapes(opened.model.inputs, task.request.shapes)
    return list(read_data(task.calibration, inputs, task.request.dimensions, FIELDS["calibration"]))
