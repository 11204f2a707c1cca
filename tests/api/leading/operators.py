"""Processes of the operator on a real API server: how they are started, what they tell, and how their way is cut."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Body = dict[str, Any]
DURATION, DEADLINE, RETRY = 12, 9.0, 0.5
LEASE = "modelport-operator"
PATIENCE = 180.0
"""Seconds for what takes one or two on a machine that does nothing else."""
_IMAGES = {name: f"registry.invalid/{name}@sha256:{'0' * 64}" for name in ("converter-onnx", "server-onnxruntime")}


class Operator:
    """One process."""

    def __init__(self, name: str, namespace: str, kubeconfig: Path, folder: Path) -> None:
        self.name, self.identity = name, f"{name}_uid-of-{name}"
        self.log = folder / f"{name}.log"
        images = folder / "images.json"
        images.write_text(json.dumps(_IMAGES))
        self.probes, self.metrics = _free_port(), _free_port()
        settings = {
            "IMAGES_FILE": images,
            "WATCH_NAMESPACES": namespace,
            "LEADER_ELECTION": "true",
            "LEASE_NAMESPACE": namespace,
            "LEASE_DURATION_SECONDS": DURATION,
            "RENEW_DEADLINE_SECONDS": DEADLINE,
            "RETRY_PERIOD_SECONDS": RETRY,
            "POD_NAME": name,
            "POD_UID": f"uid-of-{name}",
            "PROBES_PORT": self.probes,
            "METRICS_PORT": self.metrics,
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELPORT_")}
        environment |= {"KUBECONFIG": str(kubeconfig)}
        environment |= {f"MODELPORT_{name}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "modelport_operator"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ask(self, path: str, *, port: int | None = None) -> tuple[int, str]:
        """Return status and text of an answer over HTTP; 0: there is none."""
        url = f"http://127.0.0.1:{port or self.probes}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float | None:
        """Return what a metric counts, or None while there is no such line."""
        assert self.process.poll() is None, f"expected {self.name} to run, found that it ended"
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("/metrics", port=self.metrics)[1], re.MULTILINE)
        return float(found[1]) if found else None

    def leads(self) -> bool:
        """Whether it says that it leads."""
        return self.metric("modelport_leader") == 1

    def stands_by(self) -> bool:
        """Whether it says that it could take over, and leads not."""
        return self.metric("modelport_leader") == 0 and self.ask("/readyz")[0] == 200

    def send(self, sent: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(sent)

    def ended(self) -> int:
        """Return the exit status, when it has ended."""
        return self.process.wait(timeout=PATIENCE)

    def lines(self) -> list[str]:
        """Return the messages that it logged."""
        return [json.loads(line)["message"] for line in self.log.read_text().splitlines() if line.startswith("{")]

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()


async def until(holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> float:
    """Return the seconds that passed until something held."""
    started = time.monotonic()
    while not await asyncio.to_thread(holds):
        assert time.monotonic() - started < seconds, f"expected {what} within {seconds:g} s"
        await asyncio.sleep(0.1)
    return time.monotonic() - started


class Relay:
    """Passes bytes on to the API server until it is cut: then connections stay, and nothing passes."""

    def __init__(self, server: str) -> None:
        url = urlsplit(server)
        self._host, self._port = url.hostname, url.port or 443
        self._open = asyncio.Event()
        self._open.set()
        self._accepted: list[asyncio.Task[Any]] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        """Return the port of 127.0.0.1 that it listens on."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Let nothing pass any more."""
        self._open.clear()

    async def stop(self) -> None:
        """Close all; whoever came through it has ended."""
        self._server.close()
        await asyncio.gather(*self._accepted, return_exceptions=True)
        for task in self._pumps:
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._pumps, *(each.wait_closed() for each in self._writers), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepting = asyncio.current_task()
        assert accepting
        self._accepted.append(accepting)
        upstream_reader, upstream_writer = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, upstream_writer]
        for source, target in ((reader, upstream_writer), (upstream_reader, writer)):
            self._pumps.append(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                await self._open.wait()
                target.write(data)
                await target.drain()
        target.close()


def relayed(config: Body, port: int) -> Body:
    """Return a kubeconfig that leads through a relay, whose name is in no certificate."""
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return config | {"clusters": [{"name": config["clusters"][0]["name"], "cluster": cluster}]}


@contextmanager
def running(operators: list[Operator]) -> Iterator[None]:
    """End the operators after the block, and print their logs, which a failed test shows."""
    try:
        yield
    finally:
        for operator in operators:
            operator.kill()
            sys.stdout.write(f"--- {operator.name}\n{operator.log.read_text()}\n")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
