"""From a PyTorch model to an ONNX file, by PyTorch's own exporters.

The tracing exporter comes first: it needs a tenth of the time of the other and keeps operators plain. It runs the model
once, so that what follows from values of that run is baked in; it warns where that may be. Then, or if it refuses, the
graph-capturing exporter is tried; if that one refuses, the trace is what there is. Each has faults that the other has
not, and the gate tells what a graph is worth: the exporter that was not taken is another path.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import onnx
import torch

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Tensor
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.steps.runner import say
from modelport.verification.arrays import Tensors
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.exporting.base import (
    Exported,
    Flattened,
    RefusedError,
    describe_refusal,
    free_axes,
    is_whole,
    plain_operators,
    tell_places,
    to_arguments,
)
from modelport_converter.frameworks.pytorch.forms.base import Captured
from modelport_converter.onnx_graphs.chance import find_random_operations
from modelport_converter.onnx_graphs.files import read_opset

LOGGER = "torch.onnx"
LAST_TRACED_OPSET = 20
FIRST_CAPTURED_OPSET = 18
"""For an older one the graph-capturing exporter has its graph rewritten, not always into a valid one."""
LARGE_BYTES = 1 << 30
"""From here on weights are written beside the graph: protobuf's limit is near."""


class Export(NamedTuple):
    """What is exported, and where to."""

    model: Flattened
    example: Tensors
    inputs: Sequence[Input]
    outputs: Sequence[Tensor]
    opset: int
    path: Path
    """In a folder of its own: a large model takes several files."""
    code: Path
    """Folder of the code that came with the model."""
    captured: Captured | None = None
    """What the graph is captured from, where that is not the model itself."""
    is_traceable: bool = True


def warm_up() -> None:
    """Load what the first export loads, while the step waits for its source."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.nn.Identity().eval()
        torch.onnx.export(model, (torch.zeros(1, 1),), str(Path(folder) / "warm.onnx"), dynamo=False, verbose=False)


def export_model(export: Export, *, is_other: bool, is_doubtful: bool, is_asked: bool) -> Exported:
    """Write the ONNX file. Raises ModelportError.

    `is_other` says that the exporter is wanted which would not be taken else, `is_doubtful` that the model's code looks
    at values of tensors, `is_asked` that no other operator set will do.
    """
    refusals: list[str] = []
    with plain_operators(), tempfile.TemporaryDirectory(dir=export.path.parent.parent) as folder:
        trace = export._replace(path=Path(folder) / "trace" / export.path.name)
        trace.path.parent.mkdir()
        warned = None
        if not export.is_traceable:
            refusals.append("trace: it would hold the lengths of its example")
        elif export.opset > LAST_TRACED_OPSET:
            refusals.append(f"trace: it writes operator sets up to {LAST_TRACED_OPSET}")
        else:
            warned = _attempt("trace", _trace, trace, refusals, is_asked=is_asked)
        is_sure = warned == [] and not is_doubtful
        if is_sure == is_other:
            if warned:
                say(LOGGER, f"the trace may hold for its example alone: {str(warned[0].message).splitlines()[0]:.160}")
            newer = export if is_asked else export._replace(opset=max(export.opset, FIRST_CAPTURED_OPSET))
            decided = _attempt("capture", _capture, newer, refusals, is_asked=is_asked)
            if decided is not None:
                return Exported(places=tell_places([*(warned or ()), *decided]))
        if warned is None or (is_sure and is_other):
            message = f"PyTorch's exporters refuse the model: {'; '.join(refusals)}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        say(LOGGER, "the trace is kept")
        shutil.rmtree(export.path.parent)
        trace.path.parent.rename(export.path.parent)
    if is_sure:
        return Exported()
    return Exported(True, refusals[-1] if refusals else "", tell_places(warned), tell_places(filter(is_whole, warned)))


def _attempt(
    name: str, exporter: Callable[[Export], None], export: Export, refusals: list[str], *, is_asked: bool
) -> list[warnings.WarningMessage] | None:
    """Return the doubts about the exporter's result, mostly none; None if it refused."""
    try:
        doubts = _call(exporter, export, is_asked=is_asked)
    except RefusedError as refusal:
        refusals.append(f"{name}: {refusal}")
        say(LOGGER, f"exporter {name} refuses: {refusal}")
        return None
    say(LOGGER, f"exporter {name} wrote opset {read_opset(export.path)}")
    return doubts


