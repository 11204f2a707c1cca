"""From stage to stage: what is created when, what is reused, what is kept by an upgrade."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.api.resource import parse
from modelport.api.status import Status, read_status
from modelport.errors import ModelportError
from modelport.jobs.keys import SAMPLES_VERSION
from modelport.jobs.results import StepResult
from modelport_operator.facts import Container, Peer
from modelport_operator.names import APPLIED_ANNOTATION
from modelport_operator.plan import Plan
from unit.operator.scenes import (
    ARTIFACT_DIGEST,
    DIGEST,
    NOW,
    ONNX,
    OTHER_DIGEST,
    PLATFORM,
    PYTORCH,
    SERVED,
    UPGRADED,
    converted,
    deployed,
    failed_step,
    import_steps,
    imported,
    job_of,
    live_service,
    output,
    plan_for,
    pod,
    report_on,
    resource,
    served,
    step,
    verify_steps,
    with_spec,
    with_status,
)


def created(plan: Plan) -> list[str]:
    return [
        create.body["metadata"]["name"].rsplit("-", 1)[0] if create.body["kind"] == "Job" else create.body["kind"]
        for create in plan.create
    ]


def peer_of(case, name="peer"):
    status = case.status
    return Peer(name=name, source=status.source, artifact=status.artifact, verification=status.verification)


def test_the_first_thing_is_to_import():
    plan = plan_for(resource())
    assert created(plan) == ["net-import"]
    assert (plan.delete, plan.apply) == ((), ())


def test_convert_begins_when_the_steps_of_import_have_ended_without_the_jobs_condition():
    case = resource()
    job = job_of(plan_for(case), pod(*import_steps()))
    assert not job.complete
    plan = plan_for(case, job)
    assert created(plan) == ["net-convert"]
    assert plan.progress.source.digests["source"] == DIGEST
    assert plan.delete == ()


def test_the_source_stays_pinned_when_its_job_is_gone():
    case, _ = imported(resource())
    plan = plan_for(case)
    assert created(plan) == ["net-convert"]


def test_refreshing_imports_once_more_and_keeps_an_equal_artifact():
    case, _jobs, live = served()
    asked = resource(SERVED, status=case.status, annotations={"modelport.dev/refresh": "now"})
    plan = plan_for(asked, deployment=live)
    assert created(plan) == ["net-import", "Service"]
    done = plan_for(asked, job_of(plan, pod(*import_steps())), deployment=live)
    assert (created(done), done.apply) == (["Service"], ())
    assert done.progress.verified


def test_serving_is_created_once_the_artifact_is_verified():
    case, jobs = converted(resource())
    plan = plan_for(case, *jobs)
    assert created(plan) == ["Deployment", "Service"]
    assert plan.rollout.digest == ARTIFACT_DIGEST


def test_nothing_is_to_be_done_about_what_is_ready():
    case, jobs, live = served()
    found = live_service(case)
    plan = plan_for(case, *jobs, deployment=live, objects=(found,))
    assert (plan.create, plan.apply, plan.delete, plan.look_again) == ((), (), (), None)
    report = report_on(case, plan, deployment=live)
    assert report.status == case.status
    assert report.events == ()


def test_an_upgrade_of_the_operator_does_nothing():
    case, jobs, live = served()
    found = live_service(case)
    plan = plan_for(case, *jobs, deployment=live, objects=(found,), platform=UPGRADED)
    assert (plan.create, plan.apply, plan.delete) == ((), (), ())
    assert report_on(case, plan, deployment=live).status == case.status


MORE_MEMORY = ONNX | {"serving": {"replicas": 1, "resources": {"limits": {"memory": "1Gi"}}}}
BATCHED = ONNX | {"serving": {"replicas": 1, "batching": {"maxSize": 8}}}


def test_batching_changes_the_pods_and_keeps_the_image_that_verified():
    case, jobs, live = served()
    (change,) = plan_for(with_spec(case, BATCHED), *jobs, deployment=live, platform=UPGRADED).apply
    server = change.body["spec"]["template"]["spec"]["containers"][0]
    assert {"--grpc-port", "--max-batch-size"} <= set(server["command"])
    assert server["image"] == PLATFORM.images["server-onnxruntime"]
    assert {each["name"] for each in server["env"]} >= {"OTEL_SERVICE_NAME"}, "pods that are made anew get the rest"


def test_servers_that_cannot_be_pulled_get_the_secret_that_the_operator_was_told_of_since():
    case, jobs, live = served()
    stuck = pod(Container(name="server", waiting="ErrImagePull"), phase="Pending", serving_key=live.serving_key)
    live = msgspec.structs.replace(live, available=0, ready=0, pods=(stuck,))
    (change,) = plan_for(case, *jobs, deployment=live, platform=UPGRADED).apply
    assert change.body["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    applied = change.body["metadata"]["annotations"][APPLIED_ANNOTATION]
    told = msgspec.structs.replace(live, applied=applied)
    assert plan_for(case, *jobs, deployment=told, platform=UPGRADED).apply == ()
    assert plan_for(case, *jobs, deployment=live).apply == ()


def test_a_new_spec_converts_anew_while_the_old_artifact_is_left_alone():
    case, jobs, live = served()
    changed = with_spec(case, SERVED | {"target": {"options": {"opset": 18}}})
    plan = plan_for(changed, *jobs, deployment=live)
    assert created(plan) == ["net-convert", "Service"]
    assert [child.name for child in plan.delete] == [jobs[1].name]
    assert plan.apply == ()


def test_going_back_to_the_spec_before_needs_no_conversion():
    case, jobs, live = served()
    changed = with_spec(case, SERVED | {"target": {"options": {"opset": 18}}})
    plan = plan_for(changed, *jobs, deployment=live)
    back = with_spec(with_status(changed, report_on(changed, plan, deployment=live)), SERVED)
    plan = plan_for(back, jobs[0], deployment=live)
    assert plan.progress.verified
    assert created(plan) == ["Service"]


def test_other_resources_for_serving_change_the_deployment_only():
    case, jobs, live = served()
    changed = with_spec(case, ONNX | {"serving": {"replicas": 1, "resources": {"limits": {"memory": "1Gi"}}}})
    plan = plan_for(changed, *jobs, deployment=live)
    (change,) = plan.apply
    assert change.uid == live.uid
    assert "replicas" not in change.body["spec"]
    assert change.body["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "1Gi"


def test_replicas_alone_change_no_pod():
    case, jobs, live = served()
    plan = plan_for(with_spec(case, ONNX | {"serving": {"replicas": 5}}), *jobs, deployment=live)
    assert (plan.apply, plan.replicas) == ((), 5)


def test_a_foreign_change_of_the_image_is_taken_back():
    case, jobs, live = served()
    plan = plan_for(case, *jobs, deployment=msgspec.structs.replace(live, image="mine:1"), platform=UPGRADED)
    (change,) = plan.apply
    server = change.body["spec"]["template"]["spec"]["containers"][0]
    assert (server["image"], len(server["ports"])) == (live.image, 2)


def test_serving_left_out_is_taken_down():
    case, jobs, live = served()
    found = live_service(case)
    plan = plan_for(with_spec(case, ONNX), *jobs, deployment=live, objects=(found,))
    assert {(child.kind, child.uid) for child in plan.delete} == {("Deployment", live.uid), ("Service", found.uid)}


def test_a_service_that_is_gone_is_made_anew_even_while_converting():
    case, jobs, live = served()
    changed = with_spec(case, SERVED | {"target": {"options": {"opset": 18}}})
    assert "Service" in created(plan_for(changed, *jobs, deployment=live))


def test_a_source_whose_digest_is_known_is_not_imported():
    known, _ = imported(resource())
    asked = resource({"source": {"uri": "https://elsewhere/net.onnx", "digest": DIGEST}}, name="other")
    plan = plan_for(asked, peers=(peer_of(known),))
    assert created(plan) == ["other-convert"]
    assert plan.progress.source.uri == "https://elsewhere/net.onnx"


def test_a_source_of_another_digest_or_format_is_imported():
    known, _ = imported(resource())
    other = resource({"source": {"uri": "s3://x/y", "digest": OTHER_DIGEST}}, name="other")
    assert created(plan_for(other, peers=(peer_of(known),))) == ["other-import"]
    format_given = resource({**PYTORCH, "source": PYTORCH["source"] | {"digest": DIGEST}}, name="other")
    assert created(plan_for(format_given, peers=(peer_of(known),))) == ["other-import"]


def test_the_artifact_of_another_resource_is_reused():
    peer, _jobs, _live = served()
    case, first = imported(resource(ONNX, name="copy"))
    plan = plan_for(case, first, peers=(peer_of(peer),))
    assert created(plan) == []
    assert plan.progress.verified
    assert plan.progress.artifact.reused
    assert plan.progress.artifact.digest == ARTIFACT_DIGEST


def test_a_stricter_tolerance_judges_the_stored_errors_of_a_reused_artifact():
    peer, _jobs, _live = served()
    strict = ONNX | {"verification": {"tolerance": {"relative": 1e-9}}}
    case, first = imported(resource(strict, name="copy"))
    plan = plan_for(case, first, peers=(peer_of(peer),))
    assert created(plan) == []
    assert plan.progress.failure.reason == Reason.VERIFICATION_FAILED
    assert not plan.progress.failure.retryable


def test_other_samples_verify_the_reused_artifact_again():
    peer, _jobs, _live = served()
    case, first = imported(resource(ONNX | {"verification": {"samples": 16}}, name="copy"))
    plan = plan_for(case, first, peers=(peer_of(peer),))
    assert created(plan) == ["copy-verify"]
    again = job_of(plan, pod(*verify_steps(hops=(), digest=OTHER_DIGEST)))
    done = plan_for(case, first, again, peers=(peer_of(peer),))
    assert done.progress.verified
    assert done.progress.artifact.digest == OTHER_DIGEST
    settled = with_status(case, report_on(case, done))
    assert created(plan_for(settled, first, again)) == []


@pytest.mark.parametrize(
    "verification",
    [
        {"outputs": {"y": {"relative": 0.1}}},
        {"tolerance": {"relative": 0.1}},
        {"edges": "Enforce"},
    ],
)
def test_evidence_that_was_cut_is_never_judged_anew(verification):
    case, jobs = converted(resource(), truncated=True)
    changed = with_spec(case, SERVED | {"verification": verification})
    plan = plan_for(changed, *jobs)
    assert created(plan) == ["net-verify"]
    again = job_of(plan, pod(*verify_steps(hops=(), truncated=True)))
    told = with_status(changed, report_on(changed, plan_for(changed, jobs[0], again)))
    assert plan_for(told, jobs[0], again).progress.verified
    assert created(plan_for(told, jobs[0], again)) == ["Deployment", "Service"]


@pytest.mark.parametrize("truncated", [False, True])
def test_what_was_only_reported_is_converted_again_before_it_is_served(truncated):
    """Its converter may have kept doubts that it refuses where nothing is only reported."""
    reported = resource(ONNX | {"verification": {"policy": "Report"}})
    case, jobs = converted(reported, error="0.1", truncated=truncated)
    assert plan_for(case, *jobs).progress.verified
    changed = with_spec(case, SERVED)
    plan = plan_for(changed, *jobs)
    assert (created(plan), plan.rollout) == (["net-convert"], None)
    done = (step(name, StepResult(step=name)) for name in ("stage", "hop-1", "try"))
    refused = pod(*done, failed_step("judge", Reason.VERIFICATION_FAILED), phase="Failed")
    after = plan_for(changed, jobs[0], job_of(plan, refused, failed="PodFailurePolicy"))
    assert (after.progress.failure.reason, after.rollout) == (Reason.VERIFICATION_FAILED, None)


@pytest.mark.parametrize("metric", ["top1", "iou", "cosine"])
def test_a_metric_that_was_not_measured_is(metric):
    case, jobs = converted(resource())
    changed = with_spec(case, SERVED | {"verification": {"outputs": {"y": {metric: 0.9}}}})
    plan = plan_for(changed, *jobs)
    assert created(plan) == ["net-verify"]
    measured = msgspec.structs.replace(output(), metrics={metric: "0.95"})
    again = job_of(plan, pod(*verify_steps(hops=(), outputs=(measured,))))
    told = with_status(changed, report_on(changed, plan_for(changed, jobs[0], again)))
    assert plan_for(told, jobs[0], again).progress.verified
    stricter = with_spec(told, SERVED | {"verification": {"outputs": {"y": {metric: 0.99}}}})
    after = plan_for(stricter, jobs[0], again)
    assert (created(after), after.progress.failure.reason) == ([], Reason.VERIFICATION_FAILED)


def test_a_difference_on_edges_fails_where_it_is_asked_for():
    case, jobs = converted(resource(), edges="output y: relative RMS 0.2 on ties")
    assert case.status.verification.edges == "output y: relative RMS 0.2 on ties"
    assert plan_for(case, *jobs).progress.verified
    strict = plan_for(with_spec(case, SERVED | {"verification": {"edges": "Enforce"}}), *jobs)
    assert strict.progress.failure.reason == Reason.VERIFICATION_FAILED
    assert "on ties" in strict.progress.failure.message


def test_what_a_user_must_know_is_in_the_status():
    case, _ = converted(resource(), caveats=["the length 8 was baked in"], reference=DIGEST)
    assert case.status.verification.caveats == ["the length 8 was baked in"]
    assert case.status.verification.reference == DIGEST


def test_other_samples_of_the_users_own_convert_anew_because_lengths_follow_from_them():
    def asked(digest):
        return SERVED | {"verification": {"data": {"uri": "s3://team/samples.npz", "digest": digest}}}

    case, jobs = converted(resource())
    changed = with_spec(case, asked(OTHER_DIGEST))
    plan = plan_for(changed, *jobs)
    assert created(plan) == ["net-import"]
    again = job_of(plan, pod(*import_steps(data=OTHER_DIGEST)))
    after = plan_for(changed, again, jobs[1])
    assert created(after) == ["net-convert"]
    assert after.progress.source.digests["data"] == OTHER_DIGEST
    assert after.progress.work.request.digests["data"] == OTHER_DIGEST


def test_a_looser_tolerance_lets_a_stored_artifact_pass():
    peer, _jobs, _live = served()
    strict = ONNX | {"verification": {"tolerance": {"relative": 1e-9}}}
    case, first = imported(resource(strict, name="copy"))
    failed = with_status(case, report_on(case, plan_for(case, first, peers=(peer_of(peer),))))
    assert plan_for(with_spec(failed, ONNX), first).progress.verified


def test_report_does_not_judge():
    lax = {"policy": "Report", "tolerance": {"relative": 1e-3}}
    case, jobs = converted(resource(ONNX | {"verification": lax}), error="0.1")
    assert plan_for(case, *jobs).progress.verified
    strict = with_spec(case, ONNX | {"verification": lax | {"tolerance": {"relative": 1e-9}}})
    plan = plan_for(strict, *jobs)
    assert (created(plan), plan.progress.verified) == ([], True)


def test_nothing_starts_while_suspended():
    plan = plan_for(resource(SERVED | {"suspend": True}))
    assert (plan.create, plan.apply, plan.delete) == ((), (), ())
    case, jobs = converted(resource(SERVED))
    suspended = with_spec(case, SERVED | {"suspend": True})
    assert plan_for(suspended, *jobs).create == ()


def test_what_the_schema_cannot_tell_is_told_before_bytes_are_moved():
    spec = {"source": PYTORCH["source"] | {"inputs": []}}
    plan = plan_for(resource(spec))
    assert plan.create == ()
    assert plan.progress.failure.reason == Reason.INPUTS_NEEDED


def test_an_unknown_option_is_told_with_the_nearest_name():
    case, first = imported(resource(ONNX | {"target": {"options": {"opsett": 3}}}))
    plan = plan_for(case, first)
    assert plan.progress.failure.reason == Reason.INVALID_SPEC
    assert "opset?" in plan.progress.failure.message


def test_a_request_that_does_not_fit_is_refused():
    arguments = {"table": "x" * 70_000}
    source = PYTORCH["source"] | {"code": PYTORCH["source"]["code"] | {"arguments": arguments}}
    case = resource({"source": source})
    steps = import_steps(format_name="pytorch-state-dict")
    plan = plan_for(case, job_of(plan_for(case), pod(*steps)))
    assert plan.progress.failure.reason == Reason.INVALID_SPEC
    assert "65536 bytes" in plan.progress.failure.message


def test_a_foreign_object_in_the_way_stops_everything_that_serves():
    plan = plan_for(resource(), foreign=("Service net",))
    assert plan.create == ()
    assert plan.progress.failure.reason == Reason.NAME_CONFLICT
    assert plan_for(resource(ONNX), foreign=("Service net",)).create


def test_a_step_cannot_speak_for_another():
    case, first = imported(resource())
    forged = (*verify_steps()[:1], msgspec.structs.replace(verify_steps()[3], name="hop-1"))
    silent = tuple(
        msgspec.structs.replace(each, terminated=msgspec.structs.replace(each.terminated, message=""))
        for each in verify_steps()[2:]
    )
    job = job_of(plan_for(case, first), pod(*forged, *silent))
    plan = plan_for(case, first, job)
    assert plan.progress.artifact is None
    assert plan.progress.failure.reason == Reason.CONVERTER_CRASHED


def test_the_image_that_verified_serves():
    case, jobs = converted(resource())
    plan = plan_for(case, *jobs, platform=UPGRADED)
    assert plan.rollout.image == case.status.verification.image
    assert deployed(plan).image == "registry.example/server-onnxruntime@sha256:1"


def test_a_service_that_differs_is_applied():
    case, jobs, live = served()
    found = live_service(case)
    found.body["spec"]["selector"] = {"app": "mine"}
    (change,) = plan_for(case, *jobs, deployment=live, objects=(found,)).apply
    assert (change.body["kind"], change.uid) == ("Service", "uid-of-service")


def test_the_options_of_a_path_are_checked_once_the_format_is_known():
    case = resource(ONNX | {"target": {"options": {"opset": 99}}})
    plan = plan_for(case, job_of(plan_for(case), pod(*import_steps())))
    assert plan.progress.failure.reason == Reason.INVALID_SPEC
    assert plan.progress.source.digests["source"] == DIGEST


def test_code_of_another_digest_is_imported():
    case, _ = imported(resource(PYTORCH))
    source = PYTORCH["source"] | {"code": PYTORCH["source"]["code"] | {"digest": DIGEST}}
    asked = resource({"source": source}, name="other")
    assert created(plan_for(asked, peers=(peer_of(case),))) == ["other-import"]


def test_a_source_without_a_digest_is_always_imported():
    case, _ = imported(resource(ONNX))
    moved = with_spec(case, {"source": {"uri": "s3://models/moved.onnx"}})
    assert created(plan_for(moved)) == ["net-import"]


def test_an_artifact_without_evidence_is_verified_again():
    case, jobs = converted(resource())
    bare = with_status(case, report_on(case, plan_for(case, *jobs)))
    bare = msgspec.structs.replace(bare, status=msgspec.structs.replace(bare.status, verification=None))
    assert created(plan_for(bare)) == ["net-verify"]


def test_an_import_that_failed_is_not_undone_by_another_resources_success():
    known, _ = imported(resource())
    asked = resource({"source": {"uri": "https://elsewhere/net.onnx", "digest": DIGEST}}, name="other")
    denied = pod(failed_step("fetch", Reason.SOURCE_ACCESS_DENIED), phase="Failed")
    job = job_of(plan_for(asked), denied, failed="PodFailurePolicy")
    plan = plan_for(asked, job, peers=(peer_of(known),))
    assert plan.progress.failure.reason == Reason.SOURCE_ACCESS_DENIED
    told = with_status(asked, report_on(asked, plan))
    assert plan_for(told, peers=(peer_of(known),)).progress.failure.reason == Reason.SOURCE_ACCESS_DENIED


def stale(status, **changes):
    """Return a status, as the API server has it, whose evidence another version wrote: None takes a field away."""
    body = msgspec.to_builtins(status)
    for name, value in changes.items():
        body["verification"][name] = value
        if value is None:
            del body["verification"][name]
    return read_status(body)


@pytest.mark.parametrize("facts", [{}, {"truncated": True}, {"edges": "output y: ties"}])
def test_an_upgrade_that_samples_and_judges_otherwise_starts_nothing_and_changes_no_pod(facts, monkeypatch):
    case, jobs = converted(resource(), **facts)
    live = deployed(plan_for(case, *jobs))
    monkeypatch.setattr("modelport.jobs.keys.SAMPLES_VERSION", SAMPLES_VERSION + 1)
    monkeypatch.setattr(
        "modelport_operator.plan.stages.judge", lambda *_: ModelportError(Reason.VERIFICATION_FAILED, "no")
    )
    for seen in (jobs, ()):  # with pods and Jobs, and after they were cleaned up
        plan = plan_for(case, *seen, deployment=live, platform=UPGRADED, objects=(live_service(case),))
        assert (created(plan), plan.apply, plan.delete, plan.progress.verified) == ([], (), (), True)
        assert report_on(case, plan, deployment=live).status.verification == case.status.verification


def test_cut_evidence_that_was_judged_is_not_measured_again_when_its_pods_are_gone():
    case, _ = converted(resource(), truncated=True)
    assert created(plan_for(case)) == ["Deployment", "Service"]
    back = with_spec(with_spec(case, SERVED | {"verification": {"edges": "Enforce"}}), SERVED)
    assert plan_for(back).progress.verified


def test_evidence_that_was_judged_for_one_is_not_judged_for_another():
    peer, _ = converted(resource(ONNX | {"verification": {"tolerance": {"relative": 0.5}}}), truncated=True)
    same = ONNX | {"verification": {"tolerance": {"relative": 0.5}}}
    for spec, wanted in ((same, []), (ONNX, ["copy-verify"])):
        case, first = imported(resource(spec, name="copy"))
        plan = plan_for(case, first, peers=(peer_of(peer),))
        assert (created(plan), plan.progress.verified) == (wanted, not wanted)


def test_a_tolerance_that_stored_errors_satisfy_is_noted_with_them():
    case, jobs = converted(resource())
    lax = with_spec(case, SERVED | {"verification": {"tolerance": {"relative": 0.1}}})
    told = with_status(lax, report_on(lax, plan_for(lax, *jobs)))
    assert told.status.verification.judged not in {"", case.status.verification.judged}


def test_a_status_that_another_version_wrote_is_read_as_far_as_it_goes():
    case, jobs = converted(resource())
    (before,) = msgspec.to_builtins(case.status.verification.outputs)
    old = {name: value for name, value in before.items() if name not in {"excess", "limit", "comparison"}}
    lacking = msgspec.structs.replace(case, status=stale(case.status, outputs=[old], judged=None))
    assert created(plan_for(lacking, jobs[0])) == ["net-verify"]
    unreadable = msgspec.structs.replace(case, status=stale(case.status, outputs=[{"name": 1}]))
    assert (unreadable.status.verification, unreadable.status.artifact) == (None, case.status.artifact)
    assert created(plan_for(unreadable, jobs[0])) == ["net-verify"]
    body = msgspec.to_builtins(case) | {"status": {"verification": 1, "observedGeneration": 7}}
    assert parse(body).status == Status(observed_generation=7)
    assert read_status(None) == read_status("x") == read_status({"conditions": 1}) == Status()


# --- work that is not lost ------------------------------------------------------------------------------------------


def _converting(spec=None):
    """Return a resource whose conversion runs, and its Jobs."""
    case, first = imported(resource(spec or SERVED))
    running = job_of(plan_for(case, first), pod(step("stage", StepResult(step="stage")), Container(name="hop-1")))
    return with_status(case, report_on(case, plan_for(case, first, running))), (first, running)


def test_a_conversion_goes_on_when_the_operator_gets_other_images_and_is_recorded_with_those_that_it_had():
    case, (first, running) = _converting()
    plan = plan_for(case, first, running, platform=UPGRADED)
    assert (plan.create, plan.delete) == ((), ())
    done = msgspec.structs.replace(running, pods=(pod(*verify_steps()),))
    plan = plan_for(case, first, done, platform=UPGRADED)
    assert plan.progress.verified
    assert plan.rollout.image == PLATFORM.images["server-onnxruntime"]
    ready_case = with_status(case, report_on(case, plan))
    later = plan_for(ready_case, first, done, platform=UPGRADED)
    assert later.delete == ()
    assert not any(create.body["kind"] == "Job" for create in later.create)


def test_a_verification_goes_on_when_the_operator_gets_other_images():
    case, jobs = converted(resource(SERVED))
    again = with_spec(case, SERVED | {"verification": {"samples": 16}})
    running = job_of(plan_for(again, *jobs), pod(step("stage", StepResult(step="stage")), Container(name="ask")))
    assert running.stage == "verify"
    plan = plan_for(again, *jobs, running, platform=UPGRADED)
    assert not any(create.body["kind"] == "Job" for create in plan.create)
    assert running.name not in {each.name for each in plan.delete}


def test_a_conversion_that_fails_is_begun_anew_with_the_images_of_today():
    case, (first, running) = _converting()
    ended = pod(step("stage", StepResult(step="stage")), step("hop-1", code=139), phase="Failed")
    failed = msgspec.structs.replace(running, pods=(ended,), failed="PodFailurePolicy", finished=NOW)
    (create,) = plan_for(case, first, failed, platform=UPGRADED).create
    assert create.body["metadata"]["name"] != running.name


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"options": {"opset": 18}}},
        {"conversion": {"timeoutSeconds": 60}},
        {"source": {"uri": "s3://models/b.onnx"}},
    ],
)
def test_work_that_is_asked_for_no_more_ends(change):
    case, jobs = _converting()
    edited = with_spec(case, SERVED | change)
    assert jobs[1].name in {each.name for each in plan_for(edited, *jobs, platform=UPGRADED).delete}


def test_an_edit_that_cannot_be_done_ends_no_work():
    case, jobs = _converting()
    wrong = with_spec(case, SERVED | {"target": {"options": {"opsett": 18}}})
    plan = plan_for(wrong, *jobs)
    assert plan.progress.failure.reason == Reason.INVALID_SPEC
    assert plan.delete == ()
    taken_back = with_spec(with_status(wrong, report_on(wrong, plan)), SERVED)
    assert plan_for(taken_back, *jobs).create == ()


def test_jobs_that_ended_long_ago_are_cleared_away_and_nothing_is_done_again():
    case, jobs, live = served()
    old = [msgspec.structs.replace(job, complete=True, finished=NOW - 60) for job in jobs]
    assert plan_for(case, *old, deployment=live).delete == ()
    later = plan_for(case, *old, deployment=live, now=NOW + 3600)
    assert {each.name for each in later.delete} == {job.name for job in jobs}
    without = plan_for(case, deployment=live, now=NOW + 3600)
    assert not any(create.body["kind"] == "Job" for create in without.create)
    assert report_on(case, without, deployment=live).status == case.status


def test_a_job_whose_results_nobody_has_read_is_kept():
    case, first = imported(resource(SERVED))
    done = job_of(plan_for(case, first), pod(*verify_steps()), complete=True, finished=NOW - 99999)
    assert done.name not in {each.name for each in plan_for(case, first, done).delete}


def test_a_failure_for_good_outlives_its_job():
    case = resource(ONNX)
    ended = pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed")
    job = job_of(plan_for(case), ended, failed="PodFailurePolicy", finished=NOW - 3600)
    assert plan_for(case, job).delete == ()
    told = with_status(case, report_on(case, plan_for(case, job)))
    assert [each.name for each in plan_for(told, job).delete] == [job.name]
    assert plan_for(told).create == ()


def _tried(attempt):
    """Return a resource whose Import could not reach its source so often, as its status tells, and the Job."""
    case = resource(SERVED)
    ended = pod(failed_step("fetch", Reason.SOURCE_UNREACHABLE, code=75), phase="Failed")
    job = job_of(plan_for(case), ended, attempt=attempt, failed="BackoffLimitExceeded", finished=NOW)
    return with_status(case, report_on(case, plan_for(case, job))), job


@pytest.mark.parametrize("between", [{"foreign": ("Service net",)}, {}], ids=["a taken name", "a wrong edit"])
def test_attempts_count_on_whatever_else_goes_wrong(between):
    case, job = _tried(4)
    wrong = case if between else with_spec(case, SERVED | {"source": {"uri": "s3://models/net.onnx", "format": "none"}})
    plan = plan_for(wrong, job, **between)
    told = with_status(wrong, report_on(wrong, plan))
    assert told.status.failure.reason in {Reason.NAME_CONFLICT, Reason.INVALID_SPEC}
    assert [each.attempts for each in told.status.failures] == [4]
    back = with_spec(told, SERVED)
    (create,) = plan_for(back).create
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "5"


def test_failures_of_work_that_is_done_or_wanted_no_more_are_forgotten():
    case, job = _tried(2)
    done = msgspec.structs.replace(job, pods=(pod(*import_steps()),))
    assert report_on(case, plan_for(case, done)).status.failures == []
    other = with_spec(case, SERVED | {"source": {"uri": "s3://models/other.onnx"}})
    assert report_on(other, plan_for(other, job)).status.failures == []


def test_a_failure_for_good_is_not_tried_again_after_a_conflict_is_gone():
    case, first = imported(resource(SERVED))
    ended = pod(failed_step("hop-1", Reason.CONVERSION_FAILED), phase="Failed")
    job = job_of(plan_for(case, first), ended, failed="PodFailurePolicy", finished=NOW)
    failed = with_status(case, report_on(case, plan_for(case, first, job)))
    conflict = plan_for(failed, first, job, foreign=("Service net",))
    told = with_status(failed, report_on(failed, conflict))
    assert told.status.failure.reason == Reason.NAME_CONFLICT
    after = plan_for(told, first)
    assert (after.progress.failure.reason, after.create) == (Reason.CONVERSION_FAILED, ())
