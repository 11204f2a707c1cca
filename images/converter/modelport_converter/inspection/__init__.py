"""What is in a model file, without running anything of it: one file per framework."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from modelport.api import Signature

Inspect = Callable[[Path, list[str]], Signature | None]

MODULES = {"onnx": "onnx", "pytorch-state-dict": "pytorch"}
"""Formats, as `modelport.formats` names them, and their modules here."""


def inspect_model(format_name: str, folder: Path, paths: list[str]) -> Signature | None:
    """Return the signature, where the format tells.

    Raises ModelportError (SourceCorrupt, UnsafeSource) for files that are not what the format says, or would run code.
    """
    inspect: Inspect = import_module(f"{__name__}.{MODULES[format_name]}").inspect
    return inspect(folder, paths)
