"""Take the Lease, renew it, give it back: writes that name the version that they replace, so that one of two wins.

Not by kubernetes.leaderelection: it goes by the wall clock, waits for an answer without end, dies of a lost connection,
and never gives a Lease back.
"""

import asyncio
import datetime as dt
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import AlreadyExistsError, ConflictError, KubeError, NotFoundError
from modelport_operator.leading.lease import JITTER, Record, Sight, Terms, held, look, may_take, released
from modelport_operator.names import MANAGER

logger = logging.getLogger(__name__)
_RELEASE_SECONDS = 5.0


class LeaseLostError(Exception):
    """The Lease is another's by now, or may be."""


class Place(NamedTuple):
    """Where the Lease is, and who wants it."""

    namespace: str
    name: str
    identity: str

    def __str__(self) -> str:
        """Return the Lease as messages tell it."""
        return f"Lease {self.namespace}/{self.name}"


class Candidate:
    """One process that wants to lead."""

    def __init__(
        self,
        kube: Kube,
        place: Place,
        terms: Terms,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube, self._place, self._terms, self._clock, self._sleep = kube, place, terms, clock, sleep
        self._live: Object | None = None
        self._sight: Sight | None = None
        self._renewed = float("-inf")
        """When the last write that came through was sent."""
        self._answered = float("-inf")
        self._tried = clock()
        """When the last attempt began."""
        self._trouble = ""

    def holds(self) -> bool:
        """Whether this process leads, for sure: no other may have taken the Lease yet."""
        return self._clock() < self._renewed + self._terms.deadline

    def complaint(self) -> str:
        """Return why a process that waits for the Lease should be restarted, or nothing."""
        idle = self._clock() - self._tried
        if idle > 2 * self._terms.duration:
            return f"no attempt to take the Lease for {idle:.0f} s, expected one each {self._terms.retry:g} s"
        return ""

    def unready(self) -> str:
        """Return why this process could not take the Lease if it were free, or nothing."""
        if not self._trouble and self._clock() - self._answered <= self._terms.duration:
            return ""
        return f"the Lease cannot be had: {self._trouble or 'no answer yet'}"

    async def take(self) -> None:
        """Return as soon as this process leads; a failing API server is waited for."""
        while not await self._attempt(self._patience()):
            await self._sleep(self._pause())
        logger.info("took the Lease", extra=self._fields())

    async def keep(self) -> None:
        """Renew for as long as it goes well. Raises LeaseLostError."""
        while True:
            await self._sleep(min(self._pause(), self._left()))
            if not self.holds():
                raise LeaseLostError(
                    f"expected to renew {self._place} within {self._terms.deadline:g} s, "
                    f"found {self._trouble or 'that this process was paused'}"
                )
            await self._attempt(min(self._patience(), self._left()))
            holder = self._sight.record.holder_identity if self._sight else None
            if holder and holder != self._place.identity:
                raise LeaseLostError(f"expected to hold {self._place}, found that {holder} does")

    async def release(self) -> None:
        """Give the Lease back if it is ours; what goes wrong is logged, and others wait until it expires."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._release()
        except (KubeError, TimeoutError) as error:
            logger.warning("the Lease was not given back", extra={"error": _told(error)})

    async def _release(self) -> None:
        self._renewed = float("-inf")
        record = await self._read()
        if self._live and record.holder_identity == self._place.identity:
            await self._write(released(record, at=_now()))
            logger.info("gave the Lease back", extra=self._fields())

    async def _attempt(self, seconds: float) -> bool:
        """Take or renew once, within so many seconds; return whether it came through."""
        self._tried = self._clock()
        try:
            async with asyncio.timeout(seconds):
                done = await self._take_or_renew()
        except (KubeError, TimeoutError) as error:
            trouble = _told(error)
            if trouble != self._trouble:  # else once each few seconds, for as long as the API server is away
                logger.warning("the Lease was neither taken nor renewed", extra={"error": trouble})
            self._trouble = trouble
            return False
        self._trouble = ""
        return done

    async def _take_or_renew(self) -> bool:
        # a leader knows what it wrote last: whatever else is there by now is a conflict
        record = self._sight.record if self._sight and self.holds() else await self._read()
        sight = self._sight = look(self._sight, record, self._clock())
        if not may_take(sight, self._place.identity, self._clock()):
            return False
        sent = self._clock()
        try:
            await self._write(held(record, self._place.identity, self._terms, at=_now()))
        except (AlreadyExistsError, ConflictError, NotFoundError):
            await self._read()  # who was faster, if it was another
            return False
        self._renewed = sent
        return True

    async def _read(self) -> Record:
        try:
            self._live = await self._kube.get("Lease", self._place.namespace, self._place.name)
        except NotFoundError:
            self._live = None
        return self._seen(self._live)

    async def _write(self, record: Record) -> None:
        namespace, name = self._place.namespace, self._place.name
        spec = msgspec.to_builtins(record)
        if self._live is None:
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            }
            self._live = await self._kube.create("Lease", namespace, body, manager=MANAGER)
        else:
            body = self._live | {"spec": self._live.get("spec", {}) | spec}
            self._live = await self._kube.replace("Lease", namespace, name, body, manager=MANAGER)
        self._seen(self._live)

    def _seen(self, live: Object | None) -> Record:
        record = msgspec.convert((live or {}).get("spec") or {}, Record)
        self._answered = self._clock()
        self._sight = look(self._sight, record, self._clock())
        return record

    def _fields(self) -> dict[str, str]:
        return {"lease": f"{self._place.namespace}/{self._place.name}", "identity": self._place.identity}

    def _patience(self) -> float:
        return self._terms.deadline / 2  # a connection that has died in silence leaves time for another one

    def _pause(self) -> float:
        period = self._terms.retry * random.uniform(1.0, JITTER)  # noqa: S311 - spreads load, keeps no secret
        return max(0.0, self._tried + period - self._clock())

    def _left(self) -> float:
        return max(0.0, self._renewed + self._terms.deadline - self._clock())


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _told(error: Exception) -> str:
    return str(error) or "no answer in time"
