"""Keras to an architecture in JSON beside its weights, in HDF5 or in a checkpoint of TensorFlow."""

from modelport.frameworks.tensorflow import WeightsOptions
from modelport_converter.frameworks.tensorflow.writing.keras import write_apart
from modelport_converter.tasks import HopTask


def convert(task: HopTask, options: WeightsOptions) -> None:
    """Write `model.json` and the weights. Raises ModelportError (ConversionFailed)."""
    write_apart(task, in_checkpoint=options.weights == "checkpoint")
