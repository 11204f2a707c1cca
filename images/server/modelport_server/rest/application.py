"""The ASGI application of REST: routes, bodies, statuses. What a request means is the data plane's business."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from modelport_server import metrics
from modelport_server.asgi import Headers, Receive, Scope, Send, client_left, read_body
from modelport_server.calls import Call, clock
from modelport_server.dataplane import VERSION, server_metadata
from modelport_server.errors import (
    BadRequestError,
    ClientLeftError,
    MethodNotAllowedError,
    NotFoundError,
    RequestError,
)
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.observation import Observation
from modelport_server.protocol import bodies
from modelport_server.protocol.compression import compressed, decompressed
from modelport_server.protocol.messages import ErrorMessage

logger = logging.getLogger(__name__)

RawHeaders = tuple[tuple[bytes, bytes], ...]
JSON: RawHeaders = ((b"content-type", b"application/json"),)
TEXT: RawHeaders = ((b"content-type", metrics.CONTENT_TYPE.encode()),)
CLOSE = (b"connection", b"close")
JSON_LENGTH = bodies.LENGTH_HEADER.encode()
TIMEOUT = b"x-envoy-expected-rq-timeout-ms"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What goes back."""

    body: bytes
    status: int = 200
    headers: RawHeaders = JSON


class Application:
    """Answer HTTP requests for one model."""

    def __init__(self, lifecycle: Lifecycle, observation: Observation, limits: Limits) -> None:
        """Take what the requests share; the data plane comes later, so that probes are answered before."""
        self._lifecycle, self._observation, self._limits = lifecycle, observation, limits
        name = lifecycle.model_name
        self._infer_paths = {f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{VERSION}/infer"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the one place where errors become statuses."""
        try:
            if scope["path"] in self._infer_paths:
                answer = await self._infer(scope, receive)
            else:
                answer = self._page(scope)
        except ClientLeftError:
            return
        except RequestError as error:
            answer = _refusal(error)
        except Exception:
            logger.exception("request failed")
            answer = Answer(msgspec.json.encode(ErrorMessage(error="internal error")), 500)
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        if self._lifecycle.is_draining and scope["http_version"] == "1.1":
            headers.append(CLOSE)  # so that clients open the next one to another pod
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _infer(self, scope: Scope, receive: Receive) -> Answer:
        call = Call(clock(), partial(client_left, receive))
        self._observation.begin()
        try:
            return await self._answer(call, scope, receive)
        except RequestError as error:
            call.code = str(int(error.status))
            raise
        finally:
            call.done = clock()
            self._observation.end("rest", call)

    async def _answer(self, call: Call, scope: Scope, receive: Receive) -> Answer:
        _only("POST", scope)
        plane = self._lifecycle.serving_plane()
        headers: Headers = dict(scope["headers"])
        body = await read_body(headers, receive, self._limits)
        call.received = clock()
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            body = decompressed(body, encoding.decode("latin-1"), self._limits.max_body_bytes)
        call.parent = headers.get(b"traceparent")
        length = headers.get(JSON_LENGTH)
        read = bodies.decode(body, None if length is None else length.decode("latin-1"))
        call.id = read.request.id
        if TIMEOUT in headers:
            call.expire_after(_seconds(headers[TIMEOUT]))
        call.take_timeout(read.request.parameters.get("timeout"))
        outputs = await plane.infer(read.inputs, read.wanted, call)
        answer = _encoded(bodies.encode(read, plane.named, outputs), headers.get(b"accept-encoding"))
        call.code = "200"
        return answer

    def _page(self, scope: Scope) -> Answer:
        path = scope["path"]
        parts = path.strip("/").split("/")
        if parts == ["metrics"]:
            return Answer(self._observation.metrics.render(), headers=TEXT)
        if parts[0] != "v2":
            raise NotFoundError(f"{path[:200]}: expected a path under /v2, or /metrics")
        if parts[1:2] == ["models"] and len(parts) > 2:  # noqa: PLR2004 - v2/models/NAME
            return self._model(parts[2:], scope)
        _only("GET", scope)
        pages: dict[tuple[str, ...], Callable[[], Answer]] = {
            (): lambda: _json(server_metadata(self._lifecycle.config)),
            ("health", "live"): lambda: Answer(b'{"live":true}'),
            ("health", "ready"): self._health,
        }
        page = pages.get(tuple(parts[1:]))
        if page is None:
            raise NotFoundError(f"{path[:200]}: expected /v2, /v2/health/live, /v2/health/ready or /v2/models/NAME")
        return page()

    def _model(self, parts: list[str], scope: Scope) -> Answer:
        path = scope["path"]
        name, version, rest = parts[0], None, parts[1:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        plane = self._lifecycle.serving_plane()
        plane.check_model(name, version)
        if rest == ["infer"]:  # a spelling of the path that is not among `_infer_paths`, such as one with // in it
            raise NotFoundError(f"{path[:200]}: expected /v2/models/{name}/infer")
        _only("GET", scope)
        if rest == ["ready"]:
            return self._health()
        if not rest:
            return _json(plane.model_metadata())
        raise NotFoundError(f"{path[:200]}: expected …/ready or …/infer")

    def _health(self) -> Answer:
        self._lifecycle.ready_plane()
        return Answer(b'{"ready":true}')


def _refusal(error: RequestError) -> Answer:
    body = msgspec.json.encode(ErrorMessage(error=str(error)))
    more = [(name.encode(), value.encode()) for name, value in error.headers]
    return Answer(body, int(error.status), (*JSON, *more))


def _encoded(encoded: bodies.Encoded, accepted: bytes | None) -> Answer:
    content, headers = encoded.content, JSON
    if encoded.json_length is not None:
        headers = ((b"content-type", b"application/octet-stream"), (JSON_LENGTH, b"%d" % encoded.json_length))
    if accepted is not None and (found := compressed(content, accepted.decode("latin-1"))):
        content, encoding = found
        headers = (*headers, (b"content-encoding", encoding.encode()))
    return Answer(content, headers=headers)


def _seconds(milliseconds: bytes) -> float:
    if not milliseconds.isdigit():
        raise BadRequestError(f"{TIMEOUT.decode()}: expected milliseconds, found {milliseconds.decode('latin-1'):.32}")
    return int(milliseconds[:16]) / 1e3


def _json(message: msgspec.Struct) -> Answer:
    return Answer(msgspec.json.encode(message))


def _only(method: str, scope: Any) -> None:
    if scope["method"] != method:
        message = f"{scope['path'][:200]}: expected {method}, found {scope['method'][:20]}"
        raise MethodNotAllowedError(message, allowed=method)
