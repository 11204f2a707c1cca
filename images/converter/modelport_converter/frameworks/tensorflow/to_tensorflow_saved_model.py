"""TensorFlow and Keras to a SavedModel: the graph that was traced and its weights, under the names of its signature.

A SavedModel that is served as it is, is copied. Else it has no objects of Keras, no optimizer and no other function than
the one that answers, so that it loads wherever TensorFlow is.
"""

from modelport.conversion.base import Options
from modelport.steps.handover import read_signature
from modelport_converter.frameworks.tensorflow.opening.load import open_hop
from modelport_converter.frameworks.tensorflow.writing.copying import copy_saved_model
from modelport_converter.frameworks.tensorflow.writing.saving import save_model
from modelport_converter.tasks import MODEL, HopTask

SAVED_MODEL = "tensorflow-saved-model"


def convert(task: HopTask, _options: Options) -> None:
    """Write the SavedModel. Raises ModelportError (ConversionFailed)."""
    opened, signature, folder = open_hop(task), read_signature(task.asked), task.out / MODEL
    if task.hop.source != SAVED_MODEL or not copy_saved_model(opened.path, signature, folder):
        save_model(opened.model, signature, folder)
