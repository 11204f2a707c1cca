"""Values that the operator's tests are made of: resources, pods and Jobs as they are observed, and checked reports."""

from typing import Any

import msgspec

from modelport.api.base import API_VERSION, KIND
from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion, parse
from modelport.api.spec import Role
from modelport.api.status import OutputStatus, Status
from modelport.jobs.results import ArtifactFacts, SourceFacts, StepFailure, StepResult, VerificationFacts
from modelport_operator import reading
from modelport_operator.facts import Container, Deployment, Job, LiveObject, Observed, Peer, Pod, Termination
from modelport_operator.names import APPLIED_ANNOTATION
from modelport_operator.plan import Plan, make_plan
from modelport_operator.plan.serving.network import service
from modelport_operator.plan.serving.served import Served
from modelport_operator.platforms import Network, Platform
from modelport_operator.report import Report, Situation, make_report
from modelport_operator.report.checks import TABLE
from modelport_operator.report.conditions import FACTS
from modelport_operator.report.invariants import violations

NOW = 1_800_000_000.0
TODAY = "2027-01-15T08:00:00Z"
IMAGES = {
    name: f"registry.example/{name}@sha256:1" for name in ("converter-onnx", "converter-pytorch", "server-onnxruntime")
}
PLATFORM = Platform(images=IMAGES)
ISOLATING = msgspec.structs.replace(PLATFORM, network=Network())
"""As the chart has it by itself."""
UPGRADED = Platform(
    images={name: reference + "2" for name, reference in IMAGES.items()},
    pull_secrets=("registry",),
    otlp_endpoint="http://collector.monitoring:4317",
)
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
ARTIFACT_DIGEST = "sha256:" + "c" * 64
ONNX = {"source": {"uri": "s3://models/net.onnx"}}
SERVED = ONNX | {"serving": {"replicas": 1}}
PYTORCH = {
    "source": {
        "uri": "s3://models/net.pt",
        "digest": DIGEST,
        "format": "pytorch-state-dict",
        "secretRef": {"name": "bucket"},
        "trust": "Trusted",
        "inputs": [{"name": "image", "shape": ["batch", 3, 8, 8]}],
        "code": {"uri": "https://example.org/net.whl", "digest": OTHER_DIGEST, "factory": "net:build"},
    },
    "serving": {"replicas": 2},
}


def resource(
    spec: dict[str, Any] | None = None,
    *,
    name: str = "net",
    generation: int = 1,
    status: Status | None = None,
    annotations: dict[str, str] | None = None,
) -> ModelConversion:
    """Return a resource."""
    meta = {
        "name": name,
        "namespace": "team",
        "uid": f"uid-of-{name}",
        "generation": generation,
        "annotations": annotations or {},
    }
    parsed = parse({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec or SERVED})
    return msgspec.structs.replace(parsed, status=status or Status())


def step(
    name: str, result: StepResult | None = None, *, code: int = 0, reason: str = "", finished: float | None = None
) -> Container:
    """Return a container that ended."""
    message = msgspec.json.encode(result).decode() if result else ""
    ending = Termination(exit_code=code, reason=reason, message=message, finished=finished)
    return Container(name=name, terminated=ending)


def failed_step(name: str, reason: Reason, *, code: int = 64, message: str = "expected this, found that") -> Container:
    """Return a container that says why it failed."""
    return step(name, StepResult(step=name, failure=StepFailure(reason=reason, message=message)), code=code)


def import_steps(digest: str = DIGEST, format_name: str = "onnx", data: str | None = None) -> tuple[Container, ...]:
    """Return the containers of an Import that is done."""
    digests: dict[Role, str] = {"source": digest, "code": OTHER_DIGEST} | ({"data": data} if data else {})
    facts = SourceFacts(digests=digests, format=format_name, size_bytes=12)
    return (
        step("fetch", StepResult(step="fetch")),
        step("inspect", StepResult(step="inspect")),
        step("keep", StepResult(step="keep", source=facts)),
    )


def output(name: str = "y", error: str = "1e-7") -> OutputStatus:
    """Return the measured error of an output, whose limit is 5e-6."""
    return OutputStatus(
        name=name,
        relative_rms=error,
        max_absolute_error=error,
        excess=f"{float(error) / 5e-6:.3g}",
        limit="5e-6",
        noise_floor="1e-8",
        spread="0.9",
    )


def verify_steps(
    error: str = "1e-7",
    digest: str = ARTIFACT_DIGEST,
    *,
    hops: tuple[str, ...] = ("hop-1",),
    outputs: tuple[OutputStatus, ...] = (),
    **facts: Any,
) -> tuple[Container, ...]:
    """Return the containers of a Convert (or, without hops, Verify) that is done; ask shares the first hop's."""
    evidence = VerificationFacts(
        samples=8, outputs=list(outputs or [output(error=error)]), max_absolute_error=error, **facts
    )
    stored = ArtifactFacts(digest=digest, size_bytes=13, uri="s3://store/artifact")
    return (
        *(step(name, StepResult(step=name)) for name in ("stage", *(hops or ("ask",)), "try")),
        step("judge", StepResult(step="judge", verification=evidence)),
        step("publish", StepResult(step="publish", artifact=stored)),
    )


def pod(*containers: Container, **fields: Any) -> Pod:
    """Return a pod."""
    return Pod(
        **(
            {"name": "pod", "uid": "uid-of-pod", "created": NOW - 60, "phase": "Running", "containers": containers}
            | fields
        )
    )


