"""DL4J models: configuration and parameters are read whole, and nothing else of the archive."""

from pathlib import Path

from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.dl4j.opening import read_model
from modelport_converter.tasks import find_part


def inspect(folder: Path, paths: list[str], format_name: str) -> None:
    """Check the file; DL4J itself tells the outputs. Raises ModelportError."""
    read_model(find_part(FolderTree(folder, tuple(paths)), format_name))
