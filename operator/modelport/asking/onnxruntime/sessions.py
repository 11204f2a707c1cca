"""ONNX Runtime as source and candidate are asked by it: one way to open a session and to run it, in two images.

Steps ask and try differ in the options alone, so that what differs in their answers is the model's doing.
"""

import ctypes
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it sends what runs where to its maker
import onnxruntime

from modelport.asking.onnxruntime.refusals import explain

Array = npt.NDArray[Any]
Run = Callable[[dict[str, Array]], list[Array]]
"""Inputs by name to the outputs in the model's order; they are the caller's own."""
FATAL_ONLY = 4
"""What fails is raised, too, and questions that a model refuses are no lines for a log."""
PROVIDERS = ["CPUExecutionProvider"]
TENSOR_PROTO_BFLOAT16 = 16
"""Number of the type in `onnx.TensorProto.DataType`."""
_BFLOAT16 = "tensor(bfloat16)"
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
"""How far the graph is optimised before it runs."""


def open_session(
    path: Path, *, level: str, without: Sequence[str] = (), threads: int = 0, content: bytes | None = None
) -> onnxruntime.InferenceSession:
    """Load the model at `path`, or `content` with external data beside `path`; `without` names optimisers left out.

    Raises ModelportError (RuntimeUnsupported).
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = threads
    options.log_severity_level = FATAL_ONLY
    # threads that spin while they wait for work take the processors from those that receive and answer requests
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if content is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    try:
        return onnxruntime.InferenceSession(
            path if content is None else content, options, providers=PROVIDERS, disabled_optimizers=list(without)
        )
    except Exception as error:  # ONNX Runtime's errors have no public base
        raise explain(error, path) from error


def make_run(session: onnxruntime.InferenceSession) -> Run:
    """Return the function that asks the model, for inputs whose names are the model's."""
    outputs = [output.name for output in session.get_outputs()]
    types = {value.type for value in (*session.get_inputs(), *session.get_outputs())}

    def run_arrays(inputs: dict[str, Array]) -> list[Array]:
        # what `session.run` calls once it has looked at the names; that look takes a third of a small run
        answers: list[Array] = session._sess.run(outputs, inputs, None)  # noqa: SLF001
        return answers

    def run_values(inputs: dict[str, Array]) -> list[Array]:
        """Run with values of ONNX Runtime's own, because numpy has no bfloat16 that it knows."""
        values = {name: _to_value(array) for name, array in inputs.items()}
        return [_to_array(value) for value in session.run_with_ort_values(outputs, values)]

    return run_values if _BFLOAT16 in types else run_arrays


def _to_value(array: Array) -> Any:
    if array.dtype.name != "bfloat16":
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    bits = np.ascontiguousarray(array).view(np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, TENSOR_PROTO_BFLOAT16)


def _to_array(value: Any) -> Array:
    if value.data_type() != _BFLOAT16:
        return np.array(value.numpy())  # an input that is an output, too, would be the caller's own array
    shape = value.shape()
    content = ctypes.string_at(value.data_ptr(), math.prod(shape) * ml_dtypes.bfloat16.dtype.itemsize)
    return np.frombuffer(content, ml_dtypes.bfloat16).reshape(shape)
