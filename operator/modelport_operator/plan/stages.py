"""The stages in order, each a function from how far a resource has come to how far it comes: STAGES is the story.

A stage that finds its answer (in the own status, in a finished Job, or in another resource) hands on; one that does not
names the Job it needs, or the failure, and the stages after it are not asked.
"""

from collections.abc import Callable, Mapping

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Conversion
from modelport.api.status import ArtifactStatus, Failure, RefusedPath, SourceStatus, VerificationStatus
from modelport.encoding import canonical, key_of
from modelport.errors import ModelportError
from modelport.jobs import keys, outcomes, planning
from modelport.jobs.environment import MAX_REQUEST_BYTES
from modelport.jobs.refusals import is_of_path, name_path, recall, refuse, tell_all
from modelport.jobs.requests import ConvertRequest, Hop, JobRequest, decode_request, without_images
from modelport.jobs.results import StepResult, VerificationFacts
from modelport.verification.verdict.judgement import is_complete, judge
from modelport_operator.plan.demand import in_turn
from modelport_operator.plan.job_states import Memory, remember, state_of
from modelport_operator.plan.progress import Case, Progress, Stage, Work, work_name
from modelport_operator.plan.troubles import Trouble, failure_of

replace = msgspec.structs.replace


def check_spec(case: Case, progress: Progress) -> Progress:
    """Tell what the schema cannot before bytes are moved, where the format is given."""
    given = case.resource.spec.source.format
    if given is None:
        return progress
    paths = _paths(case, given)
    return replace(progress, failure=paths, stage=Stage.IMPORT) if isinstance(paths, Failure) else progress


def import_source(case: Case, progress: Progress) -> Progress:
    """Resolve the source once; it is pinned until the spec says something else about its bytes."""
    resource = case.resource
    key = keys.source_key(resource)
    work = _work(case, Stage.IMPORT, key_of([key, _how(case)]), planning.import_request(resource), image="")
    progress = _keeping(progress, work.name)
    pinned = resource.status.source
    if pinned and pinned.key == key and pinned.digests.keys() >= keys.locations(resource).keys():
        return replace(progress, source=pinned)
    known = _known_source(case, key)
    # an Import that began is believed: another resource's success does not undo what this one was told
    if known and not _has_begun(case, work):
        return replace(progress, source=known)
    progress = _pursue(case, progress, work)
    kept = progress.job_state and progress.job_state.results and progress.job_state.results["keep"].source
    if not kept:
        return progress
    return _done(progress, source=outcomes.source_status(kept, key=key, uri=resource.spec.source.uri))


def choose_path(case: Case, progress: Progress) -> Progress:
    """Find the paths from the format that was found; the one that an artifact of ours came by stays the first."""
    source, own = progress.source, case.resource.status.artifact
    assert source is not None  # the stage before halts otherwise
    paths = _paths(case, source.format)
    if isinstance(paths, Failure):
        return replace(progress, failure=paths, stage=Stage.CONVERT)
    by_key = {_inputs_key(case, source, tuple(hops)): tuple(hops) for hops in paths}
    ranked, pinned = list(by_key), own.inputs_key if own else ""
    if pinned not in by_key:
        return replace(progress, stage=Stage.CONVERT, paths=tuple(by_key.values()))
    better = ranked[: ranked.index(pinned)]
    told = [each for each in case.resource.status.refused if each.inputs_key in better]
    by_key = {pinned: by_key[pinned], **by_key}
    return replace(progress, stage=Stage.CONVERT, paths=tuple(by_key.values()), refused=tuple(told))


def take_path(case: Case, progress: Progress) -> Progress:
    """Convert and verify by the best path that does not fail for a reason of its own; the status remembers what failed."""
    remembered = {each.key: each for each in case.resource.status.refused}
    refused: list[RefusedPath] = []
    for hops in progress.paths:
        taken = _verify(case, _along(case, progress, hops))
        failure = taken.failure
        if failure is None or failure.retryable or not (failure.key in remembered or is_of_path(failure)):
            return taken
        if hops is progress.paths[-1]:
            break
        known = remembered.get(failure.key)
        refused.append(known or refuse(hops, failure, key=failure.key, inputs_key=taken.inputs_key))
        progress = replace(progress, refused=tuple(refused), current=taken.current)
    assert failure is not None  # there is a path, and the last one ended the loop
    # what is remembered of a Job that is gone tells of all paths already
    if any(failure is each for each in case.resource.status.failures):
        return taken
    return replace(taken, failure=tell_all(refused, failure, name_path(hops)))


