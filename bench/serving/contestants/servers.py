"""Server processes: ours and the peers', each with one worker and one thread of the runtime, ended by their own ids."""

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from devcluster.machine.progress import step
from serving.contestants.image import Place
from serving.models.served import Model
from serving.places import HERE, BenchError, free_port
from serving.programs import provide_environment

NAME = "m"
INFER = f"/v2/models/{NAME}/infer"
START_SECONDS = 120
STOP_SECONDS = 20
LOG_BYTES = 1 << 24
TOLD_CHARACTERS = 2000
Ports = tuple[int, int]
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Server(NamedTuple):
    """A server that is ready."""

    title: str
    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int
    log: IO[bytes]

    def failed(self, message: str) -> BenchError:
        """Return the error that tells what it did, with the end of its log."""
        return BenchError(f"{self.title}: {message}\n{self.logged()[-TOLD_CHARACTERS:]}")

    def logged(self) -> str:
        """Return what it has logged."""
        return os.pread(self.log.fileno(), LOG_BYTES, 0).decode(errors="replace")


@contextmanager
def ours(place: Place, model: Model, *options: str, ports: Ports | None = None) -> Iterator[Server]:
    """Run our server with further options."""
    ports = ports or (free_port(), free_port())
    command = place.python(
        model.folder,
        *("-m", "modelport_server", "serve", "FOLDER", "--model-name", NAME, "--host", "127.0.0.1"),
        *("--http-port", str(ports[0]), "--grpc-port", str(ports[1]), "--threads", "1"),
        *("--drain-seconds", "0", *options),
    )
    with _running("Modelport", command, ports) as server:
        yield server


@contextmanager
def mlserver(model: Model) -> Iterator[Server]:
    """Run MLServer with a runtime of its own kind: a class that asks ONNX Runtime."""
    programs, ports = provide_environment("mlserver"), (free_port(), free_port())
    with tempfile.TemporaryDirectory() as scratch:
        settings = {"host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": free_port()}
        model_settings = {
            "name": NAME,
            "implementation": "mlserver_runtime.OnnxRuntime",
            "parameters": {"uri": str(model.file)},
        }
        shutil.copy(HERE / "peers" / "mlserver_runtime.py", scratch)
        Path(scratch, "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0, "debug": False}))
        Path(scratch, "model-settings.json").write_text(json.dumps(model_settings))
        with _running("MLServer", [str(programs / "mlserver"), "start", scratch], ports) as server:
            yield server


@contextmanager
def kserve(model: Model) -> Iterator[Server]:
    """Run KServe's server with a model class that asks ONNX Runtime."""
    programs, ports = provide_environment("kserve"), (free_port(), free_port())
    command = [str(programs / "python"), str(HERE / "peers" / "kserve_server.py")]
    command += ["--http_port", str(ports[0]), "--grpc_port", str(ports[1])]
    with _running("KServe", command, ports, MODEL_NAME=NAME, MODEL_FILE=str(model.file)) as server:
        yield server


def end(started: subprocess.Popen[bytes]) -> None:
    """End a process in an orderly way, and in another if it does not."""
    started.terminate()
    try:
        started.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


@contextmanager
def _running(title: str, command: Sequence[str], ports: Ports, **variables: str) -> Iterator[Server]:
    """Run a server, in a session of its own so that Ctrl-C reaches it through us alone."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=inherited | _THREADS | variables, start_new_session=True
        )
        server = Server(title, process, *ports, log)
        try:
            with step(f"starting {title}", quiet_below=2):
                wait_until_ready(server)
            yield server
        finally:
            end(process)


def wait_until_ready(server: Server) -> None:
    """Wait until a server says so. Raises BenchError if it ends before."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if server.process.poll() is not None:
            raise server.failed(f"expected a server, found exit status {server.process.returncode}")
        if _is_ready(server.http_port):
            return
        time.sleep(0.05)
    raise server.failed(f"expected it to be ready within {START_SECONDS} s")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/v2/models/{NAME}/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
