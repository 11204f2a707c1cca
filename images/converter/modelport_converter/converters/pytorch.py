"""PyTorch weights with a factory to ONNX, by PyTorch's own exporters.

The tracing exporter comes first: it needs a tenth of the time of the other and keeps operators plain. It bakes in what
depends on values; what it gets wrong is found by verify, what it refuses is tried with the graph-capturing exporter.
"""

import inspect
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch

from modelport.api import Input, Signature, Tensor
from modelport.contract import ModelportError
from modelport.formats.onnx import OnnxOptions
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors
from modelport.verification.reference import FILE_NAME, Reference, write_reference
from modelport.verification.source import Source, ask_source, describe_inputs, describe_outputs
from modelport_converter.converters.job import MODEL, HopJob, last_line, the_one_file, write_signature
from modelport_converter.converters.onnx_files import finish_model, read_opset
from modelport_converter.converters.torch_asking import Flattened, make_run, random_modules
from modelport_converter.converters.torch_loading import build_model, load_weights
from modelport_converter.converters.torchvision_shim import install

log = logging.getLogger(__name__)

OPTIONS = OnnxOptions
DEFAULT_OPSET = 17
LAST_TRACED_OPSET = 20
WEIGHTS = (".pt", ".pth", ".bin", ".ckpt")


class _Export(NamedTuple):
    model: torch.nn.Module
    example: Tensors
    inputs: list[Input]
    outputs: list[Tensor]
    opset: int
    path: Path


def warm_up() -> None:
    """Load what the first export loads, while the step waits for its source."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, 1),)
        torch.onnx.export(
            torch.nn.Identity().eval(), example, str(Path(folder) / "warm.onnx"), dynamo=False, verbose=False
        )


def convert(job: HopJob, options: OnnxOptions) -> None:
    """Build the model, ask it, export it."""
    code = job.request.code
    if code is None or not job.request.inputs:
        raise ModelportError(Reason.INPUTS_NEEDED, "expected spec.source.code and spec.source.inputs, found none")
    torch.manual_seed(0)
    if install():
        log.info("torchvision's extension does not load beside this torch; its operators are declared here")
    model = build_model(code, job.code)
    load_weights(model, the_one_file(job.model, WEIGHTS), job.request.checkpoint)
    inputs = list(job.request.inputs)
    run = make_run(model, inputs)
    _check_arguments(model, inputs)
    reference = ask_source(Source(inputs, run, lambda: random_modules(model)), job.request)
    write_reference(job.out / FILE_NAME, reference)
    outputs = describe_outputs(inputs, reference.samples)
    write_signature(job.out, Signature(inputs=describe_inputs(inputs), outputs=outputs))
    path = job.out / MODEL / "model.onnx"
    path.parent.mkdir()
    opset = options.opset or DEFAULT_OPSET
    _export(_Export(Flattened(model), _widest(reference), inputs, outputs, opset, path), is_asked=bool(options.opset))
    finish_model(path, simplify=options.simplify)


def _check_arguments(model: torch.nn.Module, inputs: list[Input]) -> None:
    try:
        inspect.signature(model.forward).bind(*inputs)
    except TypeError as error:
        message = (
            f"{type(model).__name__}.forward does not take the {len(inputs)} inputs of spec.source.inputs: {error}"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message) from error
    except ValueError:
        return  # a forward without a readable signature: the first question tells


def _widest(reference: Reference) -> Tensors:
    """Return the sample with the fewest lengths of 1: exporters take a 1 for a broadcast."""
    return max(
        (sample.inputs for sample in reference.samples),
        key=lambda inputs: sum(length > 1 for tensor in inputs.values() for length in tensor.shape),
    )


def _export(export: _Export, *, is_asked: bool) -> None:
    attempts = [_trace, _capture] if export.opset <= LAST_TRACED_OPSET else [_capture]
    refusals = []
    for attempt in attempts:
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                attempt(export)
        except Exception as error:  # the exporters' errors have no common base  # noqa: BLE001
            log.warning("exporter %s refuses: %s", attempt.__name__.strip("_"), last_line(error))
            refusals.append(f"{attempt.__name__.strip('_')}: {last_line(error)}")
            continue
        found = read_opset(export.path)
        if found != export.opset and is_asked:
            refusals.append(f"{attempt.__name__.strip('_')}: wrote opset {found}, not {export.opset}")
            continue
        log.info("exported by exporter %s, opset %d", attempt.__name__.strip("_"), found)
        return
    raise ModelportError(Reason.CONVERSION_FAILED, f"PyTorch's exporters refuse the model: {'; '.join(refusals)}")


def _trace(export: _Export) -> None:
    torch.onnx.export(
        export.model,
        _arguments(export),
        str(export.path),
        dynamo=False,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_axes=_dynamic_axes([*export.inputs, *export.outputs]),
    )


def _capture(export: _Export) -> None:
    shapes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in export.inputs
    )
    torch.onnx.export(
        export.model,
        _arguments(export),
        str(export.path),
        dynamo=True,
        opset_version=export.opset,
        input_names=[each.name for each in export.inputs],
        output_names=[each.name for each in export.outputs],
        dynamic_shapes={"inputs": shapes},
        external_data=False,
    )


def _arguments(export: _Export) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(export.example[each.name].copy()) for each in export.inputs)


def _dynamic_axes(tensors: list[Any]) -> dict[str, dict[int, str]]:
    return {
        each.name: {axis: length for axis, length in enumerate(each.shape) if isinstance(length, str)}
        for each in tensors
    }
