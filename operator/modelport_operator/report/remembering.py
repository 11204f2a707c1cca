"""Which failures of Jobs the status remembers: attempts count on, whatever else goes wrong meanwhile."""

from modelport.api.status import Failure
from modelport_operator.plan.progress import Stage, work_name
from modelport_operator.report.situation import Situation

_WITH_JOBS = (Stage.IMPORT, Stage.CONVERT, Stage.VERIFY)


def remembered(case: Situation) -> list[Failure]:
    """Return how the Jobs failed that the spec still asks for and that are not done, one for each."""
    old, new = case.resource.status.failures, case.progress.failure
    if case.progress.is_about_spec:  # an edit that is taken back finds its work where it was
        return old
    by_key = {each.key: each for each in (*old, *([new] if new else []))}
    return [each for each in by_key.values() if _is_wanted(case, each)]


def _is_wanted(case: Situation, failure: Failure) -> bool:
    progress = case.progress
    done = {
        Stage.IMPORT: progress.source is not None,
        Stage.CONVERT: progress.artifact is not None,
        Stage.VERIFY: progress.verified,
    }
    names = {stage: work_name(case.resource, stage, failure.key) for stage in _WITH_JOBS}
    return any(name in progress.current and not done[stage] for stage, name in names.items())
