"""From a PyTorch model to an ONNX file, by PyTorch's own exporters.

The tracing exporter comes first: it needs a tenth of the time of the other and keeps operators plain. It runs the model
once, so that what follows from values of that run is baked in; it warns where that may be. Then, or if it refuses, the
graph-capturing exporter is tried; and if that one refuses, the trace is what there is, and verify tells its worth.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from modelport.api import Input, Tensor
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.steps import say
from modelport.verification.arrays import Tensors
from modelport_converter.converters.job import last_line
from modelport_converter.converters.onnx_files import read_opset

SPEAKER = "torch.onnx"
LAST_TRACED_OPSET = 20
LARGE_BYTES = 1 << 30
"""From here on weights are written beside the graph: protobuf's limit is near."""


class Export(NamedTuple):
    """What is exported, and where to."""

    model: torch.nn.Module
    example: Tensors
    inputs: list[Input]
    outputs: list[Tensor]
    opset: int
    path: Path
    """In a folder of its own: a large model takes several files."""


class _RefusedError(Exception):
    """An exporter's reason."""


def warm_up() -> None:
    """Load what the first export loads, while the step waits for its source."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.nn.Identity().eval()
        torch.onnx.export(model, (torch.zeros(1, 1),), str(Path(folder) / "warm.onnx"), dynamo=False, verbose=False)


def export_model(export: Export, *, is_asked: bool) -> None:
    """Write the ONNX file; `is_asked` says that no other operator set will do. Raises ModelportError."""
    # a fused kernel stands for a whole transformer layer, and is no operator of ONNX
    torch.backends.mha.set_fastpath_enabled(False)
    refusals: list[str] = []
    spare = export.path.parent.with_name("traced")
    if export.opset <= LAST_TRACED_OPSET:
        doubt = _attempt("trace", _trace, export, refusals, is_asked=is_asked)
        if doubt == "":
            return
        if doubt:
            say(SPEAKER, f"the trace may hold for its example alone: {doubt}")
            export.path.parent.rename(spare)
            export.path.parent.mkdir()
    if _attempt("capture", _capture, export, refusals, is_asked=is_asked) is not None:
        shutil.rmtree(spare, ignore_errors=True)
    elif spare.exists():
        shutil.rmtree(export.path.parent)
        spare.rename(export.path.parent)
        say(SPEAKER, "the trace is kept")
    else:
        raise ModelportError(Reason.CONVERSION_FAILED, f"PyTorch's exporters refuse the model: {'; '.join(refusals)}")


def _attempt(
    name: str, exporter: Callable[[Export], None], export: Export, refusals: list[str], *, is_asked: bool
) -> str | None:
    """Return what is doubtful about the exporter's result, mostly nothing; None if it refused."""
    try:
        doubt = _call(exporter, export, is_asked=is_asked)
    except _RefusedError as refusal:
        refusals.append(f"{name}: {refusal}")
        say(SPEAKER, f"exporter {name} refuses: {refusal}")
        return None
    say(SPEAKER, f"exporter {name} wrote opset {read_opset(export.path)}")
    return doubt


def _call(exporter: Callable[[Export], None], export: Export, *, is_asked: bool) -> str:
    try:
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", torch.jit.TracerWarning)
            exporter(export)
    except Exception as error:  # the exporters' errors have no common base
        raise _RefusedError(last_line(error)) from error
    found = read_opset(export.path)
    if is_asked and found != export.opset:
        raise _RefusedError(f"it wrote opset {found}, not {export.opset}")
    return next((str(each.message).splitlines()[0][:160] for each in caught), "")


def _trace(export: Export) -> None:
    torch.onnx.export(
        export.model,
        _arguments(export),
        str(export.path),
        dynamo=False,
        verbose=False,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_axes=_dynamic_axes([*export.inputs, *export.outputs]),
    )


def _capture(export: Export) -> None:
    shapes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in export.inputs
    )
    torch.onnx.export(
        export.model,
        _arguments(export),
        str(export.path),
        dynamo=True,
        verbose=False,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_shapes={"inputs": shapes},
        external_data=_is_large(export.model),
    )


def _is_large(model: torch.nn.Module) -> bool:
    sizes = (int(tensor.nbytes) for tensor in model.state_dict().values() if isinstance(tensor, torch.Tensor))
    return sum(sizes) > LARGE_BYTES


def _arguments(export: Export) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(export.example[each.name].copy()) for each in export.inputs)


def _dynamic_axes(tensors: Sequence[Input | Tensor]) -> dict[str, dict[int, str]]:
    return {
        each.name: {axis: length for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in tensors
    }
