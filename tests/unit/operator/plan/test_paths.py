"""Several ways to a target: the next one is taken where one fails for a reason of its own, and the status says why."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.api.status import Failure, Status, read_status
from modelport.conversion.base import Converter
from modelport.conversion.onnx_options import OnnxOptions
from modelport.frameworks import CONVERTERS, FRAMEWORKS
from modelport.jobs.refusals import name_path, refuse, tell_all
from modelport.jobs.requests import Hop
from modelport_operator.facts import Peer
from unit.operator.scenes import (
    ARTIFACT_DIGEST,
    OTHER_DIGEST,
    PLATFORM,
    PYTORCH,
    UPGRADED,
    converted,
    failed_step,
    imported,
    job_of,
    plan_for,
    pod,
    ready,
    report_on,
    resource,
    verify_steps,
    with_spec,
    with_status,
)

GATE = failed_step("judge", Reason.VERIFICATION_FAILED, message="step judge: an error of 9 times its limit")
FIRST, SECOND = "pytorch-state-dict → onnx", "pytorch-state-dict → onnx by other-exporter"


def converters_in(plan):
    (job,) = [create.body for create in plan.create if create.body["kind"] == "Job"]
    containers = job["spec"]["template"]["spec"]["containers"]
    request = next(each["value"] for each in containers[0]["env"] if each["name"] == "MODELPORT_REQUEST")
    return [name for name in ("onnx-by-other-exporter", "state-dict-to-onnx") if f'{name}"' in request]


def refused(ending=GATE):
    """Return the resource whose first path failed, and its Jobs."""
    case, first = imported(resource(PYTORCH))
    second = job_of(plan_for(case, first), pod(ending, phase="Failed"))
    plan = plan_for(case, first, second)
    return with_status(case, report_on(case, plan)), (first, second), plan


def test_the_best_path_is_taken_first():
    case, first = imported(resource(PYTORCH))
    assert converters_in(plan_for(case, first)) == ["state-dict-to-onnx"]


@pytest.mark.parametrize(
    "ending",
    [
        GATE,
        failed_step("try", Reason.RUNTIME_UNSUPPORTED),
        failed_step("hop-1", Reason.CONVERSION_FAILED),
    ],
    ids=lambda container: container.name,
)
def test_the_next_one_follows_at_once_and_the_refusal_is_told(ending):
    case, jobs, plan = refused(ending)
    assert converters_in(plan) == ["onnx-by-other-exporter"]
    (told,) = case.status.refused
    assert (told.path, case.status.path, case.status.failure) == (FIRST, SECOND.split(" → "), None)
    assert told.message
    assert ready(report_on(case, plan_for(case, *jobs)))[1] == "Converting"


@pytest.mark.parametrize(
    "ending",
    [
        failed_step("hop-1", Reason.WEIGHTS_MISMATCH),
        failed_step("hop-1", Reason.OUT_OF_MEMORY),
        failed_step("judge", Reason.VERIFICATION_INCONCLUSIVE),
        failed_step("hop-1", Reason.STEP_CRASHED, code=75),
    ],
    ids=lambda container: container.name,
)
def test_what_another_path_would_share_ends_the_first(ending):
    case, _jobs, plan = refused(ending)
    assert case.status.refused == []
    assert case.status.failure.reason in {*Reason}
    assert [create.body["kind"] for create in plan.create] == []


def test_a_refusal_is_believed_when_its_job_is_gone():
    case, (first, _), plan = refused()
    again = plan_for(case, first)
    assert converters_in(again) == converters_in(plan) == ["onnx-by-other-exporter"]
    assert report_on(case, again).status.refused == case.status.refused


def test_the_second_path_makes_the_artifact_and_the_status_keeps_why():
    case, jobs, plan = refused()
    third = job_of(plan, pod(*verify_steps()))
    done = plan_for(case, *jobs, third)
    case = with_status(case, report_on(case, done))
    assert done.progress.verified
    assert case.status.path == ["pytorch-state-dict", "onnx by other-exporter"]
    assert [each.path for each in case.status.refused] == [FIRST]
    # and later, when all Jobs are gone, and the operator is another
    for platform in (PLATFORM, UPGRADED):
        later = plan_for(case, platform=platform)
        assert [create.body["kind"] for create in later.create] == ["Deployment", "Service", "PodDisruptionBudget"]
        assert report_on(case, later).status.refused == case.status.refused


def test_all_paths_that_fail_are_told_the_best_one_first():
    case, jobs, plan = refused()
    third = job_of(plan, pod(failed_step("hop-1", Reason.CONVERSION_FAILED, message="no operator foo"), phase="Failed"))
    done = plan_for(case, *jobs, third)
    case = with_status(case, report_on(case, done))
    failure = case.status.failure
    assert (failure.reason, failure.retryable, failure.step) == (Reason.VERIFICATION_FAILED, False, "hop-1")
    assert failure.message == (
        "step judge: an error of 9 times its limit; pytorch-state-dict → onnx by other-exporter: step hop-1: no operator foo"
    )
    assert ready(report_on(case, done)) == ("False", Reason.VERIFICATION_FAILED)
    # nothing is tried again and nothing is told otherwise, with the Jobs or without them
    for left in ((*jobs, third), ()):
        again = plan_for(case, *left)
        assert [create.body["kind"] for create in again.create] == []
        assert report_on(case, again).status == case.status


def test_another_tolerance_gives_the_best_path_a_new_chance():
    case, jobs, _ = refused()
    looser = with_spec(case, PYTORCH | {"verification": {"tolerance": {"relative": 0.1}}})
    plan = plan_for(looser, *jobs)
    assert converters_in(plan) == ["state-dict-to-onnx"]
    assert report_on(looser, plan).status.refused == []


STRICT = PYTORCH | {"verification": {"tolerance": {"relative": 1e-9}}}


def test_an_artifact_that_a_tighter_tolerance_refuses_gives_way_to_the_next_path():
    case, jobs = converted(resource(PYTORCH))
    case = with_spec(case, STRICT)
    plan = plan_for(case, *jobs)
    assert converters_in(plan) == ["onnx-by-other-exporter"]
    case = with_status(case, report_on(case, plan))
    assert [each.path for each in case.status.refused] == [FIRST]
    assert (case.status.failure, case.status.artifact.digest) == (None, ARTIFACT_DIGEST)
    third = job_of(plan, pod(*verify_steps(error="1e-10", digest=OTHER_DIGEST)))
    for left in ((*jobs, third), ()):
        done = plan_for(case, *left)
        case = with_status(case, report_on(case, done))
        assert (done.progress.verified, case.status.artifact.digest) == (True, OTHER_DIGEST)
        assert (case.status.path[-1], [each.path for each in case.status.refused]) == (
            "onnx by other-exporter",
            [FIRST],
        )


def test_an_artifact_that_no_path_makes_well_enough_is_told_once_and_for_all():
    case, jobs = converted(resource(PYTORCH))
    case = with_spec(case, STRICT)
    plan = plan_for(case, *jobs)
    case = with_status(case, report_on(case, plan))
    third = job_of(plan, pod(GATE, phase="Failed"))
    case = with_status(case, report_on(case, plan_for(case, *jobs, third)))
    assert (case.status.failure.reason, case.status.failure.step) == (Reason.VERIFICATION_FAILED, "judge")
    assert f"; {SECOND}: step judge: an error of 9 times" in case.status.failure.message
    for left in ((*jobs, third), ()):
        again = plan_for(case, *left)
        assert [create.body["kind"] for create in again.create] == []
        assert report_on(case, again).status == case.status
    back = with_spec(case, PYTORCH)
    report = report_on(back, plan_for(back))
    assert (report.status.failure, report.status.refused) == (None, [])


def test_another_resources_artifact_that_is_not_good_enough_ends_no_path_but_its_own():
    other, _ = converted(resource(PYTORCH, name="other"))
    peer = Peer(
        name="other", source=other.status.source, artifact=other.status.artifact, verification=other.status.verification
    )
    case, first = imported(resource(STRICT))
    plan = plan_for(case, first, peers=(peer,))
    assert converters_in(plan) == ["onnx-by-other-exporter"]
    case = with_status(case, report_on(case, plan))
    assert [each.path for each in case.status.refused] == [FIRST]
    # nor does the other resource need to stay
    later = plan_for(case, first, job_of(plan))
    assert (later.create, later.delete) == ((), ())
    assert report_on(case, later).status.refused == case.status.refused


def test_what_failed_with_other_options_is_not_told_of_these():
    case, jobs = converted(resource(PYTORCH))
    other = with_spec(case, PYTORCH | {"target": {"format": "onnx", "options": {"opset": 18}}})
    third = job_of(plan_for(other, *jobs), pod(GATE, phase="Failed"))
    plan = plan_for(other, *jobs, third)
    other = with_status(other, report_on(other, plan))
    assert [each.path for each in other.status.refused] == [FIRST]
    back = with_spec(other, PYTORCH)
    report = report_on(back, plan_for(back, *jobs, third))
    assert (report.status.path, report.status.refused) == (["pytorch-state-dict", "onnx"], [])


def test_what_is_told_of_many_paths_fits_into_a_status():
    """The API server refuses a status with longer strings than the CRD says."""
    hop = Hop(converter="c", source="s" * 30, target="t" * 30, by="b" * 30, image="i")
    failure = Failure(key="k", stage="Convert", step="hop-1", reason=Reason.CONVERSION_FAILED, message="m" * 1000)
    refused = [refuse([hop] * 6, failure, key="k", inputs_key="i")] * 7
    status = Status(refused=refused, failure=tell_all(refused, failure, name_path([hop] * 6)))
    assert read_status(msgspec.to_builtins(status)) == status


def test_a_better_converter_of_an_upgrade_converts_nothing_anew(monkeypatch):
    case, jobs = converted(resource(PYTORCH))
    better = Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=1, by="better")
    monkeypatch.setitem(CONVERTERS, better.name, better)
    framework = FRAMEWORKS["pytorch"]
    monkeypatch.setitem(FRAMEWORKS, "pytorch", framework._replace(converters=(*framework.converters, better)))
    for left in (jobs, ()):
        plan = plan_for(case, *left, platform=PLATFORM)
        assert [create.body["kind"] for create in plan.create] == ["Deployment", "Service", "PodDisruptionBudget"]
        assert report_on(case, plan).status.path == ["pytorch-state-dict", "onnx"]
    new = plan_for(imported(resource(PYTORCH))[0])
    assert '"pytorch-state-dict-to-onnx-by-better"' in str(new.create[0].body)
