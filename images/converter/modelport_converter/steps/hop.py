"""Step hop-n: one conversion. It opens model files and may run their code, so it has no network and no credentials."""

from modelport.jobs.requests import ConvertRequest, JobRequest
from modelport.jobs.results import StepResult
from modelport.steps.handover import read_caveats, write_caveats
from modelport.steps.runner import Context
from modelport_converter import frameworks
from modelport_converter.code.loading import list_left_out
from modelport_converter.code.paths import extend_import_path
from modelport_converter.tasks import MODEL, TUNING, HopTask


def index_of(step: str) -> int:
    """Return the number (from 1) in a step's name hop-<number>."""
    return int(step.removeprefix("hop-"))


def previous(step: str) -> str:
    """Return the step that a hop waits for."""
    return "ask" if index_of(step) == 1 else f"hop-{index_of(step) - 1}"


def hop(context: Context) -> StepResult:
    """Convert what the step before left."""
    assert isinstance(context.request, ConvertRequest)
    index, staged = index_of(context.name), context.out_of("stage")
    if context.request.code and index == 1:  # the others read no source
        extend_import_path(context.request.code, staged / "code", staged / "requirements")
    frameworks.run_converter(
        HopTask(
            request=context.request,
            hop=context.request.hops[index - 1],
            is_first=index == 1,
            model=staged / "source" if index == 1 else context.out_of(previous(context.name)) / MODEL,
            code=staged / "code",
            calibration=staged / "calibration" if "calibration" in context.request.digests else None,
            asked=context.out_of("ask"),
            out=context.out,
            tuning=staged / TUNING if (staged / TUNING).is_dir() else None,
        )
    )
    left_out = list_left_out()
    if left_out:
        write_caveats(context.out, [*left_out[:4], *read_caveats(context.out)])
    return StepResult(step=context.name)


def prepare(step: str, request: JobRequest) -> None:
    """Load the framework while the step before works."""
    assert isinstance(request, ConvertRequest)
    frameworks.prepare_hop(request, index_of(step))
