"""ONNX: the signature from the graph; external data must lie beside the model."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError
from modelport.storage.files import relative_parts
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.onnx.values import describe, take_probabilities
from modelport_converter.onnx_graphs.graphs import nodes_of, tensors_of
from modelport_converter.tasks import find_part


def inspect(folder: Path, paths: list[str], format_name: str) -> Signature:
    """Return inputs and outputs of the one ONNX file. Raises ModelportError."""
    path = find_part(FolderTree(folder, tuple(paths)), format_name)
    name = path.relative_to(folder).as_posix()
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        message = f"{name}: expected an ONNX model, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not model.graph.output or not model.opset_import:
        message = f"{name}: expected a graph with outputs and operator sets, found none"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    if not all(isinstance(each, str) for each in _names_of(model)):
        raise ModelportError(Reason.SOURCE_CORRUPT, f"{name}: expected names that are text, found bytes that are none")
    for tensor in tensors_of(model):
        _check_external_data(tensor, name, folder, paths)
    take_probabilities(model)
    return describe(model)


def _names_of(model: onnx.ModelProto) -> Iterator[object]:
    """Return the texts that a graph is told by; protobuf gives bytes where they are none."""
    graph = model.graph
    yield from (each.domain for each in model.opset_import)
    for value in (*graph.input, *graph.output):
        yield from (value.name, *(each.dim_param for each in value.type.tensor_type.shape.dim))
    for tensor in tensors_of(model):
        yield from (tensor.name, *chain.from_iterable((each.key, each.value) for each in tensor.external_data))
    for node in nodes_of(model):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)


def _check_external_data(tensor: onnx.TensorProto, model: str, folder: Path, paths: list[str]) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if "location" not in entries:
        return
    wanted = PurePosixPath(model).parent.joinpath(*relative_parts(entries["location"])).as_posix()
    if wanted not in paths:
        message = f"{model:.100}: expected its external data {wanted:.200} beside it, found no such file"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    try:
        end = int(entries.get("offset", "0")) + int(entries.get("length", "0"))
    except ValueError as error:
        message = f"{model:.100}: expected offset and length of external data as numbers, found: {error!s:.100}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    size = (folder / wanted).stat().st_size
    if end > size:
        message = f"{wanted:.200}: expected at least {end} bytes of external data, found {size}; the file is truncated"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
