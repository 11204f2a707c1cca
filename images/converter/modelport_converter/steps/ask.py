"""Step ask: the source model answers the samples, in its own framework. It opens model files and may run their code."""

import msgspec

from modelport.api.status import Signature
from modelport.jobs.requests import ConvertRequest, JobRequest
from modelport.jobs.results import StepResult
from modelport.steps.handover import SIGNATURE
from modelport.steps.runner import Context, say
from modelport.verification.performance import Measurement, measure, write_measurement
from modelport.verification.reference import FILE_NAME, write_reference
from modelport.verification.source.data import read_data
from modelport.verification.source.model import ask_source, describe_inputs, describe_outputs
from modelport_converter import frameworks
from modelport_converter.code.paths import extend_import_path
from modelport_converter.tasks import SourceTask


def ask(context: Context) -> StepResult:
    """Leave the questions and answers, and the signature that they show."""
    request, staged = context.request, context.out_of("stage")
    assert isinstance(request, ConvertRequest)
    if request.code:
        extend_import_path(request.code, staged / "code", staged / "requirements")
    source = frameworks.open_source(SourceTask(request, staged / "source", staged / "code"))
    fed_back = {state.input for state in request.states}
    given = [each for each in source.inputs if each.name not in fed_back]
    data = read_data(staged / "data", given, request.dimensions) if "data" in request.digests else []
    reference = ask_source(source, request, data)
    write_reference(context.out / FILE_NAME, reference)
    signature = Signature(
        inputs=describe_inputs(source.inputs), outputs=describe_outputs(source.inputs, reference.samples)
    )
    (context.out / SIGNATURE).write_bytes(msgspec.json.encode(signature))
    run = source.run_unwatched or source.run
    write_measurement(context.out, Measurement(questions=measure(run, reference.usual)))
    say(context.name, f"{len(reference.usual)} samples and {len(reference.edges)} edges are answered")
    return StepResult(step=context.name)


def prepare(request: JobRequest) -> None:
    """Load the framework while the source is being staged."""
    assert isinstance(request, ConvertRequest)
    frameworks.prepare_source(request.source_format)
