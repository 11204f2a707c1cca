"""What an edit would do, on resources as the operator itself leaves them."""

import msgspec
import pytest

from modelport.api.base import REFRESH_ANNOTATION, RETRY_ANNOTATION
from modelport.api.reasons import Reason
from modelport_cli.errors import CommandError
from modelport_cli.previews.changes import Act, Edit, compare
from modelport_cli.previews.telling import change_lines
from modelport_operator.facts import Observed, Peer, Turn
from unit.operator.scenes import (
    NOW,
    ONNX,
    OTHER_DIGEST,
    PLATFORM,
    SERVED,
    UPGRADED,
    converted,
    deployed,
    failed_step,
    imported,
    job_of,
    plan_for,
    pod,
    report_on,
    resource,
    served,
    with_spec,
    with_status,
)


def edited(spec, *, platform=PLATFORM, annotations=None, peers=()):
    """Return what an edit does to a resource that serves."""
    case, jobs, live = served(SERVED)
    after = with_spec(case, SERVED | spec) if spec else case
    if annotations:
        noted = msgspec.structs.replace(after.metadata, annotations=annotations)
        after = msgspec.structs.replace(after, metadata=noted)
    return compare(Edit(case, after, Observed(now=NOW, jobs=jobs, deployment=live, peers=peers), platform))


KAFKA = {"type": "kafka", "metadata": {"topic": "asked", "lagThreshold": "5"}}
FULL = Turn(may_begin=False, place=3, waiting=5, running=2, limit=2)


def acts(found):
    return [f"{change.act}?" if change.if_bytes_differ else str(change.act) for change in found.changes]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"conversion": {"timeoutSeconds": 7}}, []),
        ({"target": {"options": {"opset": 18}}}, ["Convert", "RollOut"]),
        ({"verification": {"samples": 16}}, ["Verify"]),
        ({"verification": {"tolerance": {"relative": 0.1}}}, ["Judge"]),
        ({"verification": {"tolerance": {"relative": 1e-12}}}, ["Refuse"]),
        ({"source": {"uri": "s3://models/other.onnx"}}, ["Import", "Convert?", "RollOut?"]),
        ({"source": ONNX["source"] | {"digest": OTHER_DIGEST}}, ["Import", "Convert", "RollOut"]),
        ({"serving": {"replicas": 3}}, ["Scale", "Apply"]),
        ({"serving": {"replicas": 0}}, ["Scale"]),
        ({"serving": {"strategy": "Recreate"}}, ["Apply"]),
        ({"serving": {"autoscaling": {"maxReplicas": 3, "triggers": [KAFKA]}}}, ["Apply", "Apply"]),
        ({"serving": {"resources": {"limits": {"memory": "3Gi"}}}}, ["RollOut"]),
        ({"serving": {"replicas": 2, "batching": {"maxSize": 8}}}, ["RollOut", "Scale", "Apply"]),
        ({"serving": None}, ["Unserve"]),
        ({"suspend": True}, ["Suspend"]),
        ({"target": {"options": {"opsett": 18}}}, ["Refuse"]),
    ],
    ids=str,
)
def test_what_an_edit_of_what_serves_does(spec, expected):
    found = edited(spec)
    assert acts(found) == expected
    assert bool(found.fields) == bool(spec)


@pytest.mark.parametrize("platform", [PLATFORM, UPGRADED], ids=["same operator", "newer operator"])
def test_an_operator_of_other_images_does_nothing_anew(platform):
    assert acts(edited({}, platform=platform)) == []
    assert acts(edited({"serving": {"replicas": 2}}, platform=platform)) == ["Scale", "Apply"]


def test_a_refresh_imports_anew_and_goes_on_only_with_other_bytes():
    assert acts(edited({}, annotations={REFRESH_ANNOTATION: "today"})) == ["Import", "Convert?", "RollOut?"]


def test_the_fields_that_differ_are_named():
    found = edited({"target": {"options": {"opset": 18}}}, annotations={REFRESH_ANNOTATION: "today", "team": "a"})
    assert found.fields == ["spec.target.options.opset", f"metadata.annotations.{REFRESH_ANNOTATION}"]


def test_what_is_new_is_done_from_the_beginning():
    found = compare(Edit(None, resource(SERVED), Observed(now=NOW), PLATFORM))
    assert acts(found) == ["Import", "Convert", "Serve"]
    assert found.changes[1].path == ["onnx", "onnx"]
    assert found.changes[2].detail == "Deployment net, Service net"


def test_a_source_whose_name_does_not_tell_the_format_is_converted_by_what_import_finds():
    new = resource({"source": {"uri": "s3://models/folder/"}, "serving": {}})
    found = compare(Edit(None, new, Observed(now=NOW), PLATFORM))
    assert acts(found) == ["Import", "Convert", "Serve"]
    assert "from the format that Import finds" in found.changes[1].detail


