"""The client against a real HTTP server: what each fault becomes, and what is sent."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from modelport_operator.kube import errors
from modelport_operator.kube.client import Address, Kube, Version
from modelport_operator.kube.kinds import KINDS


class Server:
    """Answers as told, and remembers what it was asked."""

    def __init__(self):
        self.answer = lambda _request: web.json_response({})
        self.asked = []
        self.hold = None

    async def handle(self, request):
        body = await request.text()
        self.asked.append(
            (request.method, request.path, dict(request.query), request.headers.get("Content-Type"), body)
        )
        if self.hold:
            await self.hold.wait()
        return self.answer(request)


@pytest.fixture
async def server():
    told = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.handle)
    async with TestServer(app) as http:
        configuration = Configuration()
        configuration.host = str(http.make_url("")).rstrip("/")
        async with ApiClient(configuration) as client:
            told.kube = Kube(client)
            yield told


def status(code, reason="", message="told why", headers=None):
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return lambda _request: web.json_response(body, status=code, headers=headers)


def reset(request):
    request.transport.close()
    return web.Response()


FAULTS = [
    ("400", status(400, "BadRequest"), errors.RefusedError),
    ("401", status(401, "Unauthorized"), errors.UnavailableError),
    ("403", status(403, "Forbidden"), errors.RefusedError),
    ("404", status(404, "NotFound"), errors.NotFoundError),
    ("404 of the path", lambda _request: web.Response(status=404, text="404 page not found"), errors.NotServedError),
    ("409 on create", status(409, "AlreadyExists"), errors.AlreadyExistsError),
    ("409", status(409, "Conflict"), errors.ConflictError),
    ("410", status(410, "Expired"), errors.GoneError),
    ("422", status(422, "Invalid"), errors.RefusedError),
    ("429", status(429, "TooManyRequests", headers={"Retry-After": "7"}), errors.ThrottledError),
    ("500", status(500, "InternalError"), errors.UnavailableError),
    ("503 without a Status", lambda _request: web.Response(status=503, text="<html>"), errors.UnavailableError),
    ("reset", reset, errors.UnavailableError),
    ("no JSON", lambda _request: web.Response(text="hello"), errors.UnavailableError),
]


@pytest.mark.parametrize(("answer", "error"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
async def test_each_fault_has_its_error(server, answer, error):
    server.answer = answer
    with pytest.raises(errors.KubeError) as found:
        await server.kube.get("Job", "team", "net")
    assert type(found.value) is error
    if answer is not reset:  # aiohttp itself repeats a GET once on a connection that was closed meanwhile
        assert len(server.asked) == 1, "the queue tries again, not the client"


async def test_a_timeout_is_told(server, monkeypatch):
    monkeypatch.setattr("modelport_operator.kube.client.TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    server.hold = asyncio.Event()
    with pytest.raises(errors.UnavailableError):
        await server.kube.get("Job", "team", "net")
    server.hold.set()


async def test_how_long_to_wait_is_told(server):
    server.answer = status(429, headers={"Retry-After": "7"})
    with pytest.raises(errors.ThrottledError) as found:
        await server.kube.get("Job", "team", "net")
    assert found.value.retry_after == 7


async def test_messages_are_capped_and_keep_no_token(server):
    server.answer = status(403, "Forbidden", "Bearer abc.def " + "x" * 5000)
    with pytest.raises(errors.RefusedError) as found:
        await server.kube.get("Job", "team", "net")
    assert len(found.value.message) <= 600
    assert "abc.def" not in found.value.message


async def test_what_an_apply_sends(server):
    body = {"metadata": {"name": "net", "uid": "u"}, "status": {}}
    await server.kube.apply("ModelConversion", "team", body, manager="m", subresource="status")
    method, path, query, kind, sent = server.asked[0]
    assert (method, path) == ("PATCH", "/apis/modelport.dev/v1alpha1/namespaces/team/modelconversions/net/status")
    assert (query["fieldManager"], query["force"].lower()) == ("m", "true")
    assert kind == "application/apply-patch+yaml"
    assert json.loads(sent) == body


async def test_versions_are_of_metadata_alone_and_an_empty_list_may_be_null(server):
    metadata = {"name": "net", "namespace": "team", "resourceVersion": "7", "labels": {"modelport.dev/resource": "net"}}
    pages = iter(
        [{"items": [{"metadata": metadata}], "metadata": {"continue": "more"}}, {"items": None, "metadata": {}}]
    )
    server.answer = lambda _request: web.json_response(next(pages))
    assert await server.kube.versions("Job") == {Address("team", "net"): Version("7", "net")}
    assert server.asked[0][2]["labelSelector"] == "app.kubernetes.io/managed-by=modelport-operator"
    assert [asked[2]["limit"] for asked in server.asked] == ["500", "500"], "of metadata more fit into one response"


async def test_an_apply_without_a_uid_is_never_sent(server):
    with pytest.raises(ValueError, match="needs metadata"):
        await server.kube.apply("Service", "team", {"metadata": {"name": "net"}}, manager="m")
    assert server.asked == []


async def test_what_a_replacement_sends(server):
    body = {"metadata": {"name": "operator", "resourceVersion": "7"}, "spec": {"holderIdentity": "a"}}
    await server.kube.replace("Lease", "ns", "operator", body, manager="m")
    method, path, query, _kind, sent = server.asked[0]
    assert (method, path) == ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/operator")
    assert (query["fieldManager"], json.loads(sent)) == ("m", body)


async def test_a_process_that_leads_no_more_reads_and_writes_nothing(server):
    server.kube._may_write = lambda: False
    apply = {"metadata": {"name": "net", "uid": "u"}}
    for write in (
        server.kube.create("Job", "team", {}, manager="m"),
        server.kube.apply("Service", "team", apply, manager="m"),
        server.kube.replace("Lease", "team", "net", {}, manager="m"),
        server.kube.patch("Service", "team", "net", []),
        server.kube.delete("Job", "team", "net", uid="u"),
    ):
        with pytest.raises(errors.UnavailableError, match="leads no more"):
            await write
    assert server.asked == []
    await server.kube.get("Job", "team", "net")


async def test_what_a_delete_sends(server):
    await server.kube.delete("Job", "team", "net", uid="u")
    method, path, _query, _kind, sent = server.asked[0]
    assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/team/jobs/net")
    assert json.loads(sent) == {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}


async def test_lists_and_logs(server):
    server.answer = lambda _request: web.json_response({"items": [{"a": 1}]})
    assert await server.kube.list_all("Pod", "team", labels="x=y") == [{"a": 1}]
    assert server.asked[0][2] == {"labelSelector": "x=y", "limit": "100"}
    server.answer = lambda _request: web.Response(body=b"caf\xc3\xa9 \xff")
    assert await server.kube.log("team", "pod", "fetch", previous=True) == "café \ufffd"
    assert server.asked[1][2]["previous"] == "true"


async def test_objects_of_a_resource_are_listed_as_the_api_server_watches_them(server):
    server.answer = lambda _request: web.json_response({"items": [{"a": 1}]})
    assert await server.kube.list_of("Pod", "team", "net") == [{"apiVersion": "v1", "kind": "Pod", "a": 1}]
    labels = "app.kubernetes.io/managed-by=modelport-operator,modelport.dev/resource=net"
    # with a limit, or no version, it would be read from etcd, with all others of the namespace
    assert server.asked[0][2] == {"labelSelector": labels, "resourceVersion": "0"}
    server.answer = lambda _request: web.json_response({"items": None})
    assert await server.kube.list_of("Pod", "team", "net") == []


async def test_whether_a_kind_is_served(server):
    kind = KINDS["ScaledObject"]
    server.answer = lambda _request: web.json_response({"resources": [{"name": "scaledobjects"}]})
    assert await server.kube.serves(kind)
    assert server.asked[0][:2] == ("GET", "/apis/keda.sh/v1alpha1")
    server.answer = lambda _request: web.json_response({"resources": [{"name": "triggerauthentications"}]})
    assert not await server.kube.serves(kind)
    server.answer = lambda _request: web.Response(status=404, text="404 page not found")
    assert not await server.kube.serves(kind)
    server.answer = status(503, "ServiceUnavailable")
    with pytest.raises(errors.UnavailableError):
        await server.kube.serves(kind)


async def test_long_lists_come_in_pages_and_of_all_namespaces_where_none_is_said(server):
    def answer(request):
        is_last = request.query.get("continue") == "more"
        return web.json_response({"items": [len(server.asked)], "metadata": {} if is_last else {"continue": "more"}})

    server.answer = answer
    assert [page async for page in server.kube.pages("Job", labels="x=y")] == [[1], [2]]
    assert [asked[1] for asked in server.asked] == ["/apis/batch/v1/jobs"] * 2
    assert server.asked[1][2] == {"labelSelector": "x=y", "limit": "100", "continue": "more"}
    assert await server.kube.list_all("Job", "team") == [3, 4]
    assert server.asked[2][1] == "/apis/batch/v1/namespaces/team/jobs"
