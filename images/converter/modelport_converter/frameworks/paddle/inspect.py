"""Paddle: the signature that the program tells, and whether the weights are those that it names; nothing is run."""

from pathlib import Path

from modelport.api.status import Signature, Tensor
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.paddle.files import read_files
from modelport_converter.frameworks.paddle.lengths import name_lengths
from modelport_converter.frameworks.paddle.reading.program import Value


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature:
    """Return inputs and outputs. Raises ModelportError."""
    program = read_files(FolderTree(folder, tuple(paths)), format_name).program
    return Signature(inputs=_tensors(program.inputs), outputs=_tensors(program.outputs))


def _tensors(values: tuple[Value, ...]) -> list[Tensor]:
    return [Tensor(name=each.name, dtype=each.dtype, shape=name_lengths(each)) for each in values]