def job_of(plan: Plan, *pods: Pod, **fields: Any) -> Job:
    """Return the Job that a plan creates, as it is observed later."""
    (body,) = [create.body for create in plan.create if create.body["kind"] == "Job"]
    uid, created = f"uid-of-{body['metadata']['name']}", "2027-01-15T07:59:00Z"
    made = body | {"metadata": body["metadata"] | {"uid": uid, "creationTimestamp": created}}
    return msgspec.structs.replace(reading.job(made, pods), **fields)


def plan_for(
    case: ModelConversion,
    *jobs: Job,
    deployment: Deployment | None = None,
    peers: tuple[Peer, ...] = (),
    platform: Platform = PLATFORM,
    now: float = NOW,
    **fields: Any,
) -> Plan:
    """Return the plan for what is observed."""
    observed = Observed(now=now, jobs=jobs, deployment=deployment, peers=peers, **fields)
    return make_plan(case, observed, platform)


def report_on(
    case: ModelConversion, plan: Plan, *, deployment: Deployment | None = None, now: str = TODAY, **fields: Any
) -> Report:
    """Return the report, after checking what holds for every one."""
    report = make_report(Situation(resource=case, plan=plan, deployment=deployment, **fields), now=now)
    assert list(violations(report.status, generation=case.metadata.generation, old=case.status)) == []
    check_table(report.status)
    return report


def check_table(status: Status) -> None:
    """Check that the conditions are a row of the table that is documented, and facts of the list."""
    first, *others = status.conditions
    beside = next((each.type for each in others if each.type in {"Reconciling", "Stalled"}), "")
    found = (first.status == "True", beside)
    assert any(
        (row.ready, row.abnormal) == found and first.reason in (row.reasons or set(map(str, Reason))) for row in TABLE
    ), first
    assert {each.type for each in others} - {beside} <= {name for name, _, _ in FACTS}


def with_status(case: ModelConversion, report: Report) -> ModelConversion:
    """Return the resource with the status that was written."""
    return msgspec.structs.replace(case, status=report.status)


def with_spec(case: ModelConversion, spec: dict[str, Any]) -> ModelConversion:
    """Return the resource after its spec was changed."""
    return resource(spec, name=case.metadata.name, generation=case.metadata.generation + 1, status=case.status)


def imported(case: ModelConversion) -> tuple[ModelConversion, Job]:
    """Return the resource, and its Import Job, after the Job is done and told."""
    job = job_of(plan_for(case), pod(*import_steps(format_name=case.spec.source.format or "onnx")))
    plan = plan_for(case, job)
    return with_status(case, report_on(case, plan)), job


def converted(case: ModelConversion, **steps: Any) -> tuple[ModelConversion, tuple[Job, ...]]:
    """Return the resource, and its Jobs, after its conversion is done and told."""
    case, first = imported(case)
    second = job_of(plan_for(case, first), pod(*verify_steps(**steps)))
    plan = plan_for(case, first, second)
    return with_status(case, report_on(case, plan)), (first, second)


def deployed(plan: Plan, **fields: Any) -> Deployment:
    """Return the Deployment that a plan asks for, rolled out if not said otherwise."""
    assert plan.rollout
    from modelport.encoding import canonical
    from modelport.jobs.planning import serve_request

    request = canonical(serve_request(artifact=plan.rollout.artifact_key, digest=plan.rollout.digest)).decode()
    bodies = [create.body for create in plan.create if create.body["kind"] == "Deployment"]
    wanted = bodies[0]["spec"]["replicas"] if bodies else plan.replicas or 0
    known = {
        "uid": "uid-of-deployment",
        "serving_key": plan.rollout.key,
        "artifact_digest": plan.rollout.digest,
        "image": plan.rollout.image,
        "request": request,
        "applied": next((note for body in bodies if (note := body["metadata"]["annotations"][APPLIED_ANNOTATION])), ""),
        "wanted": wanted,
        "observed_generation": 1,
        "replicas": wanted,
        "updated": wanted,
        "ready": wanted,
        "available": wanted,
    }
    return Deployment(**(known | fields))


def live_service(case: ModelConversion) -> LiveObject:
    """Return the resource's Service as it is observed."""
    assert case.spec.serving
    body = service(Served(case, case.spec.serving, PLATFORM, None, None))
    return LiveObject(kind="Service", uid="uid-of-service", body=body)


def live_objects(plan: Plan, **statuses: Any) -> tuple[LiveObject, ...]:
    """Return what a plan creates beside Jobs and the Deployment, as it is observed later, with statuses by kind."""
    bodies = [create.body for create in plan.create if create.body["kind"] not in {"Job", "Deployment"}]
    return tuple(
        LiveObject(
            kind=each["kind"],
            uid=f"uid-of-{each['kind']}",
            body=each | ({"status": statuses[each["kind"]]} if each["kind"] in statuses else {}),
        )
        for each in bodies
    )


def served(spec: dict[str, Any] | None = None) -> tuple[ModelConversion, tuple[Job, ...], Deployment]:
    """Return a resource that is Ready, with its Jobs and its Deployment."""
    case, jobs = converted(resource(spec))
    plan = plan_for(case, *jobs)
    live = deployed(plan)
    plan = plan_for(case, *jobs, deployment=live)
    return with_status(case, report_on(case, plan, deployment=live)), jobs, live


def ready(report: Report) -> tuple[str, str]:
    """Return status and reason of Ready."""
    condition = report.status.conditions[0]
    assert condition.type == "Ready"
    return condition.status, condition.reason


def held(report: Report) -> set[str]:
    """Return the conditions that hold."""
    return {each.type for each in report.status.conditions if each.status == "True"}
