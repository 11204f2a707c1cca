"""Clients that do what clients should not: each misbehaves once and returns what is wrong with the server's answer."""

import http.client
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]  # ships no types

from modelport_server.grpc.http2 import framing
from modelport_server.grpc.http2.hpack import encode
from serving import requests
from serving.contestants.servers import INFER, Server
from serving.requests import LENGTH_HEADER, Request

SLOW_SECONDS, SLOW_PIECES = 3.0, 30
STALL_SECONDS = 2.0
RESETS = 100
_HELLO = framing.PREFACE + framing.settings({})
_HEADERS = encode(
    (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", f"/{requests.CALL.replace('.ModelInfer', '/ModelInfer')}".encode()),
        (b"content-type", b"application/grpc"),
    )
)
_RESET = struct.pack("ii", 1, 0)
_OVERSIZE_STATUS, _BAD_STATUS, _OK_STATUS = 413, 400, 200


class Setting(NamedTuple):
    """The server, good requests to spoil, and the largest body that it takes."""

    server: Server
    json: Request
    binary: Request
    grpc: Request
    max_body_bytes: int


Fault = Callable[[Setting], str | None]


def abort_in_body(setting: Setting) -> str | None:
    """Close in the middle of the body."""
    with _connected(setting) as connection:
        connection.sendall(_head(setting.binary) + setting.binary.body[: len(setting.binary.body) // 2])
    return None


def reset_in_body(setting: Setting) -> str | None:
    """Break the connection off in the middle of the body."""
    with _connected(setting) as connection:
        connection.sendall(_head(setting.json) + setting.json.body[: len(setting.json.body) // 2])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return None


def abort_before_answer(setting: Setting) -> str | None:
    """Ask, and break the connection off instead of reading."""
    with _connected(setting) as connection:
        connection.sendall(_head(setting.binary) + setting.binary.body)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return None


def stall(setting: Setting) -> str | None:
    """Send half of a head, and nothing more."""
    with _connected(setting) as connection:
        connection.sendall(_head(setting.json)[:40])
        time.sleep(STALL_SECONDS)
    return None


def say_garbage(setting: Setting) -> str | None:
    """Send what is no HTTP: the server may refuse it or hang up."""
    with _connected(setting) as connection, suppress(ConnectionError):
        connection.sendall(b"\x00\xff\x16\x03 no HTTP at all\r\n\r\n")
        answer = connection.recv(4096)
        if answer and b" 400 " not in answer.splitlines()[0]:
            return f"expected status 400 or an end, found {answer[:100]!r}"
    return None


def be_slow(setting: Setting) -> str | None:
    """Send a good request in small pieces; it is to be answered."""
    whole = _head(setting.binary) + setting.binary.body
    size = len(whole) // SLOW_PIECES + 1
    with _connected(setting) as connection:
        for start in range(0, len(whole), size):
            connection.sendall(whole[start : start + size])
            time.sleep(SLOW_SECONDS / SLOW_PIECES)
        return _expect(_OK_STATUS, connection)


def oversize(setting: Setting) -> str | None:
    """Announce a body that is too large."""
    with _connected(setting) as connection:
        connection.sendall(_head(setting.json, length=setting.max_body_bytes + 1))
        return _expect(_OVERSIZE_STATUS, connection)


def oversize_in_chunks(setting: Setting) -> str | None:
    """Send a body that is too large without saying so; the server may hang up before we read what it says."""
    piece = b"1" * (1 << 20)
    with _connected(setting) as connection, suppress(ConnectionError, http.client.RemoteDisconnected):
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(setting.max_body_bytes // len(piece) + 1):
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        return _expect(_OVERSIZE_STATUS, connection)
    return None


def malformed_json(setting: Setting) -> str | None:
    """Send half of a JSON text."""
    return _refused(setting, setting.json.body[:1000], setting.json.headers)


def wrong_shape(setting: Setting) -> str | None:
    """Send a good text with a shape that does not fit."""
    asked = json.loads(setting.json.body)
    asked["inputs"][0].update(shape=[1, 2], data=[1.0, 2.0])
    return _refused(setting, json.dumps(asked).encode(), setting.json.headers)


def wrong_length(setting: Setting) -> str | None:
    """Say that the JSON before the tensors is longer than the body."""
    return _refused(setting, setting.binary.body, {**setting.binary.headers, LENGTH_HEADER: "999999999"})


def missing_bytes(setting: Setting) -> str | None:
    """Send fewer bytes of tensors than the JSON says."""
    return _refused(setting, setting.binary.body[:-100], setting.binary.headers)


def grpc_garbage(setting: Setting) -> str | None:
    """Send what is no message."""
    return _grpc_refused(setting, b"\xff" * 100, {"INVALID_ARGUMENT", "INTERNAL", "UNKNOWN"})


def grpc_oversize(setting: Setting) -> str | None:
    """Send a message that is too large."""
    return _grpc_refused(setting, b"\x00" * (setting.max_body_bytes + (1 << 20)), {"RESOURCE_EXHAUSTED", "UNAVAILABLE"})


def grpc_cancel(setting: Setting) -> str | None:
    """Cancel a call that is under way."""
    with _channel(setting) as channel:
        call = requests.grpc_call(channel).future(setting.grpc.body, timeout=requests.SECONDS)
        time.sleep(0.001)
        call.cancel()
    return None


def grpc_garbage_as_frames(setting: Setting) -> str | None:
    """Send what is no HTTP/2: the server may say so, and hangs up."""
    with _grpc_connected(setting) as connection:
        connection.sendall(os.urandom(1000))
        with suppress(ConnectionError):
            while connection.recv(4096):
                pass
    return None


def grpc_abort_in_body(setting: Setting) -> str | None:
    """Break the connection off in the middle of a frame."""
    with _grpc_connected(setting) as connection:
        connection.sendall(_HELLO + _called(1) + framing.head(framing.MAX_PAYLOAD, framing.DATA, 0, 1) + bytes(1000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return None


def grpc_reset_streams(setting: Setting) -> str | None:
    """Begin calls and reset each; the connection goes on."""
    with _grpc_connected(setting) as connection:
        streams = range(1, 2 * RESETS, 2)
        resets = (_called(stream) + framing.rst_stream(stream, framing.CANCEL) for stream in streams)
        ping = framing.frame(framing.PING, 0, 0, b"after it")
        connection.sendall(_HELLO + b"".join(resets) + ping)
        received = b""
        while not received.endswith(b"after it"):
            more = connection.recv(4096)
            if not more:
                return f"expected an answer to a ping behind {RESETS} resets, found the end of the connection"
            received += more
    return None


FAULTS: tuple[Fault, ...] = (
    abort_in_body,
    reset_in_body,
    abort_before_answer,
    stall,
    say_garbage,
    be_slow,
    oversize,
    oversize_in_chunks,
    malformed_json,
    wrong_shape,
    wrong_length,
    missing_bytes,
    grpc_garbage,
    grpc_oversize,
    grpc_cancel,
    grpc_garbage_as_frames,
    grpc_abort_in_body,
    grpc_reset_streams,
)


def _connected(setting: Setting) -> socket.socket:
    return socket.create_connection(("127.0.0.1", setting.server.http_port), requests.SECONDS)


def _grpc_connected(setting: Setting) -> socket.socket:
    return socket.create_connection(("127.0.0.1", setting.server.grpc_port), requests.SECONDS)


def _called(stream: int) -> bytes:
    return framing.frame(framing.HEADERS, framing.END_HEADERS, stream, _HEADERS)


def _head(request: Request, length: int | None = None) -> bytes:
    headers = {"Host": "127.0.0.1", "Content-Length": str(length or len(request.body)), **request.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {INFER} HTTP/1.1\r\n{lines}\r\n".encode()


def _expect(status: int, connection: socket.socket) -> str | None:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    content = answer.read()
    return None if answer.status == status else f"expected status {status}, found {answer.status}: {content[:200]!r}"


def _refused(setting: Setting, body: bytes, headers: dict[str, str]) -> str | None:
    spoiled = setting.json._replace(body=body, headers=headers)
    with _connected(setting) as connection:
        connection.sendall(_head(spoiled) + body)
        return _expect(_BAD_STATUS, connection)


def _grpc_refused(setting: Setting, body: bytes, expected: set[str]) -> str | None:
    with _channel(setting) as channel:
        try:
            requests.grpc_call(channel)(body, timeout=requests.SECONDS)
        except grpc.RpcError as error:
            found = error.code().name
            return None if found in expected else f"expected {sorted(expected)}, found {found}: {error.details()}"
    return f"expected {sorted(expected)}, found an answer"


def _channel(setting: Setting) -> Any:
    return grpc.insecure_channel(f"127.0.0.1:{setting.server.grpc_port}")
