"""Watches of kinds that a cluster may lack, against a real HTTP server."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration
from prometheus_client import CollectorRegistry

from modelport_operator.backoff import Backoff
from modelport_operator.controller.controller import Controller, Key, Result
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.kube.client import Kube
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.peers import PeerIndex
from modelport_operator.watching import optional
from modelport_operator.watching.listener import Listener

PATH = "/apis/keda.sh/v1alpha1/scaledobjects"


def change(version, name="net", *, kind="MODIFIED", namespace="team"):
    labels = {"modelport.dev/resource": name} if name else {}
    meta = {"name": name, "namespace": namespace, "resourceVersion": version, "labels": labels}
    spec = {"maxReplicaCount": int(version)}
    return json.dumps({"type": kind, "object": {"metadata": meta, "spec": spec}}).encode() + b"\n"


def error(code, reason):
    told = {"kind": "Status", "code": code, "reason": reason, "message": "told why"}
    return json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"


class Scene:
    """An API server whose watches send what is put into `sent`, each until None, and the keys that came of it."""

    def __init__(self):
        self.has_kind, self.sent, self.asked = True, asyncio.Queue(), []
        self.keys, self.came, self.items = [], asyncio.Event(), []

    async def handle(self, request):
        if not self.has_kind:
            return web.Response(status=404, text="404 page not found")
        if request.path == "/apis/keda.sh/v1alpha1":
            return web.json_response({"resources": [{"name": "scaledobjects"}]})
        if "watch" not in request.query:
            assert request.query["labelSelector"] == "app.kubernetes.io/managed-by=modelport-operator"
            return web.json_response({"items": self.items, "metadata": {"resourceVersion": "5"}})
        self.asked.append((request.path, dict(request.query)))
        response = web.StreamResponse()
        await response.prepare(request)
        while (part := await self.sent.get()) is not None:
            await response.write(part)
        return response

    async def reconcile(self, key):
        self.keys.append(key)
        self.came.set()
        return Result()

    async def wait(self):
        await asyncio.wait_for(self.came.wait(), 5)
        self.came.clear()
        found, self.keys = self.keys, []
        return found


@pytest.fixture
async def scene(monkeypatch):
    monkeypatch.setattr(optional, "_PAUSE", 0.01)
    monkeypatch.setattr(optional, "RECONCILES", Backoff(0.01, 0.02))
    scene, app = Scene(), web.Application()
    app.router.add_route("*", "/{path:.*}", scene.handle)
    async with TestServer(app) as http:
        configuration = Configuration()
        configuration.host = str(http.make_url("")).rstrip("/")
        async with ApiClient(configuration) as client:
            kube = Kube(client)
            scene.discovery = Discovery(kube, OPTIONAL_KINDS, asked=Backoff(0.01, 0.02))
            scene.controller = Controller(scene.reconcile, queue=WorkQueue(), workers=1, resync=600)
            listener = Listener(scene.controller, PeerIndex(), Watched(), Metrics(CollectorRegistry()))
            scene.watches = optional.OptionalWatches(kube, scene.discovery, listener)
            working = asyncio.create_task(scene.controller.run())
            yield scene
            scene.sent.put_nowait(None)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
async def watching(scene):
    await scene.discovery.look()
    running = asyncio.create_task(scene.watches.run(()))
    yield scene
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_changes_become_keys_and_a_watch_goes_on_where_it_ended(watching):
    watching.sent.put_nowait(change("7") + change("8", "other")[:20])
    assert await watching.wait() == [Key("team", "net")]
    watching.sent.put_nowait(change("8", "other")[20:] + change("9", kind="BOOKMARK"))
    assert await watching.wait() == [Key("team", "other")]
    watching.sent.put_nowait(None)
    watching.sent.put_nowait(change("10", kind="DELETED"))
    assert await watching.wait() == [Key("team", "net")]
    (path, first), (_, second) = watching.asked
    assert path == PATH
    assert first["labelSelector"] == "app.kubernetes.io/managed-by=modelport-operator"
    assert first["resourceVersion"] == "5", "that of the list"
    assert second["resourceVersion"] == "9"


async def test_what_is_there_at_the_start_becomes_keys(scene):
    scene.items = [json.loads(change("3", "there"))["object"], json.loads(change("4", ""))["object"]]
    await scene.discovery.look()
    running = asyncio.create_task(scene.watches.run(()))
    assert await scene.wait() == [Key("team", "there")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_version_that_is_too_old_begins_anew(watching):
    watching.sent.put_nowait(change("7"))
    await watching.wait()
    watching.sent.put_nowait(error(410, "Expired"))
    watching.sent.put_nowait(None)
    watching.sent.put_nowait(None)
    watching.sent.put_nowait(change("90", "again"))
    assert await watching.wait() == [Key("team", "again")]
    assert {query["resourceVersion"] for _, query in watching.asked} == {"5"}


async def test_a_failing_api_server_is_asked_again_and_nothing_is_lost(watching):
    watching.sent.put_nowait(change("7"))
    await watching.wait()
    watching.sent.put_nowait(error(500, "InternalError"))
    watching.sent.put_nowait(None)
    watching.sent.put_nowait(b"no JSON\n")
    watching.sent.put_nowait(None)
    watching.sent.put_nowait(change("8", "later"))
    assert await watching.wait() == [Key("team", "later")]
    assert watching.asked[-1][1]["resourceVersion"] == "7"


async def test_a_kind_that_came_is_watched_and_every_resource_looked_at(scene):
    scene.has_kind = False
    await scene.discovery.look()
    running = asyncio.create_task(scene.watches.run(("team",)))
    scene.controller.stirred(Key("team", "lacks"))
    assert await scene.wait() == [Key("team", "lacks")]
    await asyncio.sleep(0.05)
    assert (scene.asked, scene.keys, running.done()) == ([], [], False)
    scene.has_kind = True
    assert await scene.wait() == [Key("team", "lacks")]
    scene.sent.put_nowait(change("1"))
    assert await scene.wait() == [Key("team", "net")]
    assert scene.asked[0][0] == "/apis/keda.sh/v1alpha1/namespaces/team/scaledobjects"
    scene.has_kind = False  # and gone again
    scene.sent.put_nowait(None)
    left = {Key("team", "lacks"), Key("team", "net")}  # what they have of it is gone, too
    while left:
        left -= {*await scene.wait()}
    await asyncio.sleep(0.1)
    assert (scene.discovery.lacking, running.done()) == (set(OPTIONAL_KINDS), False)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
