"""ONNX models are asked by ONNX Runtime, and where it cannot, by onnx's own evaluator."""

from pathlib import Path
from tempfile import TemporaryDirectory

from modelport.errors import ModelportError
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.frameworks.onnx.answering import make_run, make_slow_run
from modelport_converter.frameworks.onnx.hints.hints import find_hints
from modelport_converter.frameworks.onnx.load import LOGGER, Model, check_model, check_operators, read_model
from modelport_converter.frameworks.onnx.moving import write_moved
from modelport_converter.frameworks.onnx.values import read_inputs
from modelport_converter.onnx_graphs.chance import find_random_operations
from modelport_converter.onnx_graphs.graphs import infer_tensors
from modelport_converter.onnx_graphs.precision import find_precision
from modelport_converter.tasks import SourceTask, find_part


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    path = find_part(open_tree(task.model), "onnx")
    check_model(path)
    model = read_model(path, is_whole=False)
    check_operators(model.proto)
    inputs = read_inputs(model.proto, task.request.inputs)
    tensors = infer_tensors(model.proto)
    return Source(
        inputs,
        _make_run(task, model),
        lambda: find_random_operations(model.proto),
        hints=find_hints(model.proto, inputs, tensors),
        precision=find_precision(model.proto, tensors),
        move_weights=lambda: _move_weights(task, path),
    )


def _make_run(task: SourceTask, model: Model) -> Infer:
    try:
        return make_run(model.proto, model.path)
    except ModelportError as refusal:
        # what will not be served is not asked; it may have been asked for in float32, or be verified once more
        hops = task.request.hops
        if "float64" not in refusal.message or (hops and hops[0].options.get("precision") != "float32"):
            raise
        say(LOGGER, f"asked by onnx's own evaluator, which is slow: {refusal.message}")
        return make_slow_run(read_model(model.path, is_whole=True).proto, refusal)


def _move_weights(task: SourceTask, path: Path) -> Infer:
    with TemporaryDirectory() as folder:
        moved = Path(folder) / path.name
        write_moved(path, moved)
        return _make_run(task, read_model(moved, is_whole=False))
