"""ONNX Runtime."""

import ctypes
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnxruntime

from modelport.contract import ModelportError
from modelport.onnx_refusals import explain
from modelport.reasons import Reason
from modelport_server.backends import LoadOptions, Tensors

Array = npt.NDArray[Any]
ERRORS_ONLY = 3
TENSOR_PROTO_BFLOAT16 = 16
"""Number of the type in `onnx.TensorProto.DataType`."""
_BFLOAT16 = "tensor(bfloat16)"
PROVIDERS = ["CPUExecutionProvider"]
DISABLED, OPTIMIZATION = "disabled_optimizers", "optimization"
LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
WAYS: tuple[LoadOptions, ...] = (
    {},
    # it replaces x * (1 / y) by x / y and, where another rewrite has just removed the node that made x, keeps the
    # name of a value that is no longer there
    {DISABLED: "DivMulFusion"},
    {OPTIMIZATION: "basic"},
    {OPTIMIZATION: "none"},
)


class OnnxRuntime:
    """A model in an inference session."""

    platform = "onnxruntime_onnx"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        """Take a session."""
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        types = {value.type for value in (*session.get_inputs(), *session.get_outputs())}
        self._run = self._run_values if _BFLOAT16 in types else self._run_arrays

    def infer(self, inputs: Tensors) -> Tensors:
        """Return the outputs by name."""
        return dict(zip(self._outputs, self._run(inputs), strict=True))

    def _run_arrays(self, inputs: Tensors) -> list[Array]:
        # what `session.run` calls once it has looked at the names, which the data plane has done; a third of a small run
        answers: list[Array] = self._session._sess.run(self._outputs, inputs, None)  # noqa: SLF001
        return answers

    def _run_values(self, inputs: Tensors) -> list[Array]:
        """Run with values of ONNX Runtime's own, because numpy has no bfloat16 that it knows."""
        values = {name: _to_value(array) for name, array in inputs.items()}
        return [_to_array(value) for value in self._session.run_with_ort_values(self._outputs, values)]


def _to_value(array: Array) -> Any:
    if array.dtype.name != "bfloat16":
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    bits = np.ascontiguousarray(array).view(np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, TENSOR_PROTO_BFLOAT16)


def _to_array(value: Any) -> Array:
    if value.data_type() != _BFLOAT16:
        array: Array = np.array(value.numpy())  # an input that is an output would be the caller's own array
        return array
    shape = value.shape()
    content = ctypes.string_at(value.data_ptr(), math.prod(shape) * ml_dtypes.bfloat16.dtype.itemsize)
    return np.frombuffer(content, ml_dtypes.bfloat16).reshape(shape)


def load(folder: Path, files: list[str], threads: int, options: LoadOptions) -> OnnxRuntime:
    """Load the one model, as it will serve. Raises ModelportError (RuntimeUnsupported)."""
    path = _model(folder, files)
    without = [each for each in options.get(DISABLED, "").split(",") if each]
    try:
        session = onnxruntime.InferenceSession(
            path, _options(threads, options), providers=PROVIDERS, disabled_optimizers=without
        )
    except Exception as error:  # ONNX Runtime's errors have no public base
        raise explain(error, path) from error
    return OnnxRuntime(session)


def _options(threads: int, options: LoadOptions) -> onnxruntime.SessionOptions:
    session_options = onnxruntime.SessionOptions()
    session_options.graph_optimization_level = LEVELS[options.get(OPTIMIZATION, "all")]
    session_options.intra_op_num_threads = threads
    session_options.log_severity_level = ERRORS_ONLY
    # threads that spin while they wait for work take the processors from those that receive and answer requests
    session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return session_options


def _model(folder: Path, files: list[str]) -> Path:
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *.onnx file, found {', '.join(files):.200}")
    return folder / models[0]
