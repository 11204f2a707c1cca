"""ONNX files as they leave a hop.

One file, weights beside it only where protobuf's limit demands, and an IR version that older readers know.
"""

from pathlib import Path

import onnx

MAX_IR_VERSION = 10
"""onnx writes the newest; runtimes that are a year old refuse it."""
MAX_FILE_BYTES = 1_900_000_000
"""Protobuf refuses messages of 2 GiB."""
DATA_SUFFIX = ".data"


def read_opset(path: Path) -> int:
    """Return the version of the default operator set."""
    model = onnx.load(str(path), load_external_data=False)
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)


def finish_model(path: Path, *, simplify: bool) -> None:
    """Bring the file that an exporter wrote into the form of an artifact, rewriting it only where it must change."""
    model = onnx.load(str(path), load_external_data=False)
    is_scattered = len(list(path.parent.iterdir())) > 1
    if model.ir_version <= MAX_IR_VERSION and not simplify and not is_scattered:
        return
    model = onnx.load(str(path))
    for file in path.parent.iterdir():
        file.unlink()
    write_model(simplified(model) if simplify else model, path)


def write_model(model: onnx.ModelProto, path: Path) -> None:
    """Write a model that has all its weights inside."""
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) > MAX_FILE_BYTES:
        onnx.save_model(
            model, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=path.name + DATA_SUFFIX
        )
    else:
        onnx.save_model(model, str(path))


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with constants folded and without what has no effect."""
    import onnxslim

    result = onnxslim.slim(model, model_check=False)
    assert isinstance(result, onnx.ModelProto)
    return result


def has_external_data(model: onnx.ModelProto) -> bool:
    """Return whether weights are in other files."""
    return any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
