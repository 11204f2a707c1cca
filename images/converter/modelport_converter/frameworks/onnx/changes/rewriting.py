"""What options change in an ONNX model, each change asked whether it is the cause of other answers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.onnx.answering import make_run
from modelport_converter.onnx_graphs.files import MAX_FILE_BYTES, size_of
from modelport_converter.tasks import last_line

LARGEST_CHANGE = 1e-4
"""Relative RMS from which on a rewritten model is another one; the gate judges what is below."""
QUESTIONS = 4
Rewrite = Callable[[onnx.ModelProto], onnx.ModelProto]


class Comparison:
    """Asks a model before and after it was rewritten, so that the option at fault can be named."""

    def __init__(self, questions: Sequence[Tensors], path: Path) -> None:
        """Take questions that the model accepts; `path` is for messages."""
        self._questions, self._path = questions[:QUESTIONS], path

    def rewrite(self, model: onnx.ModelProto, change: Rewrite, option: str) -> onnx.ModelProto:
        """Return the changed model. Raises ModelportError (ConversionFailed) if it answers differently."""
        if size_of(model) > MAX_FILE_BYTES:
            message = (
                f"{option} works for models of up to {MAX_FILE_BYTES // 10**6} MB, found {size_of(model) // 10**6}"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; leave it out")
        before = self._ask(make_run(model, self._path))
        changed = change(model)
        after = self.check_runs(changed, option)
        for was, now in zip(before, after, strict=True):
            for name in was:
                change_found = _difference(was[name], now.get(name))
                if change_found:
                    message = f"{option} changes the answers of the model: output {name:.100}: {change_found}"
                    raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; leave it out, the source is fine")
        return changed

    def check_runs(self, model: onnx.ModelProto, option: str) -> list[Tensors]:
        """Return what a changed model answers. Raises ModelportError (ConversionFailed) if ONNX Runtime does not run it."""
        try:
            return self._ask(make_run(model, self._path))
        except ModelportError as error:
            message = f"{option} makes a model that ONNX Runtime does not run: {error.message:.300}; leave it out"
            raise ModelportError(Reason.CONVERSION_FAILED, message) from error

    def _ask(self, run: Infer) -> list[Tensors]:
        try:
            return [run(question) for question in self._questions]
        except Exception as error:  # ONNX Runtime's errors have no public base
            raise ModelportError(Reason.CONVERSION_FAILED, last_line(error)) from error


def _difference(was: Array, now: Array | None) -> str:
    if now is None or was.dtype != now.dtype or was.shape != now.shape:
        found = f"{now.dtype.name}{list(now.shape)}" if now is not None else "no such output"
        return f"expected {was.dtype.name}{list(was.shape)}, found {found}"
    if was.dtype.kind not in "fV":
        return "" if np.array_equal(was, now) else "other elements"
    a, b = was.astype(np.float64), now.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "other elements are finite"
    finite = np.isfinite(a)
    size = float(np.sqrt(np.mean(np.square(a[finite])))) if finite.any() else 0.0
    off = float(np.sqrt(np.mean(np.square(a[finite] - b[finite])))) if finite.any() else 0.0
    # half-precision answers differ by their own rounding
    limit = LARGEST_CHANGE if was.dtype.itemsize >= 4 else 5e-3  # noqa: PLR2004
    return f"relative RMS {off / size if size else off:.2g}" if off > limit * size else ""


def with_opset(opset: int) -> Rewrite:
    """Return what moves a model to another operator set version."""

    def change(model: onnx.ModelProto) -> onnx.ModelProto:
        try:
            # the converter knows no functions
            whole = onnx.inliner.inline_local_functions(model) if model.functions else model
            return onnx.version_converter.convert_version(whole, opset)
        except Exception as error:  # the converter raises RuntimeError and its own types
            message = f"options.opset: {opset}: onnx cannot convert the model: {last_line(error)}"
            raise ModelportError(Reason.CONVERSION_FAILED, message) from error

    return change
