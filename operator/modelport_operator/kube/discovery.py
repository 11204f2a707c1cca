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
        self.lacking = frozenset(self._kinds)
        """Kinds that the API server has not, as far as is known."""

    async def look(self) -> None:
        """Ask for every kind."""
        served = await asyncio.gather(*(self._kube.serves(KINDS[kind]) for kind in self._kinds))
        self.lacking = frozenset(kind for kind, is_there in zip(self._kinds, served, strict=True) if not is_there)

    def note_lost(self, kind: str) -> bool:
        """Take note of a kind that was there, and is not any more; return whether a cluster may lack it at all."""
        self.lacking |= {kind} & {*self._kinds}
        return kind in self._kinds

    async def found(self, kind: str) -> None:
        """Return once the API server has a kind."""
        attempt = 0
        while kind in self.lacking:
            attempt += 1
            await asyncio.sleep(self._asked.pause(attempt, key=kind))
            try:
                await self.look()
            except KubeError as error:  # what is known stays known
                logger.debug("asking for kinds failed", extra={"error": error.message})
