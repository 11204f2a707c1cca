"""From a situation to the status and the Events that tell of the change."""

import msgspec

from modelport.api.status import Status
from modelport_operator.report.checks import summarise
from modelport_operator.report.conditions import aspects, conditions
from modelport_operator.report.events import Event, transitions
from modelport_operator.report.remembering import remembered
from modelport_operator.report.serving import serving_status
from modelport_operator.report.situation import Situation


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is told."""

    status: Status
    events: tuple[Event, ...] = ()


def make_report(case: Situation, *, now: str, domain: str = "cluster.local") -> Report:
    """Return the status, and the Events to post once it is written."""
    old, generation = case.resource.status, case.resource.metadata.generation
    progress = case.progress
    told = conditions(aspects(case, summarise(case)), old.conditions, generation=generation, now=now)
    status = Status(
        observed_generation=generation,
        conditions=told,
        # what is known from before stays until something takes its place: the conditions say what is of this spec
        source=progress.source or old.source,
        path=progress.path or old.path,
        refused=list(progress.refused) if progress.paths else old.refused,
        artifact=progress.artifact or old.artifact,
        verification=progress.verification or (old.verification if progress.artifact in {None, old.artifact} else None),
        serving=serving_status(case, domain=domain),
        failure=case.failure,
        failures=remembered(case),
        last_handled_retry_at=case.plan.handled_retry or old.last_handled_retry_at,
    )
    return Report(status=status, events=transitions(old.conditions, told))
