"""Ask an ONNX model, node by node as it is written."""

from collections.abc import Callable
from pathlib import Path

import onnx

from modelport.errors import ModelportError
from modelport.runtimes.onnxruntime.sessions import make_run as run_of_session
from modelport.runtimes.onnxruntime.sessions import open_session
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer


def make_run(model: onnx.ModelProto, path: Path) -> Infer:
    """Return the function that asks the model of the file at `path`, which lies beside its external data.

    Raises ModelportError (RuntimeUnsupported) if ONNX Runtime does not load it.
    """
    run = run_of_session(open_session(path, level="none", content=model.SerializeToString()))
    return _named(model, run)


def make_slow_run(model: onnx.ModelProto, refusal: ModelportError) -> Infer:
    """Return the function that asks a model by onnx's own evaluator, which has kernels that ONNX Runtime lacks.

    It takes all weights inside, and raises `refusal` where the evaluator cannot load the model either.
    """
    from onnx.reference import ReferenceEvaluator  # loads all operators, which takes its time

    try:
        evaluator = ReferenceEvaluator(model)
    except Exception as error:  # it raises what its operators raise
        raise refusal from error
    return _named(model, lambda tensors: list(evaluator.run(None, tensors)))


def _named(model: onnx.ModelProto, run: Callable[[Tensors], list[Array]]) -> Infer:
    outputs = [value.name for value in model.graph.output]
    return lambda tensors: dict(zip(outputs, run(tensors), strict=True))
