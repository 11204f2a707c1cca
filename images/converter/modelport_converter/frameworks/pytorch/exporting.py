"""From a PyTorch model to an ONNX file, by PyTorch's own exporters.

The tracing exporter comes first: it needs a tenth of the time of the other and keeps operators plain. It runs the model
once, so that what follows from values of that run is baked in; it warns where that may be. Then, or if it refuses, the
graph-capturing exporter is tried; if that one refuses, the trace is what there is. Each has faults that the other has
not, and the gate tells what a graph is worth: the exporter that was not taken is another path.
"""

import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import onnx
import torch

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Tensor
from modelport.errors import ModelportError, causes, lacks_memory
from modelport.runtimes.pytorch.tensors import name_outputs, to_tensor
from modelport.steps.runner import say
from modelport.verification.arrays import Tensors
from modelport.verification.errors import describe_error
from modelport.verification.reference import Reference
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Captured
from modelport_converter.frameworks.pytorch.watching.watch import is_torch
from modelport_converter.onnx_graphs.chance import find_random_operations
from modelport_converter.onnx_graphs.files import read_opset

LOGGER = "torch.onnx"
LAST_TRACED_OPSET = 20
FIRST_CAPTURED_OPSET = 18
"""For an older one the graph-capturing exporter has its graph rewritten, not always into a valid one."""
LARGE_BYTES = 1 << 30
"""From here on weights are written beside the graph: protobuf's limit is near."""


class Flattened(torch.nn.Module):
    """The model with its outputs in a row, as graphs have them; exporters cannot switch its mode."""

    def __init__(self, model: torch.nn.Module, inputs: Sequence[Input]) -> None:
        super().__init__()
        self.model = model
        self._names = [each.name for each in inputs]
        settle(self)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs in the order of `name_outputs`."""
        return tuple(name_outputs(self.model(*inputs), self._names).values())

    def train(self, mode: bool = True) -> "Flattened":  # noqa: ARG002  # as in torch.nn.Module
        """Stay in evaluation mode: an exporter that restores a mode would wake dropout for the next one."""
        return self


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


class Exported(NamedTuple):
    """How the file came about."""

    is_doubtful: bool = False
    """Whether it is a trace that may hold for its example alone."""
    refusal: str = ""
    """Why no graph was captured instead, if that was tried."""
    places: tuple[str, ...] = ()
    """Where Python looked at a number or a length, which a trace bakes in, and capture may, if it is a length."""
    wholes: tuple[str, ...] = ()
    """Where the trace turned tensors into lists or arrays, whose values are baked in."""


class _RefusedError(Exception):
    """An exporter's reason."""


def warm_up() -> None:
    """Load what the first export loads, while the step waits for its source."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.nn.Identity().eval()
        torch.onnx.export(model, (torch.zeros(1, 1),), str(Path(folder) / "warm.onnx"), dynamo=False, verbose=False)


def pick_example(reference: Reference, inputs: Sequence[Input]) -> Tensors:
    """Return the sample to show an exporter: few lengths of 1, which are taken for broadcasts, few equal ones, small."""

    def rank(tensors: Tensors) -> tuple[int, int, int]:
        free = {
            dimension: tensors[each.name].shape[axis]
            for each in inputs
            for axis, dimension in enumerate(each.shape)
            if isinstance(dimension, str)
        }
        ones = sum(length <= 1 for tensor in tensors.values() for length in tensor.shape)
        return ones, len(free) - len(set(free.values())), sum(tensor.size for tensor in tensors.values())

    return min((sample.inputs[0] for sample in reference.usual), key=rank)


def export_model(export: Export, *, is_other: bool, is_doubtful: bool, is_asked: bool) -> Exported:
    """Write the ONNX file. Raises ModelportError.

    `is_other` says that the exporter is wanted which would not be taken else, `is_doubtful` that the model's code looks
    at values of tensors, `is_asked` that no other operator set will do.
    """
    refusals: list[str] = []
    with _plain_operators(), tempfile.TemporaryDirectory(dir=export.path.parent.parent) as folder:
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
                return Exported(places=_places([*(warned or ()), *decided]))
        if warned is None or (is_sure and is_other):
            message = f"PyTorch's exporters refuse the model: {'; '.join(refusals)}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        say(LOGGER, "the trace is kept")
        shutil.rmtree(export.path.parent)
        trace.path.parent.rename(export.path.parent)
    if is_sure:
        return Exported()
    return Exported(True, refusals[-1] if refusals else "", _places(warned), _places(filter(_is_whole, warned)))


@contextmanager
def _plain_operators() -> Iterator[None]:
    # a fused kernel stands for a whole transformer layer, and is no operator of ONNX
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _places(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return the lines that were warned of, but for PyTorch's own."""
    found = (f"{Path(each.filename).name}:{each.lineno}" for each in caught if not is_torch(each.filename))
    return tuple(dict.fromkeys(found))


