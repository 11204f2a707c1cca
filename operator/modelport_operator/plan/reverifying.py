"""A newer server image is taken into service for an artifact after it has passed; until then the one before it serves.

An upgrade of the operator asks nothing again by itself. Where the platform allows so many at once, each artifact is
verified by the image that the operator has now, beside what serves. What does not pass is remembered as a refusal.
"""

import msgspec

from modelport.api.status import RefusedPath
from modelport.jobs.refusals import refuse_image
from modelport_operator.plan.job_states import remember, state_of
from modelport_operator.plan.progress import Case, Progress, Renewal, Stage, Work
from modelport_operator.plan.stages import server_image, verify_work, with_evidence

replace = msgspec.structs.replace


def reverify(case: Case, progress: Progress) -> Progress:
    """Verify what serves by the server image of now, beside it; what passes serves."""
    work = _find_work(case, progress)
    if work is None:
        return progress
    known = next((each for each in case.resource.status.refused if each.key == work.key), None)
    if known:
        return _kept(progress, work, known)
    memory = remember([], stage=Stage.VERIFY, key=work.key, now=case.observed.now, conversion=case.conversion)
    state = state_of(case.observed.job(work.name), memory)
    is_suspended = case.resource.spec.suspend  # who begins nothing takes no place
    if state.start and (is_suspended or not case.observed.may_reverify):
        current = progress.current | {work.name}  # the Job before it knows how often it was tried
        return replace(progress, current=current, waits_to_reverify=not is_suspended)
    if state.results:
        return with_evidence(case, progress, work, state.results)
    if state.failure and not state.failure.retryable:
        return _kept(progress, work, refuse_image(work.image, state.failure, key=work.key))
    return replace(progress, current=progress.current | {work.name}, renewal=Renewal(work, state))


def _find_work(case: Case, progress: Progress) -> Work | None:
    """Return the Verify Job by a newer image, where there is one, and something that it could serve."""
    evidence, artifact, source = progress.verification, progress.artifact, progress.source
    if progress.halted or not (progress.verified and evidence and artifact and source and case.resource.spec.serving):
        return None
    image = server_image(case)
    if evidence.image == image or not case.platform.reverifications:
        return None
    return verify_work(case, source, artifact, image)


def _kept(progress: Progress, work: Work, refused: RefusedPath) -> Progress:
    """Return the progress with the image of before; the Job that refused the newer one stays to be looked at."""
    return replace(progress, current=progress.current | {work.name}, refused=(*progress.refused, refused))
