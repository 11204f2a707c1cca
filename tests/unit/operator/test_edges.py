"""The edges: settings, logs, metrics, the index of peers, and reading Kubernetes objects."""

import asyncio
import json
import logging
import os
import signal
import time
from functools import partial

import kopf
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from modelport.api.status import Condition, Failure, Status
from modelport_operator import __main__ as program
from modelport_operator import logs, reading, settings
from modelport_operator.backoff import Backoff
from modelport_operator.controller.controller import Controller
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.kube.errors import UnavailableError
from modelport_operator.metrics import (
    MAX_STALLED,
    Conversion,
    Metrics,
    StageRun,
    conversion_between,
    stage_between,
    state_of,
)
from modelport_operator.peers import PeerIndex, useful_digests
from modelport_operator.platforms import Platform
from unit.operator.scenes import DIGEST, converted, import_steps, imported, job_of, plan_for, pod, resource


def test_settings_come_from_the_environment():
    found = settings.read(
        {"MODELPORT_WORKERS": "8", "MODELPORT_WATCH_NAMESPACES": "a, b,", "MODELPORT_CPU_LEVEL": "", "HOME": "/"}
    )
    assert (found.workers, found.namespaces, found.cpu_level) == (8, ("a", "b"), "x86-64-v2")


@pytest.mark.parametrize(
    ("name", "value"), [("MODELPORT_WORKERS", "many"), ("MODELPORT_MAX_JOBS", "-1"), ("MODELPORT_LOG_FORMAT", "xml")]
)
def test_wrong_settings_are_refused(name, value):
    with pytest.raises(msgspec.ValidationError):
        settings.read({name: value})


def test_terms_of_the_lease_are_checked_together():
    with pytest.raises(msgspec.ValidationError, match="found 5, 10 and 2 s"):
        settings.read({"MODELPORT_LEASE_DURATION_SECONDS": "5"})
    with pytest.raises(msgspec.ValidationError, match="MODELPORT_LEASE_NAMESPACE"):
        settings.read({"MODELPORT_LEADER_ELECTION": "true"})


def test_a_process_has_its_pods_name_or_one_of_its_own():
    pod = {"MODELPORT_POD_NAME": "operator-x", "MODELPORT_POD_UID": "1"}
    assert settings.read(pod).identity() == "operator-x_1"
    assert settings.read({}).identity() != settings.read({}).identity()


def test_the_catalogue_is_read_and_checked(tmp_path):
    file = tmp_path / "images.json"
    images = {"converter-onnx": "a", "converter-pytorch": "", "server-onnxruntime": "b"}
    file.write_bytes(msgspec.json.encode(images))
    platform = settings.read(
        {
            "MODELPORT_IMAGES_FILE": str(file),
            "MODELPORT_IMAGE_PULL_SECRETS": "a,b",
            "MODELPORT_IMAGE_PULL_POLICY": "Never",
            "MODELPORT_OTLP_ENDPOINT": "http://o",
            "MODELPORT_PROMETHEUS_ADDRESS": "http://p",
        }
    ).platform()
    assert (platform.pull_secrets, platform.pull_policy) == (("a", "b"), "Never")
    assert (platform.otlp_endpoint, platform.prometheus_address) == ("http://o", "http://p")
    assert platform.images == {"converter-onnx": "a", "server-onnxruntime": "b"}, "one that nobody named is not there"
    program._check_catalogue(platform)
    with pytest.raises(LookupError, match="lacks converter-onnx; it has server-onnxruntime"):
        program._check_catalogue(msgspec.structs.replace(platform, images={"server-onnxruntime": "b"}))


