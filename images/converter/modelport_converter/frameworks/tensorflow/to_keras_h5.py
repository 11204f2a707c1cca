"""Keras to HDF5, as `model.save("model.h5")` writes it: architecture, weights, and what it was trained with."""

from modelport.conversion.base import Options
from modelport_converter.frameworks.tensorflow.writing.keras import write_whole
from modelport_converter.tasks import HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write `model.h5`. Raises ModelportError (ConversionFailed)."""
    write_whole(task, "model.h5")
