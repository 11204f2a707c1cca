"""ONNX to ONNX: another operator set version, simplification, or nothing but a check.

The reference comes from ONNX Runtime without any optimisation, which runs the nodes as they are written; the server's
own, optimised session has to agree with it.
"""

from pathlib import Path

import onnx
import onnx.version_converter

from modelport.api import Signature
from modelport.contract import ModelportError
from modelport.formats.onnx import OnnxOptions
from modelport.reasons import Reason
from modelport.steps import say
from modelport.verification.reference import FILE_NAME, write_reference
from modelport.verification.source import Source, ask_source, describe_inputs, describe_outputs
from modelport_converter.converters.job import MODEL, SIGNATURE, HopJob, last_line, the_one_file, write_signature
from modelport_converter.converters.onnx_asking import find_random_operations, make_run, read_inputs
from modelport_converter.converters.onnx_files import (
    MAX_IR_VERSION,
    has_external_data,
    read_opset,
    simplified,
    write_model,
)

OPTIONS = OnnxOptions
MODELS = (".onnx",)
SPEAKER = "onnx"


def warm_up() -> None:
    """Do nothing: importing this module has loaded everything."""


def convert(job: HopJob, options: OnnxOptions) -> None:
    """Check the model, ask it if it is the source, and write what was asked for."""
    path = the_one_file(job.model, MODELS)
    _check(path)
    if job.is_first:
        _ask(job, path)
    else:
        (job.out / SIGNATURE).write_bytes((job.model.parent / SIGNATURE).read_bytes())
    target = job.out / MODEL / "model.onnx"
    target.parent.mkdir()
    _write(path, target, options)


def _check(path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and checker raise unrelated types
        message = f"{path.name}: expected a valid ONNX model, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _ask(job: HopJob, path: Path) -> None:
    model = onnx.load(str(path), load_external_data=False)
    inputs = read_inputs(model, job.request.inputs)
    run = make_run(model, path.parent)
    reference = ask_source(Source(inputs, run, lambda: find_random_operations(model)), job.request)
    write_reference(job.out / FILE_NAME, reference)
    outputs = describe_outputs(inputs, reference.samples)
    write_signature(job.out, Signature(inputs=describe_inputs(inputs), outputs=outputs))


def _write(path: Path, target: Path, options: OnnxOptions) -> None:
    opset = read_opset(path)
    wanted = options.opset or opset
    model = onnx.load(str(path), load_external_data=False)
    if wanted == opset and not options.simplify and model.ir_version <= MAX_IR_VERSION and not has_external_data(model):
        say(SPEAKER, f"kept as it is, opset {opset}")
        target.write_bytes(path.read_bytes())
        return
    model = onnx.load(str(path))
    if wanted != opset:
        say(SPEAKER, f"operator set version {opset} becomes {wanted}")
        model = _with_opset(model, wanted)
    if options.simplify:
        nodes = len(model.graph.node)
        model = simplified(model)
        say(SPEAKER, f"simplified: {nodes} nodes become {len(model.graph.node)}")
    write_model(model, target)


def _with_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises RuntimeError and its own types
        message = f"operator set version {opset}: onnx cannot convert the model: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