def _conversion(case: Case, progress: Progress, hops: tuple[Hop, ...]) -> Work:
    """Return the Convert Job of a path."""
    source, image = progress.source, server_image(case)
    assert source is not None  # the stages before halt otherwise
    key = keys.artifact_key(_inputs_key(case, source, hops), hops)
    evidence_key = _evidence_key(case, key, image)
    request = planning.convert_request(case.resource, source, path=list(hops), artifact=key, verification=evidence_key)
    return _work(case, Stage.CONVERT, _outcome_key(case, key, evidence_key), request, image=image)


def _along(case: Case, progress: Progress, hops: tuple[Hop, ...]) -> Progress:
    """Keep an artifact of the same inputs, whatever images made it, or reuse another resource's, or convert."""
    resource, source, own = case.resource, progress.source, case.resource.status.artifact
    assert source is not None  # the stages before halt otherwise
    progress = replace(progress, hops=hops, inputs_key=_inputs_key(case, source, hops))
    if own and own.inputs_key == progress.inputs_key:
        evidence = resource.status.verification
        name = work_name(resource, Stage.CONVERT, _outcome_key(case, own.key, evidence.key if evidence else ""))
        return _keeping(replace(progress, artifact=own), name)
    work = _conversion(case, progress, hops)
    request = work.request
    assert isinstance(request, ConvertRequest)
    key = request.artifact_key
    made = next((peer for peer in case.observed.peers if peer.artifact and peer.artifact.key == key), None)
    if made and made.artifact:
        return replace(progress, artifact=replace(made.artifact, inputs_key=progress.inputs_key, reused=True))
    if len(canonical(request)) > MAX_REQUEST_BYTES:
        message = f"spec: expected a request of at most {MAX_REQUEST_BYTES} bytes, found {len(canonical(request))}"
        return replace(progress, failure=_invalid(case, ModelportError(Reason.INVALID_SPEC, message)))
    work = begun(case, work)
    return _converted(case, _pursue(case, _keeping(progress, work.name), work))


def _verify(case: Case, progress: Progress) -> Progress:
    """Judge evidence by the tolerances of the spec; a Job makes it where there is none, or not enough."""
    artifact, source = progress.artifact, progress.source
    if progress.verified or artifact is None or source is None:
        return progress
    progress = replace(progress, stage=Stage.VERIFY)
    image = server_image(case)
    evidence = _evidence(case, artifact, image)
    work = verify_work(case, source, artifact, image)
    progress = _keeping(progress, work.name)
    if evidence:
        # the Job that measured it, which an upgrade of the operator leaves as it is
        key = _outcome_key(case, artifact.key, evidence.key)
        progress = _keeping(progress, work_name(case.resource, Stage.VERIFY, key))
        if evidence.judged == keys.judgement_key(case.resource.spec.verification):
            return replace(progress, verification=evidence, verified=True)
        if _can_judge(case, evidence):
            return _judged(case, progress, evidence, key=work.key)
    work = begun(case, work)
    progress = _pursue(case, _keeping(progress, work.name), work)
    results = progress.job_state.results if progress.job_state else None
    return with_evidence(case, progress, work, results) if results else progress


def verify_work(case: Case, source: SourceStatus, artifact: ArtifactStatus, image: str) -> Work:
    """Return the Verify Job of a stored artifact by a server image."""
    evidence_key = _evidence_key(case, artifact.key, image)
    request = planning.verify_request(
        case.resource, source, artifact=artifact.key, digest=artifact.digest, verification=evidence_key
    )
    return _work(case, Stage.VERIFY, _outcome_key(case, artifact.key, evidence_key), request, image=image)


