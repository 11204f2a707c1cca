"""Kinds that a cluster may lack: asked again ever less often, and taken note of when they go."""

import asyncio

from modelport_operator.backoff import Backoff
from modelport_operator.kube.discovery import ASKED, OPTIONAL_KINDS, Discovery
from modelport_operator.kube.errors import UnavailableError
from unit.operator.apiserver import MemoryKube

OFTEN = Backoff(0.001, 0.002)


def discovery(*, lacking=()):
    kube = MemoryKube()
    kube.lacking = set(lacking)
    return kube, Discovery(kube, OPTIONAL_KINDS, asked=OFTEN)


async def test_what_was_not_asked_for_is_lacking():
    kube, found = discovery()
    assert found.lacking == {"ScaledObject"}
    await found.look()
    assert found.lacking == frozenset()
    assert kube.writes == []


async def test_a_kind_that_comes_is_found():
    kube, known = discovery(lacking=OPTIONAL_KINDS)
    await known.look()
    found = asyncio.create_task(known.found("ScaledObject"))
    await asyncio.sleep(0.02)
    assert not found.done()
    kube.lacking.clear()
    await asyncio.wait_for(found, 5)
    assert known.lacking == frozenset()


async def test_what_is_there_is_asked_for_no_more_until_it_is_lost():
    kube, known = discovery()
    await known.look()
    asked = []

    async def serves(kind):
        asked.append(kind)
        return True

    kube.serves = serves
    await known.found("ScaledObject")
    assert asked == []
    assert known.note_lost("ScaledObject")
    assert known.lacking == {"ScaledObject"}
    await asyncio.wait_for(known.found("ScaledObject"), 5)
    assert len(asked) == 1


async def test_what_every_cluster_has_is_never_lacking():
    _, known = discovery()
    await known.look()
    assert not known.note_lost("Deployment")
    assert known.lacking == frozenset()


async def test_an_api_server_that_does_not_answer_changes_nothing():
    kube, known = discovery(lacking=OPTIONAL_KINDS)
    answers = iter((UnavailableError("reset"), UnavailableError("reset"), True))

    async def serves(_kind):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kube.serves = serves
    await asyncio.wait_for(known.found("ScaledObject"), 5)
    assert known.lacking == frozenset()


def test_questions_grow_apart():
    pauses = [ASKED.pause(attempt, key="discovery") for attempt in range(1, 12)]
    assert pauses[0] <= 10
    assert 300 <= pauses[-1] <= 600
