"""ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import onnxruntime

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport_server.backends import Tensors

ERRORS_ONLY = 3
PROVIDERS = ["CPUExecutionProvider"]


class OnnxRuntime:
    """A model in an inference session."""

    platform = "onnxruntime_onnx"

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        """Take a session."""
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def infer(self, inputs: Tensors) -> Tensors:
        """Return the outputs by name."""
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))


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
    return options


def _model(folder: Path, files: list[str]) -> Path:
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *.onnx file, found {', '.join(files):.200}")
    return folder / models[0]
