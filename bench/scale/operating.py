"""The operator's process as the kubelet, the API server's audit log and the machine know it."""

import asyncio
import datetime as dt
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from embedded import PATHS, Object, get, kubectl

SYSTEM = "modelport-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:modelport-operator"
SELECTOR = "app.kubernetes.io/name=modelport,app.kubernetes.io/component=operator"
_MODULE = b"modelport_operator"
_SAMPLE_SECONDS = 5.0
_MIB = 1 << 20


class Event(msgspec.Struct, rename="camel"):
    """What is counted of an audit event."""

    verb: str
    user: dict[str, object]
    request_received_timestamp: dt.datetime
    object_ref: dict[str, str] = {}


def calls(since: dt.datetime, folder: Path = PATHS.logs) -> Counter[str]:
    """Return the operator's calls since then, by verb and kind, without watches and those for its Lease."""
    counted: Counter[str] = Counter()
    for line in _lines(since, folder):
        if ACCOUNT.encode() not in line:
            continue
        event = msgspec.json.decode(line, type=Event)
        resource = event.object_ref.get("resource", "")
        is_counted = event.request_received_timestamp >= since and event.user.get("username") == ACCOUNT
        if is_counted and event.verb != "watch" and resource != "leases":
            counted[f"{event.verb} {resource or 'discovery'}"] += 1
    return counted


def _lines(since: dt.datetime, folder: Path) -> Iterator[bytes]:
    """Yield the lines of the audit log; it begins anew when it is long, and keeps the file before."""
    for file in sorted(folder.glob("audit*.log")):
        if file.stat().st_mtime >= since.timestamp():
            with file.open("rb") as log:
                yield from log


def pod() -> Object:
    """Return the operator's pod. Raises RuntimeError if there is not exactly one."""
    found = get("pods", "-n", SYSTEM, "-l", SELECTOR)["items"]
    if len(found) != 1:
        raise RuntimeError(f"expected one pod of the operator in {SYSTEM}, found {len(found)}")
    one: Object = found[0]
    return one


def restarts() -> int:
    """Return how often the operator's container was started again."""
    return int(pod()["status"]["containerStatuses"][0]["restartCount"])


def failed_probes() -> int:
    """Return how often the operator's liveness probe failed, as Events tell, which are kept for an hour."""
    events = get("events", "-n", SYSTEM, "--field-selector=reason=Unhealthy")["items"]
    return sum(
        each.get("count") or 1
        for each in events
        if each["involvedObject"]["name"].startswith("modelport-operator") and "Liveness" in each["message"]
    )


def kill() -> None:
    """End the operator's process without a farewell. Raises RuntimeError if it is not on this machine."""
    uid = str(pod()["metadata"]["uid"])
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_own = uid in (folder / "cgroup").read_text().replace("_", "-")
            if is_own and _MODULE in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
                return
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise RuntimeError(f"expected a process of pod {uid} on this machine, found none")


class Memory:
    """The operator's resident memory in MiB, sampled."""

    def __init__(self) -> None:
        self.most = self.last = 0.0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.last = await asyncio.to_thread(_resident) or self.last
            self.most = max(self.most, self.last)
            await asyncio.sleep(_SAMPLE_SECONDS)

    def begin(self) -> None:
        """Forget what was before."""
        self.most = self.last


def _resident() -> float:
    """Return the resident memory as the kubelet measures it; 0 while there is no container."""
    stats = json.loads(kubectl("get", "--raw", "/api/v1/nodes/modelport/proxy/stats/summary"))
    found = (
        container["memory"].get("rssBytes", 0)
        for each in stats["pods"]
        if each["podRef"]["name"].startswith("modelport-operator")
        for container in each.get("containers", [])
        if "memory" in container
    )
    return max(found, default=0) / _MIB
