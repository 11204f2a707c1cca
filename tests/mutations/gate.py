"""The gate as a conversion passes it: the functions of steps ask, try and judge, without the files between them."""

import functools
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import onnx

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.verification.answers import Tried
from modelport.verification.calls import Infer, run_calls
from modelport.verification.reference import Answers, Reference, Sample
from modelport.verification.source.model import ask_source, describe_inputs, describe_outputs
from modelport.verification.verdict.evidence import evaluate
from modelport.verification.verdict.judgement import judge
from modelport_converter import frameworks
from modelport_converter.tasks import SourceTask
from modelport_server.backends.base import DEFAULT, How
from modelport_server.execution import loading
from mutations.models import model_of

RUNTIME, FILE = "onnxruntime", "model.onnx"
Wrap = Callable[[Infer], Infer]
"""What stands between who asks and the candidate, such as a server that splits batches."""


class Asked(NamedTuple):
    """What step ask leaves."""

    request: ConvertRequest
    reference: Reference
    signature: Signature


class Verdict(NamedTuple):
    """What step judge finds, and how far from the limit: 1 and less passes, infinite for what has no measure."""

    reason: Reason | None
    message: str
    excess: float


@functools.cache
def asked(name: str) -> Asked:
    """Return the answers of a model of the catalogue."""
    model = model_of(name)
    request = convert_request(inputs=model.inputs, dimensions=dict(model.dimensions), states=list(model.states))
    with tempfile.TemporaryDirectory() as folder:
        onnx.save_model(model.proto, f"{folder}/{FILE}")
        source = frameworks.open_source(SourceTask(request, Path(folder), Path(folder)))
        reference = ask_source(source, request, model.data)
    outputs = describe_outputs(source.inputs, reference.samples)
    return Asked(request, reference, Signature(inputs=describe_inputs(source.inputs), outputs=outputs))


def pass_gate(
    name: str,
    candidate: onnx.ModelProto,
    *,
    threads: int = 2,
    options: Mapping[str, str] | None = None,
    wrap: Wrap = lambda infer: infer,
) -> Verdict:
    """Return what becomes of the candidate as a conversion of the model: loaded by the server's backend, and asked."""
    request, reference, signature = asked(name)
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / FILE).write_bytes(candidate.SerializeToString())
            infer = wrap(loading.load(RUNTIME, Path(folder), [FILE], How(options or DEFAULT, threads)))
            answers = tuple(_ask(sample, infer, request) for sample in reference.samples)
        # whether rows may be joined refuses nothing, so their company is left out
        facts = evaluate(reference, Tried(answers), signature, request).facts
    except ModelportError as error:
        return Verdict(error.reason, error.message, math.inf)
    finding = judge(facts, request.verification)
    worst = max(math.inf if each.non_finite else float(each.excess) for each in facts.outputs)
    return Verdict(finding.reason if finding else None, finding.message if finding else "", worst)


def _ask(sample: Sample, infer: Infer, request: ConvertRequest) -> Answers:
    try:
        return run_calls(infer, sample.inputs, request.states)
    except Exception as error:  # a runtime's errors have no common base
        if sample.is_edge:
            return tuple({} for _ in sample.inputs)
        message = f"the converted model fails: {' '.join(str(error).split()):.300}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error
