"""ONNX: the source is asked node by node; to ONNX: another operator set version, precision, simplification, or only a check.

The reference comes from ONNX Runtime without any optimisation, which runs the nodes as they are written; the server's
own, optimised session has to agree with it. The graph holds its weights: nothing else could give them values, so that
the source needs not to be built twice.
"""

import msgspec
import onnx

from modelport.api.spec import FIELDS
from modelport.conversion.onnx_options import OnnxFileOptions
from modelport.conversion.shapes import fix_shapes
from modelport.steps.handover import DOUBTS, write_caveats
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport.verification.source.data import read_data
from modelport_converter.frameworks.onnx.changes.profiles import PROFILES
from modelport_converter.frameworks.onnx.changes.rewriting import Comparison, with_opset
from modelport_converter.frameworks.onnx.load import LOGGER, Model, read_model
from modelport_converter.frameworks.onnx.values import read_inputs
from modelport_converter.onnx_graphs.files import MAX_IR_VERSION, opset_of, simplified, write_model
from modelport_converter.onnx_graphs.graphs import has_external_data
from modelport_converter.onnx_graphs.precision import compute_in_float32
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, options: OnnxFileOptions) -> None:
    """Write what was asked for."""
    path = find_part(open_tree(task.model), "onnx")
    target = task.out / MODEL / "model.onnx"
    target.parent.mkdir()
    model = read_model(path, is_whole=False)
    profile = PROFILES.get(options.profile or "")
    if profile and not options.opset:
        options = msgspec.structs.replace(options, opset=min(profile.opset, opset_of(model.proto)))
    opset = options.opset or opset_of(model.proto)
    is_rewritten = opset != opset_of(model.proto) or options.simplify or bool(options.precision or profile)
    if not is_rewritten and not model.caveats and _is_kept(model.proto):
        say(LOGGER, f"kept as it is, opset {opset}")
        target.write_bytes(path.read_bytes())
        return
    model = read_model(path, is_whole=True)
    proto, caveats = _rewritten(task, model, options) if is_rewritten else model.proto, list(model.caveats)
    if profile:
        proto.ir_version = min(proto.ir_version, profile.ir_version)
        caveats += filter(None, [profile.describe_unknown(proto)])
    write_model(proto, target)
    write_caveats(task.out, caveats)


def _is_kept(proto: onnx.ModelProto) -> bool:
    return proto.ir_version <= MAX_IR_VERSION and not has_external_data(proto)


def _rewritten(task: HopTask, model: Model, options: OnnxFileOptions) -> onnx.ModelProto:
    proto, opset = model.proto, opset_of(model.proto)
    if options.precision == "float32":
        say(LOGGER, "computes in float32")
        compute_in_float32(proto)
    questions = [sample.inputs[0] for sample in read_reference(task.asked / FILE_NAME).usual]
    comparison = Comparison(questions, model.path)
    if options.opset and options.opset != opset:
        say(LOGGER, f"operator set version {opset} becomes {options.opset}")
        proto = comparison.rewrite(proto, with_opset(options.opset), f"options.opset: {options.opset}")
    if options.simplify:
        nodes = len(proto.graph.node)
        proto = comparison.rewrite(proto, simplified, "options.simplify")
        say(LOGGER, f"simplified: {nodes} nodes become {len(proto.graph.node)}")
    if options.precision in {None, "float32"}:
        return proto
    reduced = _reduced(task, proto, options)
    comparison.check_runs(reduced, f"options.precision: {options.precision}")
    return reduced


def _reduced(task: HopTask, proto: onnx.ModelProto, options: OnnxFileOptions) -> onnx.ModelProto:
    from modelport_converter.frameworks.onnx.changes import reducing  # with all of ONNX Runtime's tools

    assert options.precision
    (task.out / DOUBTS).write_bytes(msgspec.json.encode([reducing.DOUBTS[options.precision]]))
    if options.precision == "float16":
        say(LOGGER, "rounds to half precision")
        return reducing.to_float16(proto)
    samples = []
    if task.calibration:
        inputs = fix_shapes(read_inputs(proto, task.request.inputs), task.request.shapes)
        samples = read_data(task.calibration, inputs, task.request.dimensions, FIELDS["calibration"])
    say(
        LOGGER,
        f"rounds to 8 bits, ranges measured on {len(samples)} samples" if samples else "rounds weights to 8 bits",
    )
    return reducing.to_int8(proto, samples)
