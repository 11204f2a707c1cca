"""ONNX Runtime."""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnxruntime

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport_server.backends import Tensors

Array = npt.NDArray[Any]
ERRORS_ONLY = 3
TENSOR_PROTO_BFLOAT16 = 16
"""Number of the type in `onnx.TensorProto.DataType`."""
_BFLOAT16 = "tensor(bfloat16)"
PROVIDERS = ["CPUExecutionProvider"]


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
        array: Array = value.numpy()
        return array
    shape = value.shape()
    content = ctypes.string_at(value.data_ptr(), math.prod(shape) * ml_dtypes.bfloat16.dtype.itemsize)
    return np.frombuffer(content, ml_dtypes.bfloat16).reshape(shape)


def load(folder: Path, files: list[str], threads: int) -> OnnxRuntime:
    """Load the one model, as it will serve. Raises ModelportError (VerificationFailed)."""
    path = _model(folder, files)
    try:
        return OnnxRuntime(onnxruntime.InferenceSession(path, _options(threads), providers=PROVIDERS))
    except Exception as error:  # ONNX Runtime's errors have no public base
        message = f"ONNX Runtime does not load the converted model: {' '.join(str(error).split()):.300}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message) from error


def load_logits(folder: Path, files: list[str]) -> Callable[[Tensors], Tensors]:
    """Return what answers with the logits. A model without a final softmax or sigmoid answers nothing."""
    import onnx

    from modelport.verification.onnx_logits import add_logits

    path = _model(folder, files)
    model = onnx.load(path, load_external_data=False)
    logits = dict(add_logits(model.graph))
    if not logits:
        return lambda _inputs: {}
    options = _options(0)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=PROVIDERS)
    return lambda inputs: dict(zip(logits, session.run(list(logits.values()), inputs), strict=True))


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    # threads that spin while they wait for work take the processors from those that receive and answer requests
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _model(folder: Path, files: list[str]) -> Path:
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *.onnx file, found {', '.join(files):.200}")
    return folder / models[0]
