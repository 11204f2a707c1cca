"""What an autoscaler measures is no reason to look at its resource again; what it tells is."""

import copy
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from modelport.api.base import KIND
from modelport_operator.controller.controller import Key
from modelport_operator.kube.client import Address
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.peers import PeerIndex
from modelport_operator.watching.listener import Listener

BODY = {
    "metadata": {
        "name": "net",
        "namespace": "team",
        "uid": "u",
        "resourceVersion": "1",
        "labels": {"modelport.dev/resource": "net"},
    },
    "spec": {"maxReplicas": 5},
    "status": {
        "currentReplicas": 1,
        "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "1"}],
    },
}


@pytest.fixture
def scene():
    stirred = []
    return Listener(
        SimpleNamespace(stirred=stirred.append), PeerIndex(), Watched(), Metrics(CollectorRegistry())
    ), stirred


def changed(**parts):
    body = copy.deepcopy(BODY)
    for name, part in parts.items():
        body[name] |= part
    if parts:
        body["metadata"]["resourceVersion"] = "2"
    return body


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
@pytest.mark.parametrize(
    ("parts", "is_new"),
    [
        ({}, False),
        ({"status": {"currentReplicas": 3}}, False),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"message": "2"}]}}, False),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"status": "False"}]}}, True),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"reason": "ScalingDisabled"}]}}, True),
        ({"status": {"conditions": None}}, True),
        ({"spec": {"maxReplicas": 6}}, True),
        ({"metadata": {"uid": "another"}}, True),
        ({"metadata": {"deletionTimestamp": "now"}}, True),
    ],
)
def test_what_is_new_of_an_autoscaler(scene, kind, parts, is_new):
    listener, stirred = scene
    listener.take(kind, None, BODY)
    assert stirred.pop() == Key("team", "net")
    listener.take(kind, "MODIFIED", changed(**parts))
    assert bool(stirred) is is_new


def test_another_autoscaler_is_another(scene):
    listener, stirred = scene
    for change, body in ((None, BODY), (None, changed(metadata={"name": "x"})), ("DELETED", BODY), ("ADDED", BODY)):
        listener.take("ScaledObject", change, body)
        assert stirred.pop() == Key("team", "net")


def test_all_of_a_deployment_is_worth_telling_but_not_twice(scene):
    listener, stirred = scene
    listener.take("Deployment", None, BODY)
    listener.take("Deployment", "MODIFIED", changed(metadata={"resourceVersion": "2"}))
    assert len(stirred) == 2
    listener.take("Deployment", None, changed(metadata={"resourceVersion": "2"}))
    assert len(stirred) == 2


@pytest.mark.parametrize(
    ("change", "created"), [("DELETED", "2027-01-15T08:00:00Z"), ("MODIFIED", "2027-01-15T07:00:00Z")]
)
def test_what_comes_late_of_a_predecessor_says_nothing_of_who_has_the_name_now(scene, change, created):
    listener, stirred = scene
    source = {"digests": {"source": "sha256:a"}}
    now = changed(metadata={"uid": "now", "creationTimestamp": "2027-01-15T08:00:00Z"}, status={"source": source})
    before = changed(metadata={"uid": "before", "creationTimestamp": created})
    before["metadata"]["resourceVersion"] = "1"
    address = Address("team", "net")
    for kind in ("Deployment", KIND):
        listener.take(kind, "ADDED", now)
        listener.take(kind, change, before)
        assert listener.watched.seen(kind, address) == now
        assert stirred == [Key("team", "net")]
        stirred.clear()
    assert listener.peers.names("team", ["sha256:a"], besides="") == ["net"]
    listener.take(KIND, "DELETED", now)
    assert listener.watched.seen(KIND, address) is None
    assert listener.peers.names("team", ["sha256:a"], besides="") == []


def test_who_comes_after_takes_the_place_of_a_predecessor_whose_deletion_was_missed(scene):
    listener, _ = scene
    listener.take(
        "Deployment", "ADDED", changed(metadata={"uid": "before", "creationTimestamp": "2027-01-15T07:00:00Z"})
    )
    now = changed(metadata={"uid": "now", "creationTimestamp": "2027-01-15T07:00:00Z"})
    now["metadata"]["resourceVersion"] = "3"
    listener.take("Deployment", "ADDED", now)
    assert listener.watched.seen("Deployment", Address("team", "net")) == now


def test_a_resource_that_was_missed_is_no_hint_any_more(scene):
    listener, _ = scene
    listener.take(KIND, "ADDED", changed(status={"source": {"digests": {"source": "sha256:a"}}}))
    listener.missed(KIND, Address("team", "net"), "net")
    assert listener.peers.names("team", ["sha256:a"], besides="") == []


def test_a_watch_that_brings_something_is_told_and_a_listing_is_not(scene):
    listener, _ = scene
    told = []
    listener = listener._replace(metrics=SimpleNamespace(changed=lambda *words: told.append(words)))
    job = changed(status={"startTime": "2026-01-01T00:00:00Z"})
    listener.take("Job", None, BODY)
    listener.take("Pod", "ADDED", BODY)
    listener.take("Job", "MODIFIED", job)
    assert told == [("Pod", None, BODY), ("Job", BODY, job)]
