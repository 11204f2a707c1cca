"""PyTorch weights with a factory to ONNX: build the model, load it strictly, ask it, export it."""

import inspect

import torch

from modelport.api import Input, Signature
from modelport.contract import ModelportError
from modelport.formats.onnx import OnnxOptions
from modelport.reasons import Reason
from modelport.steps import say
from modelport.verification.arrays import Tensors
from modelport.verification.reference import FILE_NAME, Reference, write_reference
from modelport.verification.source import Source, ask_source, describe_inputs, describe_outputs
from modelport_converter.converters.job import MODEL, HopJob, the_one_file, write_signature
from modelport_converter.converters.onnx_files import finish_model
from modelport_converter.converters.torch_asking import Asker, Flattened
from modelport_converter.converters.torch_exporting import Export, export_model, warm_up
from modelport_converter.converters.torch_loading import build_model, load_weights
from modelport_converter.converters.torchvision_shim import install

OPTIONS = OnnxOptions
DEFAULT_OPSET = 17
WEIGHTS = (".pt", ".pth", ".bin", ".ckpt")
SMALL_BYTES = 4 << 20
__all__ = ["OPTIONS", "convert", "warm_up"]


def convert(job: HopJob, options: OnnxOptions) -> None:
    """Build the model, ask it, export it."""
    code = job.request.code
    if code is None or not job.request.inputs:
        raise ModelportError(Reason.INPUTS_NEEDED, "expected spec.source.code and spec.source.inputs, found none")
    torch.manual_seed(0)
    if install():
        say(
            job.hop.converter,
            "torchvision's extension does not load beside this torch; its operators are declared here",
        )
    model = build_model(code, job.code)
    load_weights(model, the_one_file(job.model, WEIGHTS), job.request.checkpoint)
    _limit_threads(model)
    inputs = list(job.request.inputs)
    asker = Asker(model, inputs)
    _check_arguments(model, inputs)
    reference = ask_source(Source(inputs, asker.run, asker.random_operations), job.request)
    write_reference(job.out / FILE_NAME, reference)
    outputs = describe_outputs(inputs, reference.samples)
    write_signature(job.out, Signature(inputs=describe_inputs(inputs), outputs=outputs))
    path = job.out / MODEL / "model.onnx"
    path.parent.mkdir()
    opset = options.opset or DEFAULT_OPSET
    export = Export(Flattened(model), _widest(reference), inputs, outputs, opset, path)
    export_model(export, is_asked=options.opset is not None)
    finish_model(path, simplify=options.simplify)


def _limit_threads(model: torch.nn.Module) -> None:
    # threads of a small model wait for one another, spinning, longer than they work; where other containers want the
    # same cores, PNet took seven times as long with two threads as with one
    if sum(parameter.nbytes for parameter in model.parameters()) < SMALL_BYTES:
        torch.set_num_threads(1)


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