def _is_whole(warning: warnings.WarningMessage) -> bool:
    return "Python list" in str(warning.message) or "NumPy array" in str(warning.message)


def _attempt(
    name: str, exporter: Callable[[Export], None], export: Export, refusals: list[str], *, is_asked: bool
) -> list[warnings.WarningMessage] | None:
    """Return the doubts about the exporter's result, mostly none; None if it refused."""
    try:
        doubts = _call(exporter, export, is_asked=is_asked)
    except _RefusedError as refusal:
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
        raise _RefusedError(_describe(error, export.code)) from error
    found = read_opset(export.path)
    if is_asked and found != export.opset:
        raise _RefusedError(f"it wrote opset {found}, not {export.opset}")
    _check_graph(export)
    # also those about checks that only refuse: a length that Python can check, it can bake in elsewhere without a word
    return caught


def _describe(error: BaseException, code: Path) -> str:
    """Return what went wrong, and at which line of the user's: the exporters wrap it into advice about themselves."""
    *_, error = causes(error)
    root = str(code.resolve())
    places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(root)]
    at = f" at {Path(places[-1].filename).name}:{places[-1].lineno}: {places[-1].line!s:.80}" if places else ""
    return f"{describe_error(error)}{at}"


def _check_graph(export: Export) -> None:
    """Make the graph's inputs those of the model, in order, and refuse what draws random numbers or is not as asked."""
    model = onnx.load(str(export.path), load_external_data=False)
    try:
        onnx.checker.check_model(str(export.path))
    except onnx.checker.ValidationError as error:
        raise _RefusedError(f"its graph is not valid: {describe_error(error)}") from error
    random = find_random_operations(model)
    if random:
        raise _RefusedError(f"its graph draws random numbers where the model does not: {', '.join(random)[:160]}")
    complexes = [each.name for each in model.graph.initializer if each.data_type in _COMPLEX]
    if complexes:
        raise _RefusedError(f"its graph has complex weights, which runtimes lack: {', '.join(complexes)[:160]}")
    found = {value.name: value for value in model.graph.input}
    wanted = [each.name for each in export.inputs]
    if list(found) != wanted:
        unknown = [name for name in found if name not in wanted]
        if unknown:
            raise _RefusedError(f"its graph has inputs of its own: {', '.join(unknown)[:160]}")
        missing = [each.name for each in export.inputs if each.name not in found]
        say(LOGGER, f"ignored by the model, and kept as inputs: {', '.join(missing) or 'none'}")
        del model.graph.input[:]
        model.graph.input.extend(found.get(each.name) or _declare(each) for each in export.inputs)
        onnx.save(model, str(export.path))
    outputs = [value.name for value in model.graph.output]
    if outputs != [each.name for each in export.outputs]:
        raise _RefusedError(f"its graph has the outputs {', '.join(outputs)[:160]}")
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
    example = _arguments(export)
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
        dynamic_axes=_dynamic_axes([*export.inputs, *export.outputs]),
    )


def _capture(export: Export) -> None:
    shapes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in export.inputs
    )
    source = export.captured or export.model
    if isinstance(source, torch.nn.Module) and source is not export.model:
        source = Flattened(source, export.inputs)
    is_graph = isinstance(source, torch.export.ExportedProgram)
    torch.onnx.export(
        source,
        () if is_graph else _arguments(export),
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


def _arguments(export: Export) -> tuple[torch.Tensor, ...]:
    return tuple(to_tensor(export.example[each.name]) for each in export.inputs)


def _dynamic_axes(tensors: Sequence[Input | Tensor]) -> dict[str, dict[int, str]]:
    return {
        each.name: {axis: length for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in tensors
    }
