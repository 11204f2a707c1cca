"""What watches missed is found, dropped, and looked at again; a watch that goes on missing is told."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from modelport.api.base import KIND
from modelport_operator.controller.controller import Key
from modelport_operator.kube.client import Address, Version
from modelport_operator.kube.errors import NotFoundError
from modelport_operator.kube.watched import UnsureError, Watched
from modelport_operator.metrics import Metrics
from modelport_operator.peers import PeerIndex
from modelport_operator.watching.auditing import Auditor, Missed, missed
from modelport_operator.watching.listener import Listener
from unit.operator.apiserver import MemoryKube
from unit.operator.scenes import ONNX

NET, CAT = Address("team", "net"), Address("team", "cat")
OLD, NEW, NEWEST = (Version(number, "net") for number in "123")


@pytest.mark.parametrize(
    ("before", "listed", "after", "found"),
    [
        ({NET: OLD}, {NET: OLD}, {NET: OLD}, []),
        ({NET: OLD}, {NET: NEW}, {NET: NEW}, []),  # the event came in the meantime
        ({NET: OLD}, {NET: NEW}, {NET: NEWEST}, []),
        ({NET: OLD}, {NET: NEW}, {NET: OLD}, [NET]),
        ({NET: OLD}, {}, {NET: OLD}, [NET]),
        ({NET: OLD}, {}, {}, []),
        ({}, {NET: NEW}, {}, [NET]),
        ({}, {NET: NEW}, {NET: NEW}, []),
        ({NET: OLD, CAT: OLD}, {NET: NEW, CAT: NEW}, {NET: OLD, CAT: NEW}, [NET]),
    ],
)
def test_missed_is_what_differs_and_still_does(before, listed, after, found):
    assert missed(before, listed, after) == [Missed(address, "net") for address in found]


@pytest.fixture
def scene():
    kube, watched, stirred = MemoryKube(), Watched(), []
    listener = Listener(SimpleNamespace(stirred=stirred.append), PeerIndex(), watched, Metrics(CollectorRegistry()))
    kube.apply_resource(ONNX)
    labels = {"modelport.dev/resource": "net"}
    for name in ("net", "other"):
        kube.put("Deployment", {"metadata": {"name": name, "namespace": "team", "labels": labels}, "spec": {}})
    for (kind, *_), body in kube.objects.items():
        watched.note(kind, body)
    auditor = Auditor(kube, listener, kinds=("Deployment",), namespaces=(), grace=0)
    return kube, watched, stirred, auditor


async def test_what_was_seen_is_left_alone(scene):
    _, watched, stirred, auditor = scene
    await auditor.audit()
    assert (stirred, auditor.complaint()) == ([], "")
    assert len(watched.versions("Deployment")) == 2


async def test_a_deletion_that_no_event_told_is_found(scene):
    kube, watched, stirred, auditor = scene
    del kube.objects["Deployment", "team", "other"]
    await auditor.audit()
    assert stirred == [Key("team", "net")]
    with pytest.raises(NotFoundError):
        await watched.get("Deployment", "team", "other")
    await auditor.audit()
    assert len(stirred) == 1
    assert auditor.complaint() == ""


async def test_a_change_that_no_event_told_is_found_once(scene):
    kube, watched, stirred, auditor = scene
    kube.apply_resource(ONNX | {"suspend": True})
    await auditor.audit()
    assert stirred == [Key("team", "net")]
    assert (await watched.get(KIND, "team", "net"))["spec"]["suspend"]
    await auditor.audit()
    assert (len(stirred), auditor.complaint()) == (1, "")


async def test_a_watch_that_brings_nothing_any_more_is_told(scene):
    kube, _, stirred, auditor = scene
    for _ in range(2):
        assert auditor.complaint() == ""
        kube.apply_resource(ONNX)  # a new version, of which no event comes
        await auditor.audit()
    assert stirred == [Key("team", "net")] * 2
    assert KIND in auditor.complaint()


async def test_a_listing_again_is_no_news(scene):
    kube, watched, *_ = scene
    body = kube.objects[KIND, "team", "net"]
    assert not watched.note(KIND, body)
    kube.apply_resource(ONNX | {"suspend": True})
    assert watched.note(KIND, body)
    assert (await watched.get(KIND, "team", "net"))["spec"]["suspend"]


async def test_what_was_seen_is_not_written_to(scene):
    _, watched, *_ = scene
    with pytest.raises(UnsureError):
        await watched.create("Job", "team", {}, manager="m")
