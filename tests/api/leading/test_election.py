"""Two operators on a real API server: one works, and the other takes over, however the first one ends."""

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from api.leading.operators import (
    DEADLINE,
    DURATION,
    LEASE,
    Body,
    Operator,
    Relay,
    relayed,
    running,
    until,
)
from modelport.api.base import API_VERSION, KIND
from modelport_operator.leading.leadership import LEASE_LOST

pytestmark = pytest.mark.cluster
NAMES = ("one", "two")
Start = Callable[..., Operator]


class Namespace:
    """A namespace of the test's own."""

    def __init__(self, kubectl: list[str]) -> None:
        self.name = f"leading-{os.urandom(3).hex()}"
        self._kubectl = kubectl

    def run(self, *arguments: str, body: Body | None = None) -> str:
        """Run kubectl in it and return what it prints."""
        command = [*self._kubectl, f"--namespace={self.name}", *arguments]
        text = json.dumps(body) if body else None
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def find(self, kind: str) -> list[Body]:
        """Return the objects of a kind."""
        found: list[Body] = json.loads(self.run("get", kind, "--output=json"))["items"]
        return found

    def lease(self) -> Body:
        """Return the spec of the Lease."""
        spec: Body = json.loads(self.run("get", "lease", LEASE, "--output=json"))["spec"]
        return spec


@pytest.fixture
def namespace(kubectl: list[str]) -> Iterator[Namespace]:
    made = Namespace(kubectl)
    made.run("create", "namespace", made.name)
    yield made
    made.run("delete", "namespace", made.name, "--wait=false")


@pytest.fixture(scope="session")
def config(kubectl: list[str]) -> Body:
    """Return the kubeconfig of the cluster, whole."""
    command = [*kubectl, "config", "view", "--raw", "--flatten", "--minify", "--output=json"]
    found: Body = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


@pytest.fixture
def start(namespace: Namespace, config: Body, tmp_path: Path) -> Iterator[Start]:
    """Return what starts an operator."""
    started: list[Operator] = []

    def run(name: str, through: Body = config) -> Operator:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(through))
        started.append(Operator(name, namespace.name, file, tmp_path))
        return started[-1]

    with running(started):
        yield run


@pytest.fixture
async def relays(config: Body) -> AsyncIterator[dict[str, Relay]]:
    """Return a way to the API server for each of two operators, that can be cut; asked for before what starts them."""
    made = {name: Relay(config["clusters"][0]["cluster"]["server"]) for name in NAMES}
    yield made
    for relay in made.values():
        await relay.stop()


async def leader_and_standby(start: Start, ways: dict[str, Body] | None = None) -> tuple[Operator, Operator]:
    """Start two, and return the one that leads first; each has a way of its own to the API server, or the same."""
    started = [start(name, ways[name]) if ways else start(name) for name in NAMES]
    await until(lambda: any(each.leads() for each in started), "that one leads")
    leader, standby = sorted(started, key=Operator.leads, reverse=True)
    await until(standby.stands_by, "that the other one is ready")
    return leader, standby


def holder(namespace: Namespace) -> str:
    return str(namespace.lease()["holderIdentity"])


async def test_one_works_and_the_other_is_ready_and_alive(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    await until(lambda: leader.ask("/readyz")[0] == 200, "that the leader is ready")
    assert [each.ask("/healthz") for each in (leader, standby)] == [(200, "alive")] * 2
    assert (leader.leads(), standby.leads()) == (True, False)
    assert holder(namespace) == leader.identity
    assert namespace.lease()["leaseDurationSeconds"] == DURATION


async def test_killed_leader_is_followed_when_its_lease_has_expired(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    leader.send(signal.SIGKILL)
    leader.ended()
    passed = await until(standby.leads, "that the standby leads")
    assert passed > DURATION / 2, "a renewal that the standby saw is believed"
    assert holder(namespace) == standby.identity
    assert namespace.lease()["leaseTransitions"] == 2


async def test_leader_that_is_told_to_stop_is_followed_at_once(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    leader.send(signal.SIGTERM)
    assert leader.ended() == 0
    passed = await until(standby.leads, "that the standby leads")
    assert "gave the Lease back" in leader.lines()
    assert passed < DURATION / 2, "it need not wait until the Lease expires"


async def test_standby_that_is_told_to_stop_ends_in_peace(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    standby.send(signal.SIGTERM)
    assert standby.ended() == 0
    assert leader.leads()
    assert holder(namespace) == leader.identity


async def test_leader_whose_way_is_cut_ends_before_the_other_begins(
    relays: dict[str, Relay], start: Start, namespace: Namespace, config: Body
) -> None:
    leader, standby = await leader_and_standby(
        start, {name: relayed(config, await relay.start()) for name, relay in relays.items()}
    )
    relays[leader.name].cut()
    passed = await until(lambda: leader.process.poll() is not None, "that the leader ends")
    assert leader.ended() == LEASE_LOST
    assert passed > DEADLINE / 2, "a short cut is survived"
    assert any(line.startswith("the Lease is lost, this process ends") for line in leader.lines())
    assert not standby.leads()
    await until(standby.leads, "that the standby leads")
    assert holder(namespace) == standby.identity


async def test_leader_that_was_paused_ends_when_it_goes_on(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    leader.send(signal.SIGSTOP)
    await until(standby.leads, "that the standby leads")
    leader.send(signal.SIGCONT)
    assert leader.ended() == LEASE_LOST
    assert holder(namespace) == standby.identity


async def test_what_the_leader_began_is_not_begun_again(start: Start, namespace: Namespace) -> None:
    leader, standby = await leader_and_standby(start)
    spec = {"source": {"uri": "https://models.invalid/net.onnx", "digest": f"sha256:{'1' * 64}"}}
    namespace.run(
        "create", "-f", "-", body={"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "net"}, "spec": spec}
    )
    await until(lambda: len(namespace.find("jobs")) == 1, "a Job")
    jobs = {job["metadata"]["uid"] for job in namespace.find("jobs")}
    leader.send(signal.SIGKILL)
    done = 'modelport_reconciles_total{result="done"}'
    await until(lambda: (standby.metric(done) or 0) > 0, "that the standby has looked at the resource")
    assert {job["metadata"]["uid"] for job in namespace.find("jobs")} == jobs
