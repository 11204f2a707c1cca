"""Candidates on an API server in memory: by a clock that is moved by hand, and whatever is lost on the way."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport_operator.kube.errors import ConflictError, RefusedError, UnavailableError
from modelport_operator.leading.candidate import Candidate, LeaseLostError, Place
from modelport_operator.leading.lease import Terms
from unit.operator.apiserver import MemoryKube

TERMS = Terms(duration=15, deadline=10, retry=2)
KEY = ("Lease", "ns", "operator")


class Clock:
    """Seconds that pass by sleeping alone; `plans` are what happens at a time."""

    def __init__(self, *plans):
        self.now, self.plans = 1000.0, sorted(plans, key=lambda plan: plan[0])

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        end = self.now + seconds
        while self.plans and self.plans[0][0] <= end:
            self.now, act = self.plans.pop(0)
            act()
        self.now = end
        await asyncio.sleep(0)


def candidate(kube, clock, name="a"):
    return Candidate(kube, Place("ns", "operator", name), TERMS, clock=clock, sleep=clock.sleep)


def spec(kube):
    return kube.objects[KEY]["spec"]


async def test_the_first_one_makes_the_lease_and_the_second_waits():
    kube, clock = MemoryKube(), Clock()
    a, b = candidate(kube, clock), candidate(kube, clock, "b")
    await a.take()
    assert a.holds()
    assert (spec(kube)["holderIdentity"], spec(kube)["leaseDurationSeconds"]) == ("a", 15)
    assert not await b._attempt(5)
    assert not b.holds()
    assert b.unready() == b.complaint() == "", "who can take over is well"


async def test_a_leader_that_falls_silent_is_replaced_when_its_lease_has_expired():
    kube, clock = MemoryKube(), Clock()
    a, b = candidate(kube, clock), candidate(kube, clock, "b")
    await a.take()
    await b.take()
    assert 15 <= clock.now - 1000 <= 15 + 2 * 1.2
    assert (a.holds(), b.holds()) == (False, True)
    assert spec(kube)["leaseTransitions"] == 2


async def test_who_gives_back_is_followed_at_the_next_look(caplog):
    caplog.set_level("INFO")
    kube, clock = MemoryKube(), Clock()
    a, b = candidate(kube, clock), candidate(kube, clock, "b")
    await a.take()
    await b._attempt(5)
    await a.release()
    assert not a.holds()
    await b.take()
    assert clock.now == 1000
    assert b.holds()
    assert [record.message for record in caplog.records] == ["took the Lease", "gave the Lease back", "took the Lease"]


async def test_what_is_anothers_is_not_given_back():
    kube, clock = MemoryKube(), Clock()
    a, b = candidate(kube, clock), candidate(kube, clock, "b")
    await a.take()
    await b.release()
    assert spec(kube)["holderIdentity"] == "a"


async def test_a_container_that_starts_again_in_its_pod_need_not_wait():
    kube, clock = MemoryKube(), Clock()
    await candidate(kube, clock).take()
    await candidate(kube, clock).take()
    assert clock.now == 1000
    assert spec(kube)["leaseTransitions"] == 1


async def test_renewals_ask_once_each_and_go_on(monkeypatch):
    kube, clock = MemoryKube(), Clock()
    a = candidate(kube, clock)
    await a.take()

    async def never(*_arguments):
        raise AssertionError("a leader knows what is there")

    monkeypatch.setattr(kube, "get", never)
    clock.plans.append((1100, lambda: kube.objects.pop(KEY)))
    monkeypatch.setattr(kube, "create", never)
    with pytest.raises(AssertionError, match="knows"):  # until somebody deletes the Lease
        await a.keep()
    assert 100 / (2 * 1.2) - 1 <= len(kube.writes) - 1 <= 100 / 2 + 1


async def test_a_lease_that_was_deleted_is_made_again():
    kube, clock = MemoryKube(), Clock((1010, lambda: kube.objects.pop(KEY)), (1030, lambda: _end(kube)))
    a = candidate(kube, clock)
    await a.take()
    with pytest.raises(LeaseLostError):
        await a.keep()
    assert [write[0] for write in kube.writes].count("create") == 2
    assert clock.now >= 1030


def _end(kube):
    spec(kube)["holderIdentity"] = "z"
    kube.objects[KEY]["metadata"]["resourceVersion"] = "other"


async def test_another_holder_is_the_end_at_once():
    kube, clock = MemoryKube(), Clock((1020, lambda: _end(kube)))
    a = candidate(kube, clock)
    await a.take()
    with pytest.raises(LeaseLostError, match="expected to hold Lease ns/operator, found that z does"):
        await a.keep()
    assert clock.now <= 1020 + 2 * 1.2


@pytest.mark.parametrize("error", [UnavailableError("no route"), RefusedError("forbidden", status=403)])
async def test_an_api_server_that_is_away_is_the_end_at_the_deadline(error, monkeypatch):
    kube, clock = MemoryKube(), Clock()
    a = candidate(kube, clock)
    await a.take()

    async def fails(*_arguments, **_named):
        raise error

    monkeypatch.setattr(kube, "replace", fails)
    with pytest.raises(LeaseLostError, match=f"within 10 s, found {error.message}"):
        await a.keep()
    assert clock.now == pytest.approx(1010)


async def test_an_api_server_that_comes_back_in_time_is_none():
    kube = MemoryKube()

    def away():
        kube.gone = True

    def back():
        kube.gone = False

    clock = Clock((1004, away), (1009, back), (1030, lambda: _end(kube)))
    real, kube.gone = kube.replace, False

    async def replace(*arguments, **named):
        if kube.gone:
            raise UnavailableError("no route")
        return await real(*arguments, **named)

    kube.replace = replace
    a = candidate(kube, clock)
    await a.take()
    with pytest.raises(LeaseLostError, match="found that z does"):
        await a.keep()


async def test_an_answer_that_never_comes_is_not_waited_for(monkeypatch):
    kube = MemoryKube()
    a = Candidate(kube, Place("ns", "operator", "a"), Terms(duration=1, deadline=0.4, retry=0.05))
    await a.take()

    async def hangs(*_arguments, **_named):
        await asyncio.Event().wait()

    monkeypatch.setattr(kube, "replace", hangs)
    started = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLostError, match="no answer in time"):
        await a.keep()
    assert asyncio.get_running_loop().time() - started < 10


async def test_a_write_whose_answer_was_lost_is_found_and_gone_on_with():
    kube, clock = MemoryKube(), Clock((1020, lambda: _end(kube)))
    a = candidate(kube, clock)
    await a.take()
    real, lost = kube.replace, iter([True])

    async def replace(*arguments, **named):
        answer = await real(*arguments, **named)
        if next(lost, False):
            raise UnavailableError("reset")
        return answer

    kube.replace = replace
    with pytest.raises(LeaseLostError, match="found that z does"):
        await a.keep()
    assert clock.now >= 1020


async def test_who_waits_says_what_is_wrong(monkeypatch):
    kube, clock = MemoryKube(), Clock()
    b = candidate(kube, clock, "b")
    assert "no answer yet" in b.unready()
    kube.refuse["Lease"] = "no right to create leases"
    assert not await b._attempt(5)
    assert "no right to create leases" in b.unready()
    assert b.complaint() == "", "nothing that another start would mend"
    clock.now += 31
    assert b.complaint() == "no attempt to take the Lease for 31 s, expected one each 2 s"


async def test_a_lease_that_cannot_be_given_back_is_only_logged(caplog):
    kube, clock = MemoryKube(), Clock()
    a = candidate(kube, clock)
    await a.take()
    kube.fail_next.append(ConflictError("changed"))
    await a.release()
    assert "was not given back" in caplog.text


class Lossy:
    """An API server that loses what it is told to: requests, or answers; each takes its time."""

    def __init__(self, kube, clock):
        self.kube, self.clock, self.before, self.after, self.loses = kube, clock, 0.0, 0.0, ""

    def __getattr__(self, name):
        call = getattr(self.kube, name)

        async def lossy(*arguments, **named):
            if self.loses == "request":
                raise UnavailableError("lost")
            self.clock.now += self.before
            answer = await call(*arguments, **named)
            self.clock.now += self.after
            if self.loses == "answer":
                raise UnavailableError("lost")
            return answer

        return lossy


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.floats(0, 20),
        st.sampled_from(["", "", "", "request", "answer"]),
        st.floats(0, 3),
        st.floats(0, 3),
        st.sampled_from(["", "", "", "", "release", "crash"]),
    ),
    max_size=40,
)


@given(steps=STEPS, offsets=st.tuples(*[st.floats(-1e6, 1e6)] * 3))
def test_there_are_never_two_leaders(steps, offsets):
    async def run():
        clock, kube = Clock(), MemoryKube()
        server = Lossy(kube, clock)
        serial = itertools.count()

        def start(index):
            place = Place("ns", "operator", f"{index}-{next(serial)}")
            return Candidate(server, place, TERMS, clock=lambda: clock.now + offsets[index])

        members = [start(index) for index in range(3)]
        led = [False] * 3
        for index, pause, server.loses, server.before, server.after, end in steps:
            clock.now += pause
            if end or (led[index] and not members[index].holds()):  # so `keep` ends its process
                if end == "release":
                    await members[index].release()
                members[index], led[index] = start(index), False
            led[index] |= await members[index]._attempt(60)
            assert sum(each.holds() for each in members) <= 1

    asyncio.run(run())
