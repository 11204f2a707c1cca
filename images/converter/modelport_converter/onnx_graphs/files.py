"""ONNX files as they leave a hop.

One file, weights beside it only where protobuf's limit demands, and an IR version that older readers know.
"""

from pathlib import Path

import onnx
import onnx.inliner
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from modelport.api.reasons import Reason
from modelport.conversion.onnx_options import Precision
from modelport.errors import ModelportError
from modelport_converter.onnx_graphs.graphs import tensors_of
from modelport_converter.onnx_graphs.precision import compute_in_float32
from modelport_converter.tasks import last_line

MAX_IR_VERSION = 10
"""onnx writes the newest; runtimes that are a year old refuse it."""
MAX_FILE_BYTES = 1_900_000_000
"""Protobuf refuses messages of 2 GiB."""
DATA_SUFFIX = ".data"


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the default operator set."""
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)


def read_opset(path: Path) -> int:
    """Return the version of the default operator set of a file."""
    return opset_of(onnx.load(str(path), load_external_data=False))


def size_of(model: onnx.ModelProto) -> int:
    """Return the number of bytes of the weights inside a model."""
    return sum(len(tensor.raw_data) for tensor in tensors_of(model))


def load_whole(path: Path) -> onnx.ModelProto:
    """Return the model with all that lies in other files, wherever in the graph it belongs."""
    model = onnx.load(str(path), load_external_data=False)
    for tensor in tensors_of(model):
        if uses_external_data(tensor):
            load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return model


def finish_model(path: Path, *, simplify: bool, precision: Precision | None = None) -> None:
    """Bring the file that an exporter wrote into the form of an artifact, rewriting it only where it must change."""
    model = onnx.load(str(path), load_external_data=False)
    is_scattered = len(list(path.parent.iterdir())) > 1
    if model.ir_version <= MAX_IR_VERSION and not simplify and not is_scattered and precision is None:
        return
    model = load_whole(path)
    for file in path.parent.iterdir():
        file.unlink()
    if precision:
        compute_in_float32(model)
    write_model(simplified(model) if simplify else model, path)


def write_model(model: onnx.ModelProto, path: Path) -> None:
    """Write a model that has all its weights inside."""
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    if size_of(model) > MAX_FILE_BYTES:
        onnx.save_model(
            model,
            str(path),
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location=path.name + DATA_SUFFIX,
            convert_attribute=True,  # of Constant nodes, too
        )
    else:
        onnx.save_model(model, str(path))


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants folded and without what has no effect. Raises ModelportError (ConversionFailed)."""
    from modelport_converter.onnx_graphs.slimming import slim  # with all of sympy

    whole = onnx.ModelProto()  # it works in place, and knows no functions
    whole.CopyFrom(onnx.inliner.inline_local_functions(model) if model.functions else model)
    try:
        return slim(whole)
    except Exception as error:  # of no common base
        message = f"options.simplify: onnxslim fails: {last_line(error)}; leave it out"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
