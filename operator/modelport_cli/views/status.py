"""Stages, failure and measured errors as text: the same for `get`, its live view and `run`."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from modelport.api.resource import ModelConversion
from modelport.api.status import Failure, Performance, Status, VerificationStatus
from modelport_cli.console import plain_table
from modelport_cli.views.stages import Stage, State, condition, is_measured, list_stages, size

_MARKS = {
    State.DONE: ("✓", "green"),
    State.FAILED: ("✗", "red"),
    State.RUNNING: ("▸", "cyan"),
    State.WAITING: ("·", "dim"),
}


def stage_line(stage: Stage) -> str:
    """Return a stage as one plain line."""
    return f"{_MARKS[stage.state][0]} {stage.name:<8} {stage.state}{': ' + stage.detail if stage.detail else ''}"


def stages_view(stages: Iterable[Stage]) -> Table:
    """Return the stages, one line each."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for stage in stages:
        mark, style = _MARKS[stage.state]
        table.add_row(Text(mark, style), stage.name, Text(stage.state, style), Text(stage.detail))
    return table


def verification_view(verification: VerificationStatus) -> Table:
    """Return the measured errors, one line per output."""
    table = plain_table(
        "OUTPUT", "COMPARED AS", "RELATIVE RMS", "LIMIT", "MAX ABS ERROR", "OF LIMIT", "WORST", "SPREAD"
    )
    for output in verification.outputs:
        table.add_row(
            output.name,
            output.comparison,
            output.relative_rms,
            output.limit,
            output.max_absolute_error,
            output.excess,
            output.worst,
            output.spread,
        )
    return table


def limit_lines(verification: VerificationStatus) -> list[str]:
    """Return what the numbers do not say: measured limits, and what a user must know."""
    edges = [f"edges: {verification.edges}"] if verification.edges else []
    costs = [_performance_line(verification.performance)] if verification.performance else []
    cut = ["some of it was left out here; the record beside the artifact has all"] if verification.truncated else []
    return [*edges, *(f"mind: {caveat}" for caveat in verification.caveats), *costs, *cut]


def _performance_line(performance: Performance) -> str:
    """Return what answers cost."""
    latencies = [
        f"{each.rows} row{'s' if each.rows != 1 else ''} in {each.p50} ms (p99 {each.p99}; the source {each.source_p50}, p99 {each.source_p99})"
        for each in performance.latencies
    ]
    loaded = f"loaded in {performance.load_milliseconds} ms, {size(performance.memory_bytes)} of memory"
    return f"answers {'; '.join([*latencies, loaded])}"


def refused_lines(status: Status) -> list[str]:
    """Return which better paths were not taken, and why."""
    return [f"not taken: {each.path}: {each.reason}: {each.message}" for each in status.refused]


def failure_lines(failure: Failure) -> list[str]:
    """Return what went wrong, what to do, and the last lines of the log."""
    lines = [f"{failure.stage} failed: {failure.reason}", f"  {failure.message}"]
    if failure.hint:
        lines.append(f"  hint: {failure.hint}")
    if failure.log_tail:
        lines += ["  log:", *(f"    {line}" for line in failure.log_tail.splitlines())]
    return lines


def resource_view(resource: ModelConversion) -> RenderableType:
    """Return everything that `get NAME` shows."""
    status = resource.status
    parts: list[RenderableType] = [Text(f"{resource.metadata.namespace}/{resource.metadata.name}", "bold")]
    ready = condition(status, "Stalled") or condition(status, "Reconciling") or condition(status, "Ready")
    if ready:
        parts.append(Text(f"{ready.reason}: {ready.message}"))
    parts.append(stages_view(list_stages(resource)))
    parts += map(Text, refused_lines(status))
    if status.failure:
        parts.append(Text("\n".join(failure_lines(status.failure))))
    if status.verification and is_measured(status):  # else it is about an earlier spec
        parts += [Text(), verification_view(status.verification), *map(Text, limit_lines(status.verification))]
    return Group(*parts)
