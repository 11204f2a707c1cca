"""The RSGI application: routes, bodies, statuses. What a request means is the data plane's business."""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from granian._granian import RSGIHTTPProtocol as HTTPProtocol
from granian.rsgi import Scope

from modelport_server import metrics
from modelport_server.dataplane import SERVER, DataPlane
from modelport_server.errors import (
    BadRequestError,
    MethodNotAllowedError,
    NotFoundError,
    NotReadyError,
    RequestError,
    TooLargeError,
)
from modelport_server.lifecycle import Lifecycle
from modelport_server.protocol.messages import ErrorMessage, InferenceRequest

logger = logging.getLogger(__name__)

JSON = [("content-type", "application/json")]
TEXT = [("content-type", metrics.CONTENT_TYPE)]
_REQUEST = msgspec.json.Decoder(InferenceRequest)


class Answer(NamedTuple):
    """What goes back."""

    body: bytes
    status: int = HTTPStatus.OK
    headers: list[tuple[str, str]] = JSON


class Application:
    """Answer HTTP requests for one model."""

    def __init__(self, lifecycle: Lifecycle, counters: metrics.Metrics, *, max_body_bytes: int) -> None:
        """Take what the requests share; the data plane comes later, so that probes are answered before."""
        self._lifecycle, self._metrics, self._max_body_bytes = lifecycle, counters, max_body_bytes

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request; the one place where errors become statuses."""
        try:
            answer = await self._route(scope, protocol)
        except RequestError as error:
            answer = Answer(msgspec.json.encode(ErrorMessage(error=str(error))), error.status)
        except Exception:
            logger.exception("request failed")
            answer = Answer(msgspec.json.encode(ErrorMessage(error="internal error")), HTTPStatus.INTERNAL_SERVER_ERROR)
        headers = answer.headers
        if self._lifecycle.is_draining:
            headers = [*headers, ("connection", "close")]  # so that clients open the next one to another pod
        protocol.response_bytes(answer.status, headers, answer.body)

    async def _route(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        parts = scope.path.strip("/").split("/")
        if parts == ["metrics"]:
            return Answer(self._metrics.render(), headers=TEXT)
        if parts[0] != "v2":
            raise NotFoundError(f"{scope.path[:200]}: expected a path under /v2, or /metrics")
        if parts[1:2] == ["models"] and len(parts) > 2:  # noqa: PLR2004 - v2/models/NAME
            return await self._model(parts[2:], scope, protocol)
        _only("GET", scope)
        pages: dict[tuple[str, ...], Callable[[], Answer]] = {
            (): lambda: _json(SERVER),
            ("health", "live"): lambda: Answer(b'{"live":true}'),
            ("health", "ready"): self._health,
        }
        page = pages.get(tuple(parts[1:]))
        if page is None:
            raise NotFoundError(
                f"{scope.path[:200]}: expected /v2, /v2/health/live, /v2/health/ready or /v2/models/NAME"
            )
        return page()

    async def _model(self, parts: list[str], scope: Scope, protocol: HTTPProtocol) -> Answer:
        name, version, rest = parts[0], None, parts[1:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        plane = self._plane()
        plane.check_model(name, version)
        if rest == ["infer"]:
            _only("POST", scope)
            return await self._infer(plane, scope, protocol)
        _only("GET", scope)
        if rest == ["ready"]:
            return self._health()
        if not rest:
            return _json(plane.model_metadata())
        raise NotFoundError(f"{scope.path[:200]}: expected …/ready or …/infer")

    async def _infer(self, plane: DataPlane, scope: Scope, protocol: HTTPProtocol) -> Answer:
        started, code = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)
        with self._metrics.in_flight.track_inprogress():
            try:
                body = await self._body(scope, protocol)
                # the runtime releases the interpreter; a thread keeps probes and other requests going meanwhile
                answer = await asyncio.get_running_loop().run_in_executor(self._lifecycle.workers, _answer, plane, body)
                code = answer.status
            except RequestError as error:
                code = error.status
                raise
            else:
                return answer
            finally:
                self._metrics.answered(code, time.perf_counter() - started)

    async def _body(self, scope: Scope, protocol: HTTPProtocol) -> bytes:
        told = scope.headers.get("content-length")
        if told is not None and told.isdigit() and int(told) > self._max_body_bytes:
            raise TooLargeError(f"body: expected at most {self._max_body_bytes} bytes, found {told[:20]}")
        if scope.headers.get("content-encoding", "identity") != "identity":
            raise BadRequestError("content-encoding: expected identity, found a compressed body")
        if "inference-header-content-length" in scope.headers:
            raise BadRequestError("inference-header-content-length: expected JSON tensors, found binary ones")
        chunks, size = [], 0
        async for chunk in protocol:
            size += len(chunk)
            if size > self._max_body_bytes:
                raise TooLargeError(f"body: expected at most {self._max_body_bytes} bytes, found more")
            chunks.append(chunk)
        return b"".join(chunks)

    def _health(self) -> Answer:
        self._ready_plane()
        return Answer(b'{"ready":true}')

    def _ready_plane(self) -> DataPlane:
        if self._lifecycle.is_draining:
            raise NotReadyError("the server is draining")
        return self._plane()

    def _plane(self) -> DataPlane:
        if self._lifecycle.plane is None:
            raise NotReadyError("the model is not ready")
        return self._lifecycle.plane


def _answer(plane: DataPlane, body: bytes) -> Answer:
    try:
        request = _REQUEST.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequestError(f"body: {error}"[:500]) from error
    except RecursionError as error:
        raise BadRequestError("body: expected less nesting") from error
    return _json(plane.infer(request))


def _json(message: msgspec.Struct) -> Answer:
    return Answer(msgspec.json.encode(message))


def _only(method: str, scope: Any) -> None:
    if scope.method != method:
        raise MethodNotAllowedError(f"{scope.path[:200]}: expected {method}, found {scope.method[:20]}")
