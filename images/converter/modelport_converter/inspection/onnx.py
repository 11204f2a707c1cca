"""ONNX: the signature from the graph; external data must lie beside the model."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError

from modelport.api import Signature, Tensor
from modelport.contract import ModelportError
from modelport.files import relative_parts
from modelport.reasons import Reason


def inspect(folder: Path, paths: list[str]) -> Signature:
    """Return inputs and outputs of the one ONNX file. Raises ModelportError."""
    models = [path for path in paths if path.endswith(".onnx")] or paths[:1]
    if len(models) != 1:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"expected one *.onnx file, found {', '.join(models):.200}")
    path = folder / models[0]
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        message = f"{models[0]}: expected an ONNX model, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not model.graph.node or not model.opset_import:
        message = f"{models[0]}: expected a graph with nodes and operator sets, found none"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    for tensor in _tensors(model):
        _check_external_data(tensor, models[0], folder, paths)
    initial = {tensor.name for tensor in model.graph.initializer}
    return Signature(
        inputs=[_tensor(value) for value in model.graph.input if value.name not in initial],
        outputs=[_tensor(value) for value in model.graph.output],
    )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Return all tensors, wherever they stand: any may keep its data in another file."""
    graphs = [model.graph]
    yield from chain.from_iterable(_of_nodes(function.node, graphs) for function in model.functions)
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        yield from _of_nodes(graph.node, graphs)


def _of_nodes(nodes: Iterable[onnx.NodeProto], graphs: list[onnx.GraphProto]) -> Iterator[onnx.TensorProto]:
    """Return the tensors of nodes' attributes, and add their graphs, such as the branches of If, to `graphs`."""
    for attribute in chain.from_iterable(node.attribute for node in nodes):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        graphs.extend((*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs))


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


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    except KeyError as error:
        message = f"{value.name:.100}: expected a tensor, found something else; only tensors can be served"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    shape: list[str | int] = [
        axis.dim_value if axis.HasField("dim_value") else (axis.dim_param or f"{value.name}_{index}")
        for index, axis in enumerate(kind.shape.dim)
    ]
    return Tensor(name=value.name, dtype="string" if dtype == "object" else dtype, shape=shape)