def with_evidence(case: Case, progress: Progress, work: Work, results: Mapping[str, StepResult]) -> Progress:
    """Return the progress with what a Verify Job found."""
    artifact, stored, facts = progress.artifact, results["publish"].artifact, results["judge"].verification
    assert artifact is not None
    assert stored is not None  # `job_states.results_of` asks for both
    assert facts is not None
    request = work.request
    assert isinstance(request, ConvertRequest)
    return _done(
        progress,
        artifact=replace(artifact, digest=stored.digest, size_bytes=stored.size_bytes, uri=stored.uri),
        verification=_evidence_of(case, facts, key=request.verification_key, image=work.image),
        verified=True,
    )


STAGES: tuple[Callable[[Case, Progress], Progress], ...] = (
    check_spec,
    import_source,
    choose_path,
    take_path,
)


def advance(case: Case) -> Progress:
    """Return how far the resource comes with what was observed."""
    progress = Progress()
    for stage in STAGES:
        progress = stage(case, progress)
        if progress.halted:
            break
    return progress


# --- parts of the stages --------------------------------------------------------------------------------------------


def _paths(case: Case, source_format: str) -> list[list[Hop]] | Failure:
    try:
        return planning.paths(case.resource, source_format, case.platform.images)
    except ModelportError as error:
        return _invalid(case, error)


def _invalid(case: Case, error: ModelportError) -> Failure:
    return failure_of(Trouble(error.reason, error.message), stage=Stage.CONVERT, key=key_of(case.resource.spec))


def _inputs_key(case: Case, source: SourceStatus, hops: tuple[Hop, ...]) -> str:
    return keys.inputs_key(case.resource, source, hops, case.platform.architecture)


def _has_begun(case: Case, work: Work) -> bool:
    told = (each.key for each in case.resource.status.failures)
    return case.observed.job(work.name) is not None or work.key in told


def _known_source(case: Case, key: str) -> SourceStatus | None:
    """Return a source with the digests that the spec gives, from the own status or another resource's."""
    spec = case.resource.spec.source
    locations = keys.locations(case.resource)
    wanted = {role: location.digest for role, location in locations.items() if location.digest}
    if wanted.keys() != locations.keys():
        return None
    for known in (case.resource.status.source, *(peer.source for peer in case.observed.peers)):
        if known is None or spec.format not in {None, known.format}:
            continue
        if all(known.digests.get(role) == digest for role, digest in wanted.items()):
            return replace(known, key=key, uri=spec.uri, digests=wanted)
    return None


def _evidence_key(case: Case, artifact: str, image: str, *, samples_version: int | None = None) -> str:
    return keys.verification_key(
        case.resource,
        artifact=artifact,
        server_image=image,
        cpu_level=case.platform.cpu_level,
        samples_version=samples_version,
    )


def server_image(case: Case) -> str:
    """Return the server image that this operator gives to what is verified now."""
    return planning.server_image(case.resource.spec.target.format, case.platform.images)


def _outcome_key(case: Case, artifact: str, evidence: str) -> str:
    """Return the key of a Job that verifies: whatever changes it may change how the Job ends."""
    return key_of([artifact, evidence, case.resource.spec.verification, _how(case)])


def _how(case: Case) -> Conversion:
    """Return what the spec says about Jobs that changes how they end, and not only when they begin."""
    return replace(case.conversion, queue_name=None)


def _work(case: Case, stage: Stage, key: str, request: JobRequest, *, image: str) -> Work:
    inputs = ""
    if isinstance(request, ConvertRequest):
        inputs = key_of([without_images(request), _how(case)])
    name = work_name(case.resource, stage, key)
    return Work(stage=stage, key=key, name=name, request=request, image=image, inputs=inputs)


def begun(case: Case, work: Work) -> Work:
    """Return the work as it was begun with other images, whose Job goes on, or the work itself.

    An upgrade of the operator throws no conversion away that is asked for as before; what fails is begun with the images
    of today.
    """
    if case.observed.job(work.name):
        return work
    for job in case.observed.jobs:
        if job.deleting or job.inputs != work.inputs or job.stage != work.stage.lower():
            continue
        state = state_of(job, _memory(case, work.stage, job.key))
        if not state.start and state.failure is None:
            request = decode_request(job.request)
            return replace(work, key=job.key, name=job.name, request=request, image=job.server_image)
    return work


