"""The gate as a conversion passes it: the source asked without optimisation, the candidate as a server runs it."""

import functools
from pathlib import Path

import onnx
import onnxruntime

from modelport.api import Verification
from modelport.contract import ConvertRequest, ModelportError
from modelport.verification.arrays import Tensors
from modelport.verification.judge import Finding, judge
from modelport.verification.onnx_logits import add_logits
from modelport.verification.reference import Reference
from modelport.verification.source import Source, ask_source
from modelport.verification.verify import verify
from modelport_converter.converters.onnx_asking import make_run
from mutations.nets import NETS, Net

BY_NAME = {make.__name__: make for make in NETS}
NOWHERE = Path("/nonexistent")
DEFAULT = Verification()


@functools.cache
def net_of(name: str) -> Net:
    return BY_NAME[name]()


@functools.cache
def reference_of(name: str) -> Reference:
    net = net_of(name)
    request = ConvertRequest(
        artifact_key="", verification_key="", source_digest="", source_format="onnx", hops=[], dimensions=net.dimensions
    )
    return ask_source(Source(net.inputs, make_run(net.model, NOWHERE), list), request)


def quiet_session(content: bytes, options: onnxruntime.SessionOptions | None = None) -> onnxruntime.InferenceSession:
    options = options or onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def pass_gate(
    name: str, candidate: onnx.ModelProto, options: onnxruntime.SessionOptions | None = None
) -> Finding | None:
    """Return why the candidate is refused as a conversion of the net, or None."""
    names = [output.name for output in candidate.graph.output]
    session = quiet_session(candidate.SerializeToString(), options)
    wider = onnx.ModelProto()
    wider.CopyFrom(candidate)
    logits = dict(add_logits(wider.graph))
    wider_session = quiet_session(wider.SerializeToString(), options)

    def infer(inputs: Tensors) -> Tensors:
        return dict(zip(names, session.run(names, inputs), strict=True))

    def infer_logits(inputs: Tensors) -> Tensors:
        return dict(zip(logits, wider_session.run(list(logits.values()), inputs), strict=True)) if logits else {}

    try:
        evidence = verify(reference_of(name), infer, infer_logits)
    except ModelportError as error:
        return Finding(error.reason, error.message)
    return judge(evidence.facts.outputs, DEFAULT)
