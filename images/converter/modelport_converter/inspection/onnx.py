"""ONNX: the signature from the graph; external data must lie beside the model."""

from pathlib import Path

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
    _check_external_data(model, path, paths)
    initial = {tensor.name for tensor in model.graph.initializer}
    return Signature(
        inputs=[_tensor(value) for value in model.graph.input if value.name not in initial],
        outputs=[_tensor(value) for value in model.graph.output],
    )


def _check_external_data(model: onnx.ModelProto, path: Path, paths: list[str]) -> None:
    folder = Path(path.name).parent
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key != "location":
                continue
            relative_parts(entry.value)
            wanted = (folder / entry.value).as_posix()
            if not any(each == wanted or each.endswith(f"/{wanted}") for each in paths):
                message = f"{path.name}: expected its external data {entry.value:.100} beside it, found no such file"
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
