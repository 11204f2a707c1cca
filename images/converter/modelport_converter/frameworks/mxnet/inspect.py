"""What the files are, by the package of their format."""

import importlib
from pathlib import Path

from modelport.api.status import Signature
from modelport_converter.frameworks.mxnet import PACKAGES


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature | None:
    """Check the files, and return the signature where they tell. Raises ModelportError."""
    module = importlib.import_module(f"{__package__}.{PACKAGES[format_name]}.inspect")
    found: Signature | None = module.inspect(folder, paths, format_name)
    return found
