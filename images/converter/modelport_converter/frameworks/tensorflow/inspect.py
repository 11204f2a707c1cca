"""Keras models: whole files, and whether opening them would run code that comes with them. Nothing of them is run."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks.tensorflow import FRAMEWORK
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.tensorflow.keras.architectures import find_code
from modelport_converter.frameworks.tensorflow.keras.files import read_architecture, read_keras
from modelport_converter.tasks import find_part

KERAS = ("keras", "keras-h5")


def inspect(folder: Path, paths: list[str]) -> None:
    """Check the files; only the model itself tells its signature. Raises ModelportError."""
    tree = FolderTree(folder, tuple(paths))
    found = detect(tree, FRAMEWORK.formats)
    format_name = found[0].name if found else "keras-h5"
    if format_name == "keras-weights":
        refuse_code(read_architecture(find_part(tree, format_name, "architecture")).config)
    elif format_name in KERAS:
        refuse_code(read_keras(find_part(tree, format_name)).config)


def refuse_code(config: object) -> None:
    """Raise ModelportError (UntrustedSource) with what an architecture would run."""
    code = find_code(config)
    if code:
        message = f"expected layers without code of their own, found {', '.join(code):.300}, which would run"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, message)