def test_work_that_is_under_way_goes_on_where_the_edit_asks_for_the_same():
    case, first = imported(resource(SERVED))
    running = job_of(plan_for(case, first), pod())
    observed = Observed(now=NOW, jobs=(first, running))
    more = with_spec(case, {**SERVED, "serving": {"replicas": 4}})
    assert acts(compare(Edit(case, more, observed, PLATFORM))) == ["Scale", "Apply"]
    other = with_spec(case, SERVED | {"target": {"options": {"opset": 18}}})
    assert acts(compare(Edit(case, other, observed, PLATFORM))) == ["Abandon", "Convert"]
    wrong = with_spec(case, SERVED | {"target": {"options": {"opsett": 18}}})
    assert acts(compare(Edit(case, wrong, observed, PLATFORM))) == ["Refuse"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"replicas": 2}, {"replicas": 4}, ["2 → 4 pods"]),
        (
            {"replicas": 2},
            {"replicas": 1},
            ["2 → 1 pods", "PodDisruptionBudget net is deleted"],
        ),
        (
            {"replicas": 2},
            {"autoscaling": {"maxReplicas": 3, "cpuUtilization": 80}},
            ["HorizontalPodAutoscaler net is made"],
        ),
        (
            {"autoscaling": {"maxReplicas": 3, "cpuUtilization": 80}},
            {"autoscaling": {"maxReplicas": 3, "cpuUtilization": 60}},
            ["HorizontalPodAutoscaler net is changed"],
        ),
        (
            {"autoscaling": {"maxReplicas": 3, "cpuUtilization": 80}},
            {"autoscaling": {"maxReplicas": 3, "triggers": [KAFKA]}},
            ["HorizontalPodAutoscaler net is deleted", "ScaledObject net is made"],
        ),
        (
            {"autoscaling": {"minReplicas": 2, "maxReplicas": 3, "cpuUtilization": 80}},
            {"replicas": 3},
            ["2 → 3 pods", "HorizontalPodAutoscaler net is deleted"],
        ),
        ({}, {"strategy": "Recreate"}, ["Deployment net is changed"]),
    ],
    ids=str,
)
def test_what_scales_and_what_a_drained_node_may_take_are_told(before, after, told):
    each = {"resources": {"requests": {"cpu": "1"}}}  # which a share of CPU is of
    spec, edit = SERVED | {"serving": each | before}, SERVED | {"serving": each | after}
    case, jobs, live = served(spec)
    observed = Observed(now=NOW, jobs=jobs, deployment=live)
    assert acts(compare(Edit(case, case, observed, PLATFORM))) == []
    found = compare(Edit(case, with_spec(case, edit), observed, PLATFORM))
    assert sorted(change.detail for change in found.changes) == sorted(told)


def test_a_kind_that_the_cluster_lacks_is_not_made():
    case, jobs, live = served(SERVED)
    observed = Observed(now=NOW, jobs=jobs, deployment=live, lacking=frozenset({"ScaledObject"}))
    asked = with_spec(case, SERVED | {"serving": {"autoscaling": {"maxReplicas": 3, "triggers": [KAFKA]}}})
    details = [change.detail for change in compare(Edit(case, asked, observed, PLATFORM)).changes]
    assert details[0].startswith("KedaNotInstalled: expected KEDA")
    assert details[1:] == ["PodDisruptionBudget net is made"]
    at_zero = {"autoscaling": {"minReplicas": 0, "maxReplicas": 3, "triggers": [KAFKA]}}
    found = compare(Edit(case, with_spec(case, SERVED | {"serving": at_zero}), observed, PLATFORM))
    assert acts(found) == ["Refuse", "Apply"]
    assert acts(compare(Edit(asked, asked, observed, PLATFORM))) == []