def _call(exporter: Callable[[Export], None], export: Export, *, is_asked: bool) -> list[warnings.WarningMessage]:
    settle(export.model)
    try:
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", torch.jit.TracerWarning)
            exporter(export)
    except Exception as error:  # the exporters' errors have no common base
        if lacks_memory(error):
            raise
        raise RefusedError(describe_refusal(error, export.code)) from error
    found = read_opset(export.path)
    if is_asked and found != export.opset:
        raise RefusedError(f"it wrote opset {found}, not {export.opset}")
    _check_graph(export)
    # also those about checks that only refuse: a length that Python can check, it can bake in elsewhere without a word
    return caught


def _check_graph(export: Export) -> None:
    """Make the graph's inputs those of the model, in order, and refuse what draws random numbers or is not as asked."""
    model = onnx.load(str(export.path), load_external_data=False)
    try:
        onnx.checker.check_model(str(export.path))
    except onnx.checker.ValidationError as error:
        raise RefusedError(f"its graph is not valid: {describe_error(error)}") from error
    random = find_random_operations(model)
    if random:
        raise RefusedError(f"its graph draws random numbers where the model does not: {', '.join(random)[:160]}")
    complexes = [each.name for each in model.graph.initializer if each.data_type in _COMPLEX]
    if complexes:
        raise RefusedError(f"its graph has complex weights, which runtimes lack: {', '.join(complexes)[:160]}")
    found = {value.name: value for value in model.graph.input}
    wanted = [each.name for each in export.inputs]
    if list(found) != wanted:
        unknown = [name for name in found if name not in wanted]
        if unknown:
            raise RefusedError(f"its graph has inputs of its own: {', '.join(unknown)[:160]}")
        missing = [each.name for each in export.inputs if each.name not in found]
        say(LOGGER, f"ignored by the model, and kept as inputs: {', '.join(missing) or 'none'}")
        del model.graph.input[:]
        model.graph.input.extend(found.get(each.name) or _declare(each) for each in export.inputs)
        onnx.save(model, str(export.path))
    outputs = [value.name for value in model.graph.output]
    if outputs != [each.name for each in export.outputs]:
        raise RefusedError(f"its graph has the outputs {', '.join(outputs)[:160]}")
    if _free_lengths(model.graph, export.outputs):
        onnx.save(model, str(export.path))


def _free_lengths(graph: onnx.GraphProto, outputs: Sequence[Tensor]) -> bool:
    """Declare lengths of outputs as free that the source's answers show to be. Return whether there are some.

    Exporters give an axis that a recurrent layer takes the length that the example has, and compute it all the same.
    """
    fixed = [
        (axis, length)
        for value, each in zip(graph.output, outputs, strict=True)
        for axis, length in zip(value.type.tensor_type.shape.dim, each.shape, strict=False)
        if axis.HasField("dim_value") and isinstance(length, str)
    ]
    for axis, length in fixed:
        axis.dim_param = length
    if fixed:
        del graph.value_info[:]  # which say the same of what comes before
    return bool(fixed)


_COMPLEX = (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)


def _declare(each: Input) -> onnx.ValueInfoProto:
    kind = onnx.TensorProto.DataType.Value(
        "FLOAT" if each.dtype == "float32" else _ONNX.get(each.dtype, each.dtype.upper())
    )
    return onnx.helper.make_tensor_value_info(each.name, kind, list(each.shape))


_ONNX = {"float64": "DOUBLE"}


def _trace(export: Export) -> None:
    example = to_arguments(export.example, export.inputs)
    model: torch.nn.Module = export.model
    if isinstance(export.model.model, torch.jit.ScriptModule):  # only this one takes a script's graph into a trace
        model = torch.jit.trace(model, example, check_trace=False)
    torch.onnx.export(
        model,
        example,
        str(export.path),
        dynamo=False,
        verbose=False,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_axes={
            **{each.name: free_axes(each) for each in export.inputs},
            **{each.name: free_axes(each) for each in export.outputs},
        },
    )


def _capture(export: Export) -> None:
    shapes = tuple(dict.fromkeys(free_axes(each), torch.export.Dim.DYNAMIC) for each in export.inputs)
    source = export.captured or export.model
    if isinstance(source, torch.nn.Module) and source is not export.model:
        source = Flattened(source, export.inputs)
    is_graph = isinstance(source, torch.export.ExportedProgram)
    torch.onnx.export(
        source,
        () if is_graph else to_arguments(export.example, export.inputs),
        str(export.path),
        dynamo=True,
        verbose=False,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_shapes=None if is_graph else {"inputs": shapes},
        external_data=_is_large(export.model),
    )


def _is_large(model: torch.nn.Module) -> bool:
    sizes = (int(tensor.nbytes) for tensor in model.state_dict().values() if isinstance(tensor, torch.Tensor))
    return sum(sizes) > LARGE_BYTES
