"""The operator's plan, and its plans after that: each Job is supposed to end well, and the plan is asked again.

What a Job finds out is not known before, such as the digest of an artifact: UNKNOWN_DIGEST stands for it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from modelport.api.resource import ModelConversion
from modelport.api.spec import Role
from modelport.errors import ModelportError
from modelport.jobs.keys import locations
from modelport.jobs.requests import ConvertRequest, ImportRequest
from modelport.jobs.results import ArtifactFacts, SourceFacts, StepResult, VerificationFacts
from modelport_cli.previews.guesses import UNKNOWN_DIGEST, guess_format
from modelport_operator.facts import Container, Job, Observed, Pod, Termination
from modelport_operator.plan import Plan, isolation, make_plan
from modelport_operator.plan.progress import Work
from modelport_operator.platforms import Platform

_MOST_JOBS = 4
"""Import, Convert and Verify are three; a plan that goes on for ever would be a defect of the operator."""


class ForeseenJob(NamedTuple):
    """A Job that is wanted."""

    work: Work
    path: tuple[str, ...]
    """Formats on the way, of what converts."""
    body: dict[str, Any] | None
    """The Job to be made; None: it is there, or is made after a pause."""
    policies: tuple[dict[str, Any], ...] = ()
    """The NetworkPolicies of Jobs that are there while it is."""


class Foreseen(NamedTuple):
    """What becomes of a resource if nothing fails that has not failed yet."""

    jobs: tuple[ForeseenJob, ...]
    plan: Plan
    """The last one: what is served, or why nothing goes on."""
    unknown: ModelportError | None = None
    """Why nobody can say what comes after the last Job."""

    def children(self) -> list[dict[str, Any]]:
        """Return all objects that are made, in order."""
        made = [body for job in self.jobs for body in (*job.policies, job.body) if body]
        made += (create.body for create in self.plan.create)
        return list({(body["kind"], body["metadata"]["name"]): body for body in made}.values())


def foresee(
    resource: ModelConversion, observed: Observed, platform: Platform, *, bytes_of: Mapping[Role, str] | None = None
) -> Foreseen:
    """Return what becomes of the resource where nothing serves yet, so that all that is to serve is made.

    Nothing is observed of the line of Jobs: who waits for room gets it some time, whatever the resource says.
    `bytes_of` are the digests that an Import is supposed to find where the spec states none.
    """
    observed = msgspec.structs.replace(observed, deployment=None, objects=(), job_policies=())
    jobs: list[ForeseenJob] = []
    for _ in range(_MOST_JOBS):
        plan = make_plan(resource, observed, platform)
        work = plan.progress.work
        failed = plan.progress.failure is not None and not plan.progress.failure.retryable
        if work is None or failed or resource.spec.suspend:
            return Foreseen(tuple(jobs), plan)
        body = next((each.body for each in plan.create if each.body["kind"] == "Job"), None)
        policies = tuple(each.body for each in plan.create if each.body["kind"] == isolation.KIND)
        jobs.append(ForeseenJob(work, tuple(plan.progress.path), body, policies))
        others = tuple(job for job in observed.jobs if job.name != work.name)
        try:
            done = _done(work, resource, now=observed.now, bytes_of=bytes_of or {})
        except ModelportError as error:
            return Foreseen(tuple(jobs), plan, error)
        observed = msgspec.structs.replace(observed, jobs=(*others, done))
    raise AssertionError(f"expected at most {_MOST_JOBS} Jobs, found {[job.work.name for job in jobs]}")


def _done(work: Work, resource: ModelConversion, *, now: float, bytes_of: Mapping[Role, str]) -> Job:
    """Return the Job as it would be observed once it had ended well."""
    containers = tuple(_ended(result) for result in _results(work, resource, bytes_of))
    pod = Pod(name=work.name, uid="", created=now, phase="Succeeded", containers=containers)
    return Job(
        name=work.name,
        uid="",
        key=work.key,
        stage=work.stage.lower(),
        created=now,
        complete=True,
        finished=now,
        pods=(pod,),
    )


def _ended(result: StepResult) -> Container:
    message = msgspec.json.encode(result).decode()
    return Container(name=result.step, terminated=Termination(exit_code=0, message=message))


def _results(work: Work, resource: ModelConversion, bytes_of: Mapping[Role, str]) -> list[StepResult]:
    """Return what the steps say that a stage is for."""
    if isinstance(work.request, ImportRequest):
        return [StepResult(step="keep", source=_source(resource, bytes_of))]
    assert isinstance(work.request, ConvertRequest)
    evidence = VerificationFacts(samples=resource.spec.verification.samples, max_absolute_error="0", outputs=[])
    digest = work.request.artifact_digest or UNKNOWN_DIGEST
    stored = ArtifactFacts(digest=digest, size_bytes=0, uri="")
    return [StepResult(step="judge", verification=evidence), StepResult(step="publish", artifact=stored)]


def _source(resource: ModelConversion, bytes_of: Mapping[Role, str]) -> SourceFacts:
    source, known = resource.spec.source, resource.status.source
    digests = {
        role: location.digest or bytes_of.get(role, UNKNOWN_DIGEST) for role, location in locations(resource).items()
    }
    is_known = known and (known.uri == source.uri or known.digests.get("source") == digests["source"])
    found = source.format or (known.format if known and is_known else guess_format(source.uri))
    return SourceFacts(digests=digests, format=found, size_bytes=0)
