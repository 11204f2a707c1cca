"""Keras models: whole files, and whether opening them would run code that comes with them. Nothing of them is run."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.tensorflow import INDEX
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.tensorflow.keras.architectures import find_code
from modelport_converter.frameworks.tensorflow.keras.files import open_h5, read_architecture, read_keras
from modelport_converter.frameworks.tensorflow.keras.guarding import read_guarded
from modelport_converter.tasks import find_part, has_part

WEIGHTS = "keras-json-weights"
READERS = {"keras": read_keras, "keras-h5": read_keras, WEIGHTS: read_architecture}
"""What reads architectures, in which functions may stand."""


def inspect(folder: Path, paths: list[str], format_name: str) -> None:
    """Check the files; only the model itself tells its signature. Raises ModelportError."""
    tree = FolderTree(folder, tuple(paths))
    part = "architecture" if format_name == WEIGHTS else "model"
    if format_name == WEIGHTS and not has_part(tree, format_name, part):
        path = find_part(tree, format_name, "weights")
        if path.suffix != INDEX:
            read_guarded(_read_weights, path)
        return
    path = find_part(tree, format_name, part)
    if format_name in READERS:
        read_guarded(READERS[format_name], path)
        refuse_code(READERS[format_name](path).config)


def _read_weights(path: Path) -> None:
    with open_h5(path):
        pass


def refuse_code(config: object) -> None:
    """Raise ModelportError (UntrustedSource) with what an architecture would run."""
    code = find_code(config)
    if code:
        message = f"expected layers without code of their own, found {', '.join(code):.300}, which would run"
        raise ModelportError(Reason.UNTRUSTED_SOURCE, message)
