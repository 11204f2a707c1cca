"""ONNX Runtime."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.runtimes.onnxruntime.sessions import Run, make_run, open_session
from modelport_server.backends import LoadOptions, Tensors

DISABLED, OPTIMIZATION = "disabled_optimizers", "optimization"
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

    def __init__(self, outputs: list[str], run: Run) -> None:
        """Take the names of the outputs, and what gives them in this order."""
        self._outputs, self._run = outputs, run

    def infer(self, inputs: Tensors) -> Tensors:
        """Return the outputs by name."""
        return dict(zip(self._outputs, self._run(inputs), strict=True))


def load(folder: Path, files: list[str], threads: int, options: LoadOptions) -> OnnxRuntime:
    """Load the one model, as it will serve. Raises ModelportError (RuntimeUnsupported)."""
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *.onnx file, found {', '.join(files):.200}")
    session = open_session(
        folder / models[0],
        level=options.get(OPTIMIZATION, "all"),
        without=[each for each in options.get(DISABLED, "").split(",") if each],
        threads=threads,
    )
    return OnnxRuntime([output.name for output in session.get_outputs()], make_run(session))
