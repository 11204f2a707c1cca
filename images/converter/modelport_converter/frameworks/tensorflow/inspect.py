"""Keras models: whole files, and whether opening them would run code that comes with them. Nothing of them is run."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks.tensorflow import FRAMEWORK
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.tensorflow.keras.architectures import find_code
from modelport_converter.frameworks.tensorflow.keras.files import read_architecture, read_keras
from modelport_converter.frameworks.tensorflow.keras.guarding import read_guarded
from modelport_converter.tasks import find_part

READERS = {"keras": read_keras, "keras-h5": read_keras, "keras-weights": read_architecture}
"""What reads architectures, in which functions may stand."""


def inspect(folder: Path, paths: list[str]) -> None:
    """Check the files; only the model itself tells its signature. Raises ModelportError."""
    tree = FolderTree(folder, tuple(paths))
    found = detect(tree, FRAMEWORK.formats)
    name = found[0].name if found else "keras-h5"
    path = find_part(tree, name, "architecture" if name == "keras-weights" else "model")
    if name in READERS:
        read_guarded(READERS[name], path)
        refuse_code(READERS[name](path).config)


def refuse_code(config: object) -> None:
    """Raise ModelportError (UntrustedSource) with what an architecture would run."""
    code = find_code(config)
    if code:
        message = f"expected layers without code of their own, found {', '.join(code):.300}, which would run"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, message)
