"""Find what the watches did not bring: now and then the versions that the API server has are held against those seen.

A watch that is cut can miss a deletion, and one that died brings nothing more, without an error. What was missed is read
and looked at again; a watch that misses things twice in a row is a reason to start the process anew.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from modelport.api.base import KIND
from modelport_operator.kube.client import Address, Kube, Version
from modelport_operator.kube.errors import KubeError, NotFoundError
from modelport_operator.watching.listener import Listener

logger = logging.getLogger(__name__)
GRACE_SECONDS = 15.0
"""In which an event of what was just listed must have come."""
Versions = Mapping[Address, Version]


class Missed(NamedTuple):
    """An object that changed, or went, without an event."""

    address: Address
    resource: str


def missed(before: Versions, listed: Versions, after: Versions) -> list[Missed]:
    """Return what differs between what was seen before a listing and the listing, and still did some time after it."""
    return [
        Missed(address, (before.get(address) or listed[address]).resource)
        for address in sorted(before.keys() | listed.keys())
        if before.get(address) != listed.get(address) and before.get(address) == after.get(address)
    ]


class Auditor:
    """Holds what was seen of each kind against what there is."""

    def __init__(
        self,
        kube: Kube,
        listener: Listener,
        *,
        kinds: Sequence[str],
        namespaces: Sequence[str],
        lacking: Callable[[], Collection[str]] = tuple,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._kube, self._listener, self._lacking, self._grace = kube, listener, lacking, grace
        self._streams = [(kind, namespace) for namespace in namespaces or ("",) for kind in (KIND, *kinds)]
        self._in_a_row: dict[tuple[str, str], int] = dict.fromkeys(self._streams, 0)

    async def run(self, seconds: float) -> None:
        """Audit every so many seconds until cancelled; an API server that does not answer is asked the next time."""
        while True:
            await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, keeps no secret
            try:
                await self.audit()
            except KubeError as error:
                logger.warning("what the watches brought could not be checked", extra={"error": error.message})

    async def audit(self) -> None:
        """Take what the watches missed from the API server, and have it looked at again."""
        watched = self._listener.watched
        streams = [stream for stream in self._streams if stream[0] not in self._lacking()]
        before = {stream: watched.versions(*stream) for stream in streams}
        listed = {stream: await self._kube.versions(*stream) for stream in streams}
        await asyncio.sleep(self._grace)
        for stream in streams:
            found = missed(before[stream], listed[stream], watched.versions(*stream))
            self._in_a_row[stream] = self._in_a_row[stream] + 1 if found else 0
            for each in found:
                await self._make_good(stream[0], each)
            if found:
                self._listener.metrics.missed(stream[0], len(found))
                names = ", ".join(each.address.name for each in found[:5])
                logger.warning(
                    "a watch missed changes", extra={"kind": stream[0], "number": len(found), "objects": names}
                )

    async def _make_good(self, kind: str, each: Missed) -> None:
        try:
            body = await self._kube.get(kind, *each.address)
        except NotFoundError:
            self._listener.missed(kind, each.address, each.resource)
        else:
            self._listener.take(kind, None, body)

    def complaint(self) -> str:
        """Return which watch missed changes again and again, or nothing."""
        dead = sorted({kind for (kind, _), times in self._in_a_row.items() if times > 1})
        return (
            f"expected the watches to bring every change; those of {', '.join(dead)} missed some twice" if dead else ""
        )