class Answers:
    """An API server that says, one after the other, whether it has the kind that it is asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def serves(self, _kind):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_an_api_server_that_is_away_at_the_start_is_waited_for(monkeypatch):
    monkeypatch.setattr(program, "_STARTS", Backoff(0.001, 0.001))
    away = Answers(UnavailableError("no route"), UnavailableError("no route"), True)
    await program._patiently(partial(program._check_served, away))
    assert away.answers == []


async def test_a_cluster_without_the_crd_is_told_of():
    with pytest.raises(LookupError, match="install the CRD first"):
        await program._check_served(Answers(False))


async def test_work_begins_once_it_is_known_what_the_cluster_lacks(monkeypatch):
    monkeypatch.setattr(program, "_STARTS", Backoff(0.001, 0.001))
    metrics, begun = Metrics(CollectorRegistry()), []
    process = program._Process(settings.Settings(), Platform(images={}), asyncio.Event(), metrics=metrics)
    away = Answers(UnavailableError("no route"), False)

    async def serve(_process, _registry, work):
        assert away.answers == []
        begun.extend(work)
        for each in work.values():
            each.close()

    monkeypatch.setattr(program._Process, "_serve", serve)
    await process._work(away)
    assert begun == ["controller", "optional", "auditor"]
    assert metrics.leads
    assert process.probes.complaint() == ""
    monkeypatch.setattr(program.Auditor, "complaint", lambda _auditor: "a watch is dead")
    assert process.probes.complaint() == "a watch is dead"
    monkeypatch.setattr(program.Controller, "complaint", lambda _controller, *, stuck: f"stuck for {stuck:g} s")
    assert process.probes.complaint() == "stuck for 300 s"


async def test_kopf_waits_at_its_end_for_none_of_our_tasks_and_signals_are_ours(monkeypatch):
    metrics = Metrics(CollectorRegistry())
    process = program._Process(settings.Settings(), Platform(images={}), asyncio.Event(), metrics=metrics)
    controller = Controller(Answers().serves, queue=WorkQueue(), workers=2, resync=600)
    spared = set()

    async def spawn(**_named):
        return []

    async def run(_tasks, *, ignored):
        spared.update(task.get_name() for task in ignored)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(process.stop.wait(), 60)

    monkeypatch.setattr(program.kopf, "spawn_tasks", spawn)
    monkeypatch.setattr(program.kopf, "run_tasks", run)
    work = {"controller": controller.run(), "auditor": asyncio.Event().wait()}
    await process._serve(kopf.OperatorRegistry(), work)
    assert spared >= {"controller", "worker-0", "worker-1", "auditor"}
    assert all(task.done() for task in controller._tasks)


def test_a_wrong_catalogue_ends_the_process(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MODELPORT_IMAGES_FILE", str(tmp_path / "none.json"))
    assert program.main() == 2
    assert "none.json" in capsys.readouterr().err


def test_logs_are_json_with_their_fields():
    record = logging.makeLogRecord(
        {"name": "n", "levelname": "INFO", "msg": "it is %s", "args": ("done",), "namespace": "team"}
    )
    line = json.loads(logs.JsonFormatter().format(record))
    assert (line["message"], line["level"], line["namespace"]) == ("it is done", "info", "team")


def status(*conditions, failure=None, artifact=None):
    listed = [
        Condition(type=name, status=value, reason=reason, message="m", observed_generation=1, last_transition_time="t")
        for name, value, reason in conditions
    ]
    return Status(conditions=listed, failure=failure, artifact=artifact)


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([("Ready", "True", "Serving")], "Ready"),
        ([("Ready", "False", "X"), ("Stalled", "True", "X")], "Stalled"),
        ([("Ready", "False", "X"), ("Reconciling", "True", "X")], "Reconciling"),
        ([("Ready", "True", "Suspended")], "Suspended"),
        ([], "Unknown"),
    ],
)
def test_the_state_of_a_resource(conditions, state):
    assert state_of(status(*conditions)) == state


def test_how_conversions_ended():
    case, _jobs = converted(resource())
    artifact = case.status.artifact
    failure = Failure(key="k", stage="Convert", reason="ConversionFailed", message="m")
    reused = msgspec.structs.replace(artifact, reused=True)
    assert conversion_between(status(), status(artifact=artifact)) == Conversion("succeeded")
    assert conversion_between(status(), status(artifact=reused)) == Conversion("reused")
    assert conversion_between(status(artifact=artifact), status(artifact=artifact)) is None
    assert conversion_between(status(), status(failure=failure)) == Conversion("failed", "ConversionFailed")
    assert conversion_between(status(failure=failure), status(failure=failure)) is None
    again = msgspec.structs.replace(failure, attempts=2, retryable=True)
    assert conversion_between(status(failure=failure), status(failure=again)) == Conversion(
        "retried", "ConversionFailed"
    )
    serving = msgspec.structs.replace(failure, stage="Serve")
    assert conversion_between(status(), status(failure=serving)) is None


def test_metrics_are_told():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.queue_depth = lambda: 3
    metrics.jobs = lambda: (2, 40)
    metrics.reconciled("done", 0.02)
    metrics.reported("team", "a", status(), status(("Ready", "True", "Serving")))
    metrics.reported("team", "b", status(), status(("Ready", "True", "Serving")))
    metrics.forget("team", "b")
    text = generate_latest(registry).decode()
    assert "modelport_leader 0.0" in text
    metrics.leads = True
    assert "modelport_leader 1.0" in generate_latest(registry).decode()
    for line in (
        'modelport_reconciles_total{result="done"} 1.0',
        "modelport_queue_depth 3.0",
        'modelport_jobs{state="running"} 2.0',
        'modelport_jobs{state="waiting"} 40.0',
        'modelport_resources{state="Ready"} 1.0',
    ):
        assert line in text


def test_stalled_resources_are_told_by_name_and_no_more_than_some():
    registry = CollectorRegistry()
    metrics, stalled = Metrics(registry), status(("Ready", "False", "X"), ("Stalled", "True", "SourceNotFound"))
    line = 'modelport_resource_stalled{reason="SourceNotFound",resource="net-1",resource_namespace="team"} 1.0'
    for number in range(MAX_STALLED + 1):
        metrics.reported("team", f"net-{number}", status(), stalled)
    text = generate_latest(registry).decode()
    assert line in text
    assert text.count("modelport_resource_stalled{") == MAX_STALLED
    metrics.reported("team", "net-1", stalled, status(("Ready", "True", "Serving")))
    assert line not in generate_latest(registry).decode()


def job(condition=None, *, value="True", started="2026-01-01T00:00:00Z", ended="2026-01-01T00:01:30Z"):
    conditions = [{"type": condition, "status": value, "lastTransitionTime": ended}] if condition else None
    body = {"metadata": {"labels": {"modelport.dev/stage": "convert"}}, "status": {"conditions": conditions}}
    if started:
        body["status"]["startTime"] = started
    return body


@pytest.mark.parametrize(
    ("old", "new", "run"),
    [
        (job(), job("Complete"), StageRun("convert", "succeeded", 90)),
        (job(), job("Failed"), StageRun("convert", "failed", 90)),
        (job("Suspended"), job("Complete"), StageRun("convert", "succeeded", 90)),
        (job(), job("FailureTarget"), None),
        (job(), job("Complete", value="False"), None),
        (job(started=None), job("Failed", started=None), None),  # suspended, and never started
        (job("Complete"), job("Complete"), None),
        (None, job("Complete"), None),
        (job(), job(), None),
        (None, {"metadata": {}}, None),
    ],
)
def test_how_long_a_job_took(old, new, run):
    assert stage_between(old, new) == run


def test_what_watches_bring_is_told():
    registry = CollectorRegistry()
    metrics, before = Metrics(registry), time.time()
    metrics.changed("Job", job(), job("Complete"))
    metrics.missed("Pod", 3)
    text = generate_latest(registry).decode()
    assert 'modelport_stage_seconds_sum{result="succeeded",stage="convert"} 90.0' in text
    assert 'modelport_watch_missed_total{kind="Pod"} 3.0' in text
    assert registry.get_sample_value("modelport_watch_last_event_timestamp_seconds", {"kind": "Job"}) >= before


def test_the_index_of_peers():
    index = PeerIndex()
    index.note("team", "a", {"status": {"source": {"digests": {"source": "1"}}}})
    index.note("team", "b", {"status": {"source": {"digests": {"source": "1"}}}})
    index.note("other", "c", {"status": {"source": {"digests": {"source": "1"}}}})
    index.note("team", "d", {"status": None})
    assert index.names("team", ["1", "2"], besides="a") == ["b"]
    index.note("team", "b", {"status": {"source": {"digests": {"source": "2"}}}})
    assert index.names("team", ["1"], besides="a") == []
    index.forget("team", "b")
    index.forget("team", "b")
    assert index.names("team", ["2"], besides="a") == []


def test_which_peers_could_help():
    case, job = imported(resource())
    assert useful_digests(case, [job]) == {DIGEST}
    fresh = resource()
    assert useful_digests(fresh, [job_of(plan_for(fresh), pod(*import_steps()))]) == {DIGEST}
    assert useful_digests(fresh, []) == set()
    done = msgspec.structs.replace(
        case, status=msgspec.structs.replace(case.status, conditions=status(("Ready", "True", "Stored")).conditions)
    )
    assert useful_digests(done, [job]) == set()


META = {"name": "p", "uid": "u", "creationTimestamp": "2027-01-15T08:00:00Z"}


def test_a_pod_is_read():
    body = {
        "metadata": META | {"deletionTimestamp": "x"},
        "spec": {"nodeName": "n", "initContainers": [{"name": "fetch"}], "containers": [{"name": "server"}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"},
                {"type": "DisruptionTarget", "status": "True", "message": "drained"},
            ],
            "containerStatuses": [
                {
                    "name": "server",
                    "ready": False,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}},
                    "lastState": {"terminated": {"exitCode": 3, "finishedAt": "2027-01-15T08:00:10Z"}},
                }
            ],
        },
    }
    found = reading.pod(body)
    assert (found.unschedulable, found.disrupted, found.deleting, found.created) == (
        "no node",
        "drained",
        True,
        1800000000.0,
    )
    assert [each.name for each in found.containers] == ["fetch", "server"]
    assert (found.culprit.ending.exit_code, found.culprit.ending.finished) == (3, 1800000010.0)


@pytest.mark.parametrize(
    ("node", "reasons", "creating"),
    [
        (None, [], False),
        ("n", [], True),
        ("n", ["ContainerCreating", "PodInitializing"], True),
        ("n", ["ErrImagePull"], False),
    ],
)
def test_a_pod_that_is_being_made(node, reasons, creating):
    states = [{"name": "c", "state": {"waiting": {"reason": reason}}} for reason in reasons]
    body = {"metadata": META, "spec": {"nodeName": node, "containers": []}, "status": {"containerStatuses": states}}
    assert reading.is_creating(body) is creating


def test_a_job_is_read():
    conditions = [
        {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "lastTransitionTime": "2027-01-15T08:00:10Z"}
    ]
    notes = {"modelport.dev/key": "k", "modelport.dev/attempt": "3"}
    asked = {"name": "try", "image": "server", "env": [{"name": "MODELPORT_REQUEST", "value": "{}"}]}
    body = {
        "metadata": META | {"annotations": notes, "labels": {"modelport.dev/stage": "import"}},
        "spec": {"template": {"spec": {"containers": [asked]}}},
        "status": {"conditions": conditions},
    }
    found = reading.job(body, [])
    assert (found.request, found.server_image) == ("{}", "server")
    assert (found.failed, found.finished, found.attempt, found.complete) == ("PodFailurePolicy", 1800000010.0, 3, False)


def test_a_deployment_is_read():
    server = {"name": "server", "image": "i", "ports": [{"name": "http"}]}
    template = {"containers": [{"name": "proxy", "image": "p"}, server]}
    body = {"metadata": META, "spec": {"template": {"spec": template}}}
    found = reading.deployment(body)
    assert (found.image, found.request, found.strategy, found.applied) == ("i", "", "RollingUpdate", "")
    body["metadata"] = META | {"annotations": {"modelport.dev/applied": "k"}}
    body["spec"]["strategy"] = {"type": "Recreate"}
    found = reading.deployment(body)
    assert (found.strategy, found.applied) == ("Recreate", "k")


def test_a_peer_that_cannot_be_read_has_nothing():
    assert reading.peer({"metadata": {"name": "p"}, "status": {"source": "what"}}).source is None


def test_the_newest_time_of_an_event():
    assert reading.event_time({"lastTimestamp": "2", "eventTime": "1"}) == "2"
    assert reading.event_time({"series": {"lastObservedTime": "3"}, "eventTime": "1"}) == "3"
    assert reading.event_time({}) == ""
