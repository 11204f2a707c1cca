"""A Node without a machine: an object, and a Lease that is renewed, as a kubelet does to say that it lives.

It alone has the resource that the benchmark's Jobs ask for, so that the scheduler brings them there, and nobody else.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from embedded import kubectl

from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import KubeError

NODE = "scale"
SLOT = "scale.modelport.dev/slot"
PODS = 20_000
_LEASES = "kube-node-lease"
_RENEWAL_SECONDS = 10.0
_MANAGER = "scale-node"


@asynccontextmanager
async def node(kube: Kube) -> AsyncIterator[None]:
    """Have the Node while the block runs."""
    await asyncio.to_thread(remove)
    await asyncio.to_thread(_create)
    beating = asyncio.create_task(_beat(kube), name="heartbeat")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await asyncio.to_thread(remove)


def remove() -> None:
    """Delete the Node and its Lease, if they are there."""
    kubectl("delete", "node", NODE, "--ignore-not-found")
    kubectl("delete", "lease", NODE, "-n", _LEASES, "--ignore-not-found")


def body(moment: dt.datetime) -> Object:
    """Return the Node, which has room for all Jobs; pods that can be elsewhere are kept away."""
    room = {"cpu": "100k", "memory": "100Ti", "ephemeral-storage": "1000Ti", "pods": str(PODS), SLOT: str(10 * PODS)}
    now = timestamp(moment)
    ready = {"type": "Ready", "status": "True", "reason": "Played", "lastHeartbeatTime": now, "lastTransitionTime": now}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": NODE}},
        "spec": {"taints": [{"key": SLOT, "effect": "PreferNoSchedule"}]},
        "status": {"capacity": room, "allocatable": room, "conditions": [ready]},
    }


def _create() -> None:
    made = body(dt.datetime.now(dt.UTC))
    kubectl("create", "-f", "-", stdin=made)
    subresource = ("--server-side", "--force-conflicts", f"--field-manager={_MANAGER}", "--subresource=status")
    kubectl("apply", *subresource, "-f", "-", stdin=made)


async def _beat(kube: Kube) -> None:
    """Renew the Lease; an API server that is busy is asked again, long before anybody misses it."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NODE, "namespace": _LEASES},
        "spec": {
            "holderIdentity": NODE,
            "leaseDurationSeconds": 40,
            "renewTime": timestamp(dt.datetime.now(dt.UTC), "microseconds"),
        },
    }
    live = await kube.create("Lease", _LEASES, lease, manager=_MANAGER)
    while True:
        await asyncio.sleep(_RENEWAL_SECONDS)
        live["spec"]["renewTime"] = timestamp(dt.datetime.now(dt.UTC), "microseconds")
        try:
            live = await kube.replace("Lease", _LEASES, NODE, live, manager=_MANAGER)
        except KubeError:
            live = await kube.get("Lease", _LEASES, NODE)


def timestamp(moment: dt.datetime, precision: str = "seconds") -> str:
    """Return a moment, in UTC, as Kubernetes writes it."""
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
