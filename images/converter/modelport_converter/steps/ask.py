"""Step ask: the source model answers the samples, in its own framework. It opens model files and may run their code."""

import msgspec

from modelport.api import Signature
from modelport.contract import ConvertRequest, JobRequest, StepResult
from modelport.handover import SIGNATURE
from modelport.steps import Context, say
from modelport.verification.data import read_data
from modelport.verification.reference import FILE_NAME, write_reference
from modelport.verification.source import ask_source, describe_inputs, describe_outputs
from modelport_converter import converters
from modelport_converter.converters.job import SourceJob


def ask(context: Context) -> StepResult:
    """Leave the questions and answers, and the signature that they show."""
    request, staged = context.request, context.out_of("stage")
    assert isinstance(request, ConvertRequest)
    source = converters.open_source(SourceJob(request, staged / "source", staged / "code"))
    fed_back = {state.input for state in request.states}
    given = [each for each in source.inputs if each.name not in fed_back]
    data = read_data(staged / "data", given, request.dimensions) if request.data_digest else []
    reference = ask_source(source, request, data)
    write_reference(context.out / FILE_NAME, reference)
    signature = Signature(
        inputs=describe_inputs(source.inputs), outputs=describe_outputs(source.inputs, reference.samples)
    )
    (context.out / SIGNATURE).write_bytes(msgspec.json.encode(signature))
    say(context.name, f"{len(reference.usual)} samples and {len(reference.edges)} edges are answered")
    return StepResult(step=context.name)


def prepare(request: JobRequest) -> None:
    """Load the framework while the source is being staged."""
    assert isinstance(request, ConvertRequest)
    converters.prepare_source(request.source_format)
