"""ONNX: the source is asked node by node; to ONNX: another operator set version, simplification, or only a check.

The reference comes from ONNX Runtime without any optimisation, which runs the nodes as they are written; the server's
own, optimised session has to agree with it. The graph holds its weights: nothing else could give them values, so that
the source needs not to be built twice.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import onnx

from modelport.contract import ModelportError
from modelport.formats.onnx import OnnxOptions
from modelport.handover import CAVEATS
from modelport.reasons import Reason
from modelport.steps import say
from modelport.verification.calls import Infer
from modelport.verification.reference import FILE_NAME, read_reference
from modelport.verification.source import Source
from modelport_converter.converters.job import MODEL, HopJob, SourceJob, the_one_file
from modelport_converter.converters.onnx_asking import make_run, make_slow_run
from modelport_converter.converters.onnx_chance import find_random_operations
from modelport_converter.converters.onnx_files import MAX_IR_VERSION, load_whole, opset_of, simplified, write_model
from modelport_converter.converters.onnx_graphs import has_external_data, infer_tensors
from modelport_converter.converters.onnx_hints import find_hints
from modelport_converter.converters.onnx_layouts import put_time_first
from modelport_converter.converters.onnx_moving import write_moved
from modelport_converter.converters.onnx_precision import compute_in_float32, find_precision
from modelport_converter.converters.onnx_rewriting import Comparison, with_opset
from modelport_converter.converters.onnx_values import read_inputs, take_probabilities

OPTIONS = OnnxOptions
MODELS = (".onnx",)
SPEAKER = "onnx"
UNKNOWN_RANK = "Field 'shape' of 'type' is required but missing"
"""What onnx's checker says of an output whose rank is not known before it is asked; runtimes take such models."""

TOO_NEW = "ir_version"
"""What it says of a file that a newer onnx wrote."""


class _Model(NamedTuple):
    """An ONNX model in the form that runtimes know."""

    path: Path
    proto: onnx.ModelProto
    caveats: list[str]
    """What was changed for it."""


def warm_up() -> None:
    """Do nothing: importing this module has loaded everything."""


def open_source(job: SourceJob) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    path = the_one_file(job.model, MODELS)
    _check(path)
    model = _read(path, is_whole=False)
    inputs = read_inputs(model.proto, job.request.inputs)
    tensors = infer_tensors(model.proto)
    return Source(
        inputs,
        _make_run(job, model),
        lambda: find_random_operations(model.proto),
        hints=find_hints(model.proto, inputs, tensors),
        precision=find_precision(model.proto, tensors),
        move_weights=lambda: _move_weights(job, path),
    )


def convert(job: HopJob, options: OnnxOptions) -> None:
    """Write what was asked for."""
    path = the_one_file(job.model, MODELS)
    target = job.out / MODEL / "model.onnx"
    target.parent.mkdir()
    model = _read(path, is_whole=False)
    opset = options.opset or opset_of(model.proto)
    is_rewritten = opset != opset_of(model.proto) or options.simplify or options.precision is not None
    if not is_rewritten and not model.caveats and _is_kept(model.proto):
        say(SPEAKER, f"kept as it is, opset {opset}")
        target.write_bytes(path.read_bytes())
        return
    model = _read(path, is_whole=True)
    write_model(_rewritten(job, model, options) if is_rewritten else model.proto, target)
    if model.caveats:
        (job.out / CAVEATS).write_bytes(msgspec.json.encode(model.caveats))


def _check(path: Path) -> None:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf and checker raise unrelated types
        told = " ".join(str(error).split())[:300]
        if UNKNOWN_RANK in told:
            return
        if TOO_NEW in told:
            message = f"{path.name}: {told} Export it with an older version of onnx"
            raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
        raise ModelportError(
            Reason.SOURCE_CORRUPT, f"{path.name}: expected a valid ONNX model, found: {told}"
        ) from error


def _read(path: Path, *, is_whole: bool) -> _Model:
    proto = load_whole(path) if is_whole else onnx.load(str(path), load_external_data=False)
    return _Model(path, proto, [*take_probabilities(proto), *put_time_first(proto)])


def _is_kept(proto: onnx.ModelProto) -> bool:
    return proto.ir_version <= MAX_IR_VERSION and not has_external_data(proto)


def _make_run(job: SourceJob, model: _Model) -> Infer:
    try:
        return make_run(model.proto, model.path)
    except ModelportError as refusal:
        # what will not be served is not asked; it may have been asked for in float32, or be verified once more
        hops = job.request.hops
        if "float64" not in refusal.message or (hops and not hops[0].options.get("precision")):
            raise
        say(SPEAKER, f"asked by onnx's own evaluator, which is slow: {refusal.message}")
        return make_slow_run(_read(model.path, is_whole=True).proto, refusal)


def _move_weights(job: SourceJob, path: Path) -> Infer:
    with TemporaryDirectory() as folder:
        moved = Path(folder) / path.name
        write_moved(path, moved)
        return _make_run(job, _read(moved, is_whole=False))


def _rewritten(job: HopJob, model: _Model, options: OnnxOptions) -> onnx.ModelProto:
    proto, opset = model.proto, opset_of(model.proto)
    if options.precision:
        say(SPEAKER, f"computes in {options.precision}")
        compute_in_float32(proto)
    questions = [sample.inputs[0] for sample in read_reference(job.asked / FILE_NAME).usual]
    comparison = Comparison(questions, model.path)
    if options.opset and options.opset != opset:
        say(SPEAKER, f"operator set version {opset} becomes {options.opset}")
        proto = comparison.rewrite(proto, with_opset(options.opset), f"options.opset: {options.opset}")
    if options.simplify:
        nodes = len(proto.graph.node)
        proto = comparison.rewrite(proto, simplified, "options.simplify")
        say(SPEAKER, f"simplified: {nodes} nodes become {len(proto.graph.node)}")
    return proto