def _memory(case: Case, stage: Stage, key: str) -> Memory:
    failures, now = case.resource.status.failures, case.observed.now
    return remember(failures, stage=stage, key=key, now=now, conversion=case.conversion)


def _keeping(progress: Progress, name: str) -> Progress:
    return replace(progress, current=progress.current | {name})


def _pursue(case: Case, progress: Progress, work: Work) -> Progress:
    refused = next((each for each in case.resource.status.refused if each.key == work.key), None)
    if refused:
        return replace(progress, stage=work.stage, failure=recall(refused, stage=work.stage))
    state = state_of(case.observed.job(work.name), _memory(case, work.stage, work.key))
    state = in_turn(case, work, state)
    return replace(progress, stage=work.stage, work=work, job_state=state, failure=state.failure)


def _done(
    progress: Progress,
    *,
    source: SourceStatus | None = None,
    artifact: ArtifactStatus | None = None,
    verification: VerificationStatus | None = None,
    verified: bool = False,
) -> Progress:
    """Return the progress with a Job's results in it, and the Job no longer waited for."""
    return replace(
        progress,
        work=None,
        job_state=None,
        failure=None,
        source=source or progress.source,
        artifact=artifact or progress.artifact,
        verification=verification or progress.verification,
        verified=verified or progress.verified,
    )


def _converted(case: Case, progress: Progress) -> Progress:
    results = progress.job_state.results if progress.job_state else None
    if not results or not progress.work:
        return progress
    stored, facts = results["publish"].artifact, results["judge"].verification
    assert stored is not None  # `job_states.results_of` asks for both
    assert facts is not None
    request, target = progress.work.request, case.resource.spec.target.format
    assert isinstance(request, ConvertRequest)
    artifact_key = request.artifact_key
    return _done(
        progress,
        artifact=outcomes.artifact_status(stored, key=artifact_key, inputs_key=progress.inputs_key, format_name=target),
        verification=_evidence_of(case, facts, key=request.verification_key, image=progress.work.image),
        verified=True,
    )


def _evidence_of(case: Case, facts: VerificationFacts, *, key: str, image: str) -> VerificationStatus:
    return outcomes.verification_status(facts, key=key, judged_by=case.resource.spec.verification, image=image)


def _evidence(case: Case, artifact: ArtifactStatus, image: str) -> VerificationStatus | None:
    """Return stored evidence about the artifact: the own, by whatever image, or another resource's by the current one."""
    own = case.resource.status.verification
    if own:
        key = _evidence_key(case, artifact.key, own.image, samples_version=own.samples_version)
        if own.key == key:
            return own
    wanted = _evidence_key(case, artifact.key, image)
    for peer in case.observed.peers:
        same = peer.artifact is not None and peer.artifact.digest == artifact.digest
        if same and peer.verification and peer.verification.key == wanted:
            return peer.verification
    return None


def _can_judge(case: Case, evidence: VerificationStatus) -> bool:
    """Whether all that the spec asks for was measured and is still there; else it is measured again.

    What was left out for want of room may be what fails.
    """
    spec, outputs = case.resource.spec.verification, evidence.outputs
    whole = not evidence.truncated and all(each.excess and each.limit for each in outputs)
    return spec.policy == "Report" or (whole and is_complete(outputs, spec))


def _judged(case: Case, progress: Progress, evidence: VerificationStatus, *, key: str) -> Progress:
    spec = case.resource.spec.verification
    finding = judge(evidence, spec) if spec.policy == "Enforce" else None
    if finding is None:
        found = replace(evidence, judged=keys.judgement_key(spec))
        return replace(progress, verification=found, verified=True)
    progress = replace(progress, verification=evidence)
    failure = failure_of(
        Trouble(finding.reason, finding.message, step="judge"), stage=Stage.VERIFY, key=key, retryable=False
    )
    return replace(progress, failure=failure)
