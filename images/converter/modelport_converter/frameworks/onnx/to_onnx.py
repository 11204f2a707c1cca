"""ONNX: the source is asked node by node; to ONNX: another operator set version, simplification, or only a check.

The reference comes from ONNX Runtime without any optimisation, which runs the nodes as they are written; the server's
own, optimised session has to agree with it. The graph holds its weights: nothing else could give them values, so that
the source needs not to be built twice.
"""

import msgspec
import onnx

from modelport.conversion.onnx_options import OnnxOptions
from modelport.steps.handover import CAVEATS
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.frameworks.onnx.load import LOGGER, Model, read_model
from modelport_converter.frameworks.onnx.rewriting import Comparison, with_opset
from modelport_converter.onnx_graphs.files import MAX_IR_VERSION, opset_of, simplified, write_model
from modelport_converter.onnx_graphs.graphs import has_external_data
from modelport_converter.onnx_graphs.precision import compute_in_float32
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Write what was asked for."""
    path = find_part(open_tree(task.model), "onnx")
    target = task.out / MODEL / "model.onnx"
    target.parent.mkdir()
    model = read_model(path, is_whole=False)
    opset = options.opset or opset_of(model.proto)
    is_rewritten = opset != opset_of(model.proto) or options.simplify or options.precision is not None
    if not is_rewritten and not model.caveats and _is_kept(model.proto):
        say(LOGGER, f"kept as it is, opset {opset}")
        target.write_bytes(path.read_bytes())
        return
    model = read_model(path, is_whole=True)
    write_model(_rewritten(task, model, options) if is_rewritten else model.proto, target)
    if model.caveats:
        (task.out / CAVEATS).write_bytes(msgspec.json.encode(model.caveats))


def _is_kept(proto: onnx.ModelProto) -> bool:
    return proto.ir_version <= MAX_IR_VERSION and not has_external_data(proto)


def _rewritten(task: HopTask, model: Model, options: OnnxOptions) -> onnx.ModelProto:
    proto, opset = model.proto, opset_of(model.proto)
    if options.precision:
        say(LOGGER, f"computes in {options.precision}")
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
    return proto
