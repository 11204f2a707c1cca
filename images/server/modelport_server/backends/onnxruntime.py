"""ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from modelport.api.reasons import Reason
from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport.errors import ModelportError
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, DTYPES, How, LoadOptions, Traits

TRAITS = Traits(
    platform="onnxruntime_onnx",
    takes=DTYPES,
    gives=DTYPES,
    takes_bytes=False,  # its strings go through Python's, in both directions
    is_shared=True,
    keeps_outputs=True,
    writes_inputs=False,
    alignment=0,
)
DISABLED, OPTIMIZATION = "disabled_optimizers", "optimization"
WAYS: tuple[LoadOptions, ...] = (
    DEFAULT,
    # it replaces x * (1 / y) by x / y and, where another rewrite has just removed the node that made x, keeps the
    # name of a value that is no longer there
    {DISABLED: "DivMulFusion"},
    {OPTIMIZATION: "basic"},
    {OPTIMIZATION: "none"},
)


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the one model, as it will serve. Raises ModelportError (RuntimeUnsupported)."""
    models = [name for name in files if name.endswith(".onnx")]
    if len(models) != 1:
        raise ModelportError(Reason.VERIFICATION_FAILED, f"expected one *.onnx file, found {', '.join(files):.200}")
    session = open_session(
        folder / models[0],
        level=how.options.get(OPTIMIZATION, "all"),
        without=[each for each in how.options.get(DISABLED, "").split(",") if each],
        threads=how.threads,
    )
    names, run = [output.name for output in session.get_outputs()], make_run(session)

    def infer(inputs: Tensors) -> Tensors:
        return dict(zip(names, run(inputs), strict=True))

    return infer
