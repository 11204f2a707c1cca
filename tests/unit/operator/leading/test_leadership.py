"""The order of things: the Lease before the work, and given back after it; what the kubelet is told meanwhile."""

import asyncio
import os
import subprocess
import sys
import textwrap

import aiohttp
import pytest

from modelport_operator.leading import leadership
from modelport_operator.leading.candidate import LeaseLostError
from modelport_operator.leading.probes import Probes, serve_probes


class Told:
    """A candidate that does as it is told, and notes what it was asked for."""

    def __init__(self, *, takes=True, loses=False):
        self.takes, self.loses, self.seen = takes, loses, []

    async def take(self):
        self.seen.append("take")
        if not self.takes:
            await asyncio.Event().wait()

    async def keep(self):
        self.seen.append("keep")
        if self.loses:
            raise LeaseLostError("found another")
        await asyncio.Event().wait()

    async def release(self):
        self.seen.append("release")


async def test_the_lease_is_kept_during_the_work_and_given_back_after_it():
    told = Told()

    async def work():
        await asyncio.sleep(0)
        told.seen.append("work")

    await leadership.lead(told, work, stop=asyncio.Event())
    assert told.seen == ["take", "keep", "work", "release"]


async def test_who_is_told_to_stop_while_waiting_does_no_work():
    told, stop = Told(takes=False), asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    await leadership.lead(told, lambda: pytest.fail("does not lead"), stop=stop)
    assert told.seen == ["take", "release"], "a write that was on its way may have come through"


async def test_work_that_fails_gives_the_lease_back_and_fails():
    told = Told()

    async def work():
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await leadership.lead(told, work, stop=asyncio.Event())
    assert told.seen[-1] == "release"


async def test_a_failure_while_waiting_is_no_secret():
    async def fails():
        raise LookupError("no CRD")

    with pytest.raises(LookupError, match="no CRD"):
        await leadership.before(asyncio.Event(), fails())


def test_who_loses_the_lease_ends_at_once_and_says_so():
    program = """
        import asyncio, logging, unit.operator.leading.test_leadership as test
        from modelport_operator.leading import leadership
        logging.basicConfig()

        async def work():
            try:
                await asyncio.Event().wait()
            finally:
                print("a farewell")

        asyncio.run(leadership.lead(test.Told(loses=True), work, stop=asyncio.Event()))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (leadership.LEASE_LOST, ""), done.stderr
    assert "the Lease is lost, this process ends: found another" in done.stderr


async def test_probes_say_what_is_wrong_and_how_it_changes(unused_tcp_port):
    probes = Probes()
    async with serve_probes(probes, unused_tcp_port), aiohttp.ClientSession() as session:

        async def ask(path):
            async with session.get(f"http://127.0.0.1:{unused_tcp_port}{path}") as answer:
                return answer.status, await answer.text()

        assert await ask("/healthz") == (200, "alive")
        assert await ask("/readyz") == (503, "the API server has not answered yet")
        probes.unready = str
        assert await ask("/readyz") == (200, "ready")
        probes.complaint = lambda: "a worker has ended"
        assert await ask("/healthz") == (503, "a worker has ended")
        assert await ask("/readyz") == (503, "a worker has ended")


async def test_a_port_that_is_taken_is_an_error(unused_tcp_port):
    async with serve_probes(Probes(), unused_tcp_port):
        with pytest.raises(OSError, match="address already in use"):
            async with serve_probes(Probes(), unused_tcp_port):
                pass
