"""Keras to its archive, as `model.save("model.keras")` writes it."""

from modelport.conversion.base import Options
from modelport_converter.frameworks.tensorflow.writing.keras import write_whole
from modelport_converter.tasks import HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write `model.keras`. Raises ModelportError (ConversionFailed)."""
    write_whole(task, "model.keras")
