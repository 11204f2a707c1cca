"""Well-behaved clients of the soak test: each asks again and again on its connection and checks every answer."""

import http.client
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import grpc  # type: ignore[import-untyped]  # ships no types
import numpy as np

from serving import requests
from serving.contestants.servers import INFER
from serving.models.served import Model
from serving.requests import ABSOLUTE, RELATIVE, Outputs, Request
from serving.soak.tally import Tally, Window

PAUSE_SECONDS = 0.01
# so that a client finds a new server as soon as it is there
_CHANNEL = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]


class Client(NamedTuple):
    """Who asks what, and where what is seen goes."""

    name: str
    port: int
    model: Model
    request: Request
    tally: Tally
    window: Window
    stop: threading.Event

    def run(self) -> None:
        """Ask until told to stop."""
        with _Grpc(self) if self.request.is_grpc else _Rest(self) as connection:
            while not self.stop.wait(PAUSE_SECONDS):
                self._ask(connection.ask)

    def _ask(self, ask: Callable[[], Outputs]) -> None:
        was_open = self.window.is_set()
        try:
            outputs = ask()
        except AbsentError as error:
            if was_open or self.window.is_set():
                self.tally.count(f"{self.name}: {error} while replaced")
            else:
                self.tally.fail(self.name, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not an answer
            when = "while replaced" if was_open or self.window.is_set() else "at rest"
            self.tally.fail(self.name, f"{type(error).__name__} {when}: {error}")
        else:
            self._compare(outputs)

    def _compare(self, outputs: Outputs) -> None:
        for name, expected in self.model.outputs.items():
            found = outputs.get(name)
            if found is None or not np.allclose(found, expected, RELATIVE, ABSOLUTE):
                self.tally.fail(self.name, f"expected {expected.ravel()[:3]}, found {outputs}")
                return
        self.tally.count(f"{self.name}: answered")


class AbsentError(Exception):
    """Nobody listens, or who listens is not ready."""


class _Rest:
    """A connection that is kept as long as the server lets us."""

    def __init__(self, client: Client) -> None:
        self._request = client.request
        self._connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=requests.SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self) -> Outputs:
        is_new = self._connection.sock is None
        try:
            self._connection.request("POST", INFER, self._request.body, self._request.headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except ConnectionRefusedError as error:
            self._connection.close()
            raise AbsentError("refused") from error
        except ConnectionError as error:
            self._connection.close()
            raise ValueError(f"{error!r} on {'a new' if is_new else 'its'} connection") from error
        except BaseException:
            self._connection.close()
            raise
        if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise AbsentError("status 503")
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"status {answer.status}: {content[:200]!r}")
        return requests.read_rest(content, answer.headers.get(requests.LENGTH_HEADER))


class _Grpc:
    """A channel."""

    def __init__(self, client: Client) -> None:
        self._request = client.request
        self._channel: Any = grpc.insecure_channel(f"127.0.0.1:{client.port}", _CHANNEL)
        self._call = requests.grpc_call(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def ask(self) -> Outputs:
        try:
            return requests.read_grpc(self._call(self._request.body, timeout=requests.SECONDS, wait_for_ready=True))
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise AbsentError("UNAVAILABLE") from error
            raise
