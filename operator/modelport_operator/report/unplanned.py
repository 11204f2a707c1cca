"""The status of a resource that nothing could be decided about: it cannot be read, or the decision itself failed.

What is known from before stays in it, because none of that is wrong now.
"""

from collections.abc import Iterator

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Failure, Status
from modelport.encoding import key_of
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.troubles import Trouble, failure_of
from modelport_operator.report.checks import summary_of
from modelport_operator.report.conditions import Aspect, aspects_of_whole, conditions
from modelport_operator.report.events import transitions
from modelport_operator.report.making import Report


def report_unreadable(old: Status, error: str, *, generation: int, now: str) -> Report:
    """Return what is told of a spec that this operator cannot read, such as one of a newer CRD."""
    message = f"spec: {error}; operator and CRD must be of one version"
    return _report(old, Trouble(Reason.INVALID_SPEC, message), generation=generation, now=now)


def report_fault(old: Status, error: Exception, *, generation: int, now: str) -> Report:
    """Return what is told where the operator itself failed; a message may hold what no status should."""
    message = f"the operator failed on this resource: {type(error).__name__}"
    return _report(old, Trouble(Reason.OPERATOR_FAILED, message), generation=generation, now=now)


def _report(old: Status, trouble: Trouble, *, generation: int, now: str) -> Report:
    failure = failure_of(trouble, stage=Stage.IMPORT, key=key_of([trouble.reason, trouble.message]))
    told = conditions(_aspects(old, failure), old.conditions, generation=generation, now=now)
    status = msgspec.structs.replace(old, observed_generation=generation, conditions=told, failure=failure)
    return Report(status=status, events=transitions(old.conditions, told))


def _aspects(old: Status, failure: Failure) -> Iterator[Aspect]:
    yield from aspects_of_whole(summary_of(failure))
    for each in old.conditions:  # facts, which this does not change
        if each.type not in {"Ready", "Reconciling", "Stalled"}:
            holds = None if each.status == "Unknown" else each.status == "True"
            yield Aspect(each.type, holds, each.reason, each.message)
