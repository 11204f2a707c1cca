"""Caffe: the signature that both files together have; nothing in them is run."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.caffe.layers.base import Shape
from modelport_converter.frameworks.caffe.model import open_model


def inspect(folder: Path, paths: list[str], _format_name: str) -> Signature | None:
    """Return inputs and outputs; None where only the user can tell the shapes of inputs. Raises ModelportError."""
    try:
        net = open_model(FolderTree(folder, tuple(paths)), []).net
    except ModelportError as error:
        if error.reason == Reason.INPUTS_NEEDED:
            return None
        raise
    return Signature(inputs=_tensors(net.inputs), outputs=_tensors(net.outputs))


def _tensors(values: dict[str, Shape]) -> list[Tensor]:
    return [Tensor(name=name, dtype="float32", shape=list(shape)) for name, shape in values.items()]
