"""TensorFlow and Keras to TensorFlow Lite, with its built-in operators alone; its own files are copied."""

import shutil

from modelport.conversion.base import Options
from modelport.frameworks.tensorflow import LITE_MODEL, LiteOptions
from modelport.steps.handover import read_signature
from modelport_converter.frameworks.tensorflow.lite.signatures import give_signature
from modelport_converter.frameworks.tensorflow.opening.load import open_hop
from modelport_converter.frameworks.tensorflow.writing.lite import write_lite
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
    precision = options.precision if isinstance(options, LiteOptions) else None
    path.write_bytes(write_lite(opened.model, signature, precision))