@pytest.mark.parametrize("asks", [{}, {RETRY_ANNOTATION: "now"}], ids=["the first attempt", "another one"])
def test_what_waits_for_its_turn_is_no_work_of_an_edit(asks):
    case, jobs = resource(SERVED), ()
    if asks:
        job = job_of(plan_for(case), pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed"), failed="gone")
        case, jobs = with_status(case, report_on(case, plan_for(case, job))), (job,)
        case = msgspec.structs.replace(case, metadata=msgspec.structs.replace(case.metadata, annotations=asks))
    report = report_on(case, plan_for(case, *jobs, turn=FULL))
    waiting, observed = with_status(case, report), Observed(now=NOW, jobs=jobs)
    assert report.status.conditions[0].reason == "Queued"
    assert acts(compare(Edit(waiting, waiting, observed, PLATFORM))) == []
    more = with_spec(waiting, SERVED | {"serving": {"replicas": 4}})
    more = msgspec.structs.replace(more, metadata=msgspec.structs.replace(more.metadata, annotations=asks))
    assert acts(compare(Edit(waiting, more, observed, PLATFORM))) == ["Scale", "Apply"]


def test_another_resources_artifact_is_reused():
    case, _ = converted(resource(ONNX | {"target": {"options": {"opset": 18}}}, name="other"))
    status = case.status
    peer = Peer(name="other", source=status.source, artifact=status.artifact, verification=status.verification)
    assert acts(edited({"target": {"options": {"opset": 18}}}, peers=(peer,))) == ["Reuse", "RollOut"]


def test_another_attempt_is_asked_for():
    case = resource(ONNX)
    job = job_of(plan_for(case), pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed"), failed="gone")
    failed = with_status(case, report_on(case, plan_for(case, job)))
    noted = msgspec.structs.replace(failed.metadata, annotations={RETRY_ANNOTATION: "now"})
    observed = Observed(now=NOW, jobs=(job,))
    again = msgspec.structs.replace(failed, metadata=noted)
    assert acts(compare(Edit(failed, again, observed, PLATFORM)))[0] == "Import"
    assert acts(compare(Edit(failed, failed, observed, PLATFORM))) == []


def test_what_was_suspended_begins_where_it_stood():
    case = resource(SERVED | {"suspend": True})
    stopped = with_status(case, report_on(case, plan_for(case)))
    found = compare(Edit(stopped, with_spec(stopped, SERVED), Observed(now=NOW), PLATFORM))
    assert acts(found) == ["Import", "Convert", "Serve"]
    serving, jobs, live = served(SERVED)
    idle = with_spec(serving, SERVED | {"suspend": True})
    idle = with_status(idle, report_on(idle, plan_for(idle, *jobs, deployment=live), deployment=live))
    observed = Observed(now=NOW, deployment=live)
    assert acts(compare(Edit(idle, with_spec(idle, SERVED), observed, PLATFORM))) == []


def test_an_old_artifact_that_serves_gives_way_once_a_wrong_edit_is_corrected():
    case, _jobs, live = served(SERVED)
    wrong = with_spec(case, SERVED | {"target": {"options": {"opsett": 18}}})
    wrong = with_status(wrong, report_on(wrong, plan_for(wrong, deployment=live), deployment=live))
    observed = Observed(now=NOW, deployment=live)
    other = with_spec(wrong, SERVED | {"target": {"options": {"opset": 18}}})
    assert acts(compare(Edit(wrong, other, observed, PLATFORM))) == ["Convert", "RollOut"]
    assert acts(compare(Edit(wrong, with_spec(wrong, SERVED), observed, PLATFORM))) == []


@pytest.mark.parametrize("has_deployment", [True, False])
def test_a_saved_status_alone_says_the_same(has_deployment):
    case, _jobs, live = served(SERVED)
    observed = Observed(now=NOW, deployment=live if has_deployment else None)
    for spec, expected in (({}, []), ({"serving": {"replicas": 3}}, ["Scale", "Apply"])):
        assert acts(compare(Edit(case, with_spec(case, SERVED | spec), observed, PLATFORM))) == expected


def test_settings_that_cannot_be_the_operators_are_refused():
    case, _jobs, live = served(SERVED)
    other = msgspec.structs.replace(PLATFORM, cpu_level="x86-64-v4")
    edit = Edit(case, with_spec(case, SERVED | {"serving": {"replicas": 3}}), Observed(now=NOW, deployment=live), other)
    with pytest.raises(CommandError, match=r"expected the settings of the operator.* Verify would run") as refused:
        compare(edit)
    assert "--values" in refused.value.hint


def test_it_is_told_in_lines():
    assert list(change_lines(edited({}))) == ["team/net: nothing would be done"]
    lines = list(change_lines(edited({"source": {"uri": "s3://models/other.onnx"}})))
    assert lines == [
        "team/net: this would be done",
        "  Import   the source is fetched, looked at and kept",
        "  Convert  onnx → onnx, if the bytes are not the same as before",
        "  RollOut  new pods come; the old ones answer until they do, if the bytes are not the same as before",
        "because of spec.source.uri",
    ]


def test_a_deployment_that_a_person_changed_is_no_change_of_the_edits():
    case, _jobs, live = served(SERVED)
    drifted = msgspec.structs.replace(deployed(plan_for(case)), image="other@sha256:1")
    observed = Observed(now=NOW, deployment=drifted)
    assert acts(compare(Edit(case, case, observed, PLATFORM))) == []
    assert Act.ROLL_OUT == "RollOut"
    assert live.image != drifted.image
