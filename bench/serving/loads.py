"""The load generators: wrk for REST, ghz for gRPC. A single failed request makes a measurement worthless."""

import json
import os
import subprocess
from typing import Any, NamedTuple

from serving.contestants.servers import INFER, Server
from serving.places import HERE, PROTO, BenchError
from serving.programs import provide_ghz, provide_wrk
from serving.requests import CALL, Request

GRPC_CONNECTIONS = 4
SLACK_SECONDS = 60


class Load(NamedTuple):
    """What a server did under load."""

    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


def load(server: Server, request: Request, seconds: float, connections: int) -> Load:
    """Send the request again and again, `connections` at a time."""
    return (_ghz if request.is_grpc else _wrk)(server, request, seconds, connections)


def _wrk(server: Server, request: Request, seconds: float, connections: int) -> Load:
    command = [provide_wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    command += [word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}")]
    command += ["-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{server.http_port}{INFER}"]
    found = _measured(_output(command, seconds, BODY=str(request.file)).splitlines()[-1])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise server.failed(f"{request.file.name}: expected answers with status 200, found {found}")
    return Load(found["requests"] / found["microseconds"] * 1e6, found["p50"] / 1e3, found["p99"] / 1e3)


def _ghz(server: Server, request: Request, seconds: float, connections: int) -> Load:
    command = [provide_ghz(), "--insecure", "--proto", str(PROTO), "--call", CALL, "--format", "json"]
    command += ["--binary-file", str(request.file), "--concurrency", str(connections)]
    command += ["--connections", str(min(GRPC_CONNECTIONS, connections)), "--duration", f"{seconds}s"]
    # calls that the end of the time cuts off are no failures
    command += ["--duration-stop", "ignore", f"127.0.0.1:{server.grpc_port}"]
    found = _measured(_output(command, seconds))
    if set(found["statusCodeDistribution"]) != {"OK"}:
        told = found["statusCodeDistribution"], found.get("errorDistribution")
        raise server.failed(f"{request.file.name}: expected answers with status OK, found {told}")
    latency = {each["percentage"]: each["latency"] / 1e6 for each in found["latencyDistribution"]}
    return Load(found["count"] / found["total"] * 1e9, latency[50], latency[99])


def _output(command: list[str], seconds: float, **variables: str) -> str:
    environment = {**os.environ, **variables}
    limit = seconds + SLACK_SECONDS
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _measured(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
