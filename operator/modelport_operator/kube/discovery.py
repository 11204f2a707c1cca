"""Which kinds of others' the API server has: asked at the start, and again ever less often while one is lacking."""

import asyncio
import logging
from collections.abc import Iterable

from modelport_operator.backoff import Backoff
from modelport_operator.kube.client import Kube
from modelport_operator.kube.errors import KubeError
from modelport_operator.kube.kinds import KINDS
from modelport_operator.plan.serving.objects import OBJECTS

OPTIONAL_KINDS = tuple(each.kind for each in OBJECTS if each.is_optional)
logger = logging.getLogger(__name__)
ASKED = Backoff(10.0, 600.0)
"""Between questions for a kind that is lacking."""


class Discovery:
    """What is known of the kinds that a cluster may lack."""

    def __init__(self, kube: Kube, kinds: Iterable[str], *, asked: Backoff = ASKED) -> None:
        self._kube, self._kinds, self._asked = kube, tuple(kinds), asked
        self._noted = asyncio.Event()
        self.lacking = frozenset(self._kinds)
        """Kinds that the API server has not, as far as is known."""

    async def look(self) -> None:
        """Ask for every kind."""
        served = await asyncio.gather(*(self._kube.serves(KINDS[kind]) for kind in self._kinds))
        self.lacking = frozenset(kind for kind, is_there in zip(self._kinds, served, strict=True) if not is_there)

    def note_lost(self, kind: str) -> None:
        """Take note of a kind that was there, and is not any more."""
        self.lacking |= {kind}
        self._noted.set()

    async def changed(self) -> None:
        """Return once a kind came or went."""
        before, attempt = self.lacking, 0
        while self.lacking == before:
            attempt += 1
            await self._wait(self._asked.pause(attempt, key="discovery") if self.lacking else None)
            if self.lacking == before:
                await self._look_quietly()

    async def _wait(self, seconds: float | None) -> None:
        self._noted.clear()
        try:
            await asyncio.wait_for(self._noted.wait(), seconds)
        except TimeoutError:
            return

    async def _look_quietly(self) -> None:
        try:
            await self.look()
        except KubeError as error:  # what is known stays known
            logger.debug("asking for kinds failed", extra={"error": error.message})
