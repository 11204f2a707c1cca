"""Real server processes on 127.0.0.1, and one request to them at a time."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

CODE = os.environ.get("MODELPORT_SERVER_CODE")
"""Folder with the server's code as images have it, compiled; `make test` sets it."""
MODEL = "net"
INFER = f"/v2/models/{MODEL}/infer"
SECONDS = 60


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Server:
    """A server process."""

    def __init__(self, artifact: Path, *options: str, **variables: str) -> None:
        self.port, self.grpc_port = _free_port(), _free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "modelport_server", "serve", str(artifact), "--model-name", MODEL),
                *("--host", "127.0.0.1", "--http-port", str(self.port), "--grpc-port", str(self.grpc_port), *options),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ({"PYTHONPATH": CODE} if CODE else {}) | variables,
        )

    def logged(self, text: str) -> str:
        """Wait for a line of the log with `text`; return it."""
        assert self.process.stderr
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"the server ended without saying {text!r}: {''.join(seen)}")

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit status and the rest of the log."""
        _, log = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, log

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def ask(self, path: str, body: Any = None, *, method: str = "", **headers: str) -> Answer:
        """Ask once, on a connection of its own; what is no bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        connection = self.connect()
        try:
            connection.request(method or ("GET" if content is None else "POST"), path, content, headers)
            return read(connection)
        finally:
            connection.close()

    def listening(self) -> None:
        """Wait until connections are taken."""
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), SECONDS).close()
            except ConnectionRefusedError:
                continue
            return
        raise AssertionError(f"the server ended: {self.ended()}")


def connected(server: Server) -> socket.socket:
    """Return a bare connection to REST."""
    return socket.create_connection(("127.0.0.1", server.port), 20)


def wait_until_read(connection: socket.socket) -> None:
    """Wait until the server has read all that was sent: the kernel holds none of it, on neither side (proc(5), net/tcp)."""
    ours, theirs = (f"{address[1]:04X}" for address in (connection.getsockname(), connection.getpeername()))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        held = {(row[1][-4:], row[2][-4:]): row[4] for row in rows}
        to_be_acknowledged, to_be_read = held[ours, theirs].split(":")[0], held[theirs, ours].split(":")[1]
        if int(to_be_acknowledged, 16) == int(to_be_read, 16) == 0:
            return
        time.sleep(0.01)
    raise AssertionError(f"{SECONDS} s later the server has not read all of it")


def read(connection: HTTPConnection) -> Answer:
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def serving(artifact: Path, *options: str, **variables: str) -> Iterator[Server]:
    """Run a server that is ready; at the end it is gone, whatever happened."""
    with starting(artifact, *options, **variables) as server:
        server.logged("is ready on port")
        yield server


@contextmanager
def starting(artifact: Path, *options: str, **variables: str) -> Iterator[Server]:
    """Run a server that may never be ready."""
    server = Server(artifact, *options, **variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def tensor(name: str, array: Any, datatype: str = "FP32") -> dict[str, Any]:
    """Return a tensor of the protocol."""
    values = np.asarray(array)
    return {"name": name, "shape": list(values.shape), "datatype": datatype, "data": values.ravel().tolist()}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
