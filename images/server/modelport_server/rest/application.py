"""The application of REST: routes, bodies, statuses. What a request means is the data plane's business."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec

from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import VERSION, Outputs, Question, server_metadata
from modelport_server.errors import BadRequestError, MethodNotAllowedError, NotFoundError, RequestError
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation import metrics
from modelport_server.observation.observers import Observation
from modelport_server.protocol import bodies
from modelport_server.protocol.compression import compressed, decompressed
from modelport_server.protocol.messages import ErrorMessage
from modelport_server.rest.messages import JSON, Answer, RawHeaders, Request
from modelport_server.transport.limits import Limits

logger = logging.getLogger(__name__)

TEXT: RawHeaders = ((b"content-type", metrics.CONTENT_TYPE.encode()),)
JSON_LENGTH = bodies.LENGTH_HEADER.encode()
TIMEOUT = b"x-envoy-expected-rq-timeout-ms"


class Application:
    """Answer HTTP requests for one model."""

    def __init__(self, lifecycle: Lifecycle, observation: Observation, limits: Limits) -> None:
        """Take what the requests share; the data plane comes later, so that probes are answered before."""
        self._lifecycle, self._observation, self._limits = lifecycle, observation, limits
        name = lifecycle.model_name
        self._named = bodies.naming(name, VERSION)
        self._infer_paths = {f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{VERSION}/infer"}

    def respond(self, requests: Sequence[Request]) -> list[Answer | Coroutine[Any, Any, Answer]]:
        """Return for each request its answer if it is there at once, otherwise what waits for it.

        Each stage is done for all of them before the next one: its code and data are then in the processor's caches for all
        but the first. One request after the other would find those of the stage before there, each time.
        """
        begun = [self._begin(request) for request in requests]
        for each in begun:
            if isinstance(each, _Inference):
                each.question.run()
        return [self._finish(each) if isinstance(each, _Inference) else each for each in begun]

    def _begin(self, request: Request) -> "Answer | _Inference":
        if request.path not in self._infer_paths:
            try:
                return self._page(request)
            except Exception as error:  # noqa: BLE001 - the client gets its answer, whatever it is
                return refusal(error)
        call = Call(request.arrived, request.client_leaves)
        call.received = call.arrived
        self._observation.begin()
        try:
            _only("POST", request)
            plane = self._lifecycle.serving_plane()
            body = self._read(request, call)
            return _Inference(request, body, plane.read(body.inputs, body.wanted, call))
        except Exception as error:  # noqa: BLE001 - as above
            answer = _failed(error, call)
        self._end(call)
        return answer

    def _finish(self, inference: "_Inference") -> Answer | Coroutine[Any, Any, Answer]:
        call = inference.question.call
        try:
            outputs = inference.question.result()
            if not isinstance(outputs, list):
                return self._later(inference, outputs)
            answer = self._written(inference, outputs)
        except Exception as error:  # noqa: BLE001 - as above
            answer = _failed(error, call)
        self._end(call)
        return answer

    async def _later(self, inference: "_Inference", outputs: Awaitable[Outputs]) -> Answer:
        try:
            return self._written(inference, await outputs)
        except Exception as error:  # noqa: BLE001 - as above
            return _failed(error, inference.question.call)
        finally:
            self._end(inference.question.call)

    def _read(self, request: Request, call: Call) -> bodies.Body:
        headers, content = request.headers, request.body
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            content = decompressed(content, encoding.decode("latin-1"), self._limits.max_body_bytes)
        call.parent = headers.get(b"traceparent")
        length = headers.get(JSON_LENGTH)
        body = bodies.decode(content, None if length is None else length.decode("latin-1"))
        call.id = body.request.id
        if TIMEOUT in headers:
            call.expire_after(_seconds(headers[TIMEOUT]))
        call.take_timeout(body.request.parameters.get("timeout"))
        return body

    def _written(self, inference: "_Inference", outputs: Outputs) -> Answer:
        encoded = bodies.encode(inference.body, self._named, outputs)
        answer = _encoded(encoded, inference.request.headers.get(b"accept-encoding"))
        inference.question.call.code = "200"
        return answer

    def _end(self, call: Call) -> None:
        call.done = clock()
        self._observation.end("rest", call)

    def _page(self, request: Request) -> Answer:
        path = request.path
        parts = path.strip("/").split("/")
        if parts == ["metrics"]:
            return Answer((self._observation.metrics.render(),), headers=TEXT)
        if parts[0] != "v2":
            raise NotFoundError(f"{path[:200]}: expected a path under /v2, or /metrics")
        if parts[1:2] == ["models"] and len(parts) > 2:  # noqa: PLR2004 - v2/models/NAME
            return self._model(parts[2:], request)
        _only("GET", request)
        pages: dict[tuple[str, ...], Callable[[], Answer]] = {
            (): lambda: _json(server_metadata(self._lifecycle.config)),
            ("health", "live"): lambda: Answer((b'{"live":true}',)),
            ("health", "ready"): self._health,
        }
        page = pages.get(tuple(parts[1:]))
        if page is None:
            raise NotFoundError(f"{path[:200]}: expected /v2, /v2/health/live, /v2/health/ready or /v2/models/NAME")
        return page()

    def _model(self, parts: list[str], request: Request) -> Answer:
        path = request.path
        name, version, rest = parts[0], None, parts[1:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        plane = self._lifecycle.serving_plane()
        plane.check_model(name, version)
        if rest == ["infer"]:  # a spelling of the path that is not among `_infer_paths`, such as one with // in it
            raise NotFoundError(f"{path[:200]}: expected /v2/models/{name}/infer")
        _only("GET", request)
        if rest == ["ready"]:
            return self._health()
        if not rest:
            return _json(plane.model_metadata())
        raise NotFoundError(f"{path[:200]}: expected …/ready or …/infer")

    def _health(self) -> Answer:
        self._lifecycle.ready_plane()
        return Answer((b'{"ready":true}',))


class _Inference:
    """A request for inference that was read."""

    __slots__ = ("body", "question", "request")

    def __init__(self, request: Request, body: bodies.Body, question: Question) -> None:
        self.request, self.body, self.question = request, body, question


def refusal(error: Exception) -> Answer:
    """Return the answer that tells an error; the one place where errors become statuses."""
    if not isinstance(error, RequestError):
        logger.error("request failed", exc_info=error)
        error = RequestError("internal error")
    body = msgspec.json.encode(ErrorMessage(error=str(error)))
    more = tuple((name.encode(), value.encode()) for name, value in error.headers)
    return Answer((body,), int(error.status), (*JSON, *more))


def _failed(error: Exception, call: Call) -> Answer:
    answer = refusal(error)
    call.code = str(answer.status)
    return answer


def _encoded(encoded: bodies.Encoded, accepted: bytes | None) -> Answer:
    pieces, headers = encoded.pieces, JSON
    if encoded.json_length is not None:
        headers = ((b"content-type", b"application/octet-stream"), (JSON_LENGTH, b"%d" % encoded.json_length))
    if accepted is not None and (found := compressed(pieces, accepted.decode("latin-1"))):
        content, encoding = found
        pieces, headers = [content], (*headers, (b"content-encoding", encoding.encode()))
    return Answer(pieces, headers=headers)


def _seconds(milliseconds: bytes) -> float:
    if not milliseconds.isdigit():
        raise BadRequestError(f"{TIMEOUT.decode()}: expected milliseconds, found {milliseconds.decode('latin-1'):.32}")
    return int(milliseconds[:16]) / 1e3


def _json(message: msgspec.Struct) -> Answer:
    return Answer((msgspec.json.encode(message),))


def _only(method: str, request: Request) -> None:
    if request.method != method:
        message = f"{request.path[:200]}: expected {method}, found {request.method[:20]}"
        raise MethodNotAllowedError(message, allowed=method)
