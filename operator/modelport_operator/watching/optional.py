"""Watch the kinds that a cluster may lack: kopf watches what is there at its start, and never what comes later.

A watch goes on from the last change that it saw, so that what did not change is not looked at again.
"""

import asyncio
import logging
from typing import NamedTuple

from modelport_operator.backoff import RECONCILES
from modelport_operator.kube.client import Kube
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.errors import GoneError, KubeError, NotServedError
from modelport_operator.names import OWNED_SELECTOR
from modelport_operator.watching.listener import Listener

logger = logging.getLogger(__name__)
_PAUSE = 1.0
"""Between two watches, of which each takes minutes."""


class OptionalWatches(NamedTuple):
    """Turns events of the kinds that a cluster may lack into keys."""

    kube: Kube
    discovery: Discovery
    listener: Listener

    async def run(self, namespaces: tuple[str, ...]) -> None:
        """Watch until cancelled, in these namespaces, or in all if there are none."""
        async with asyncio.TaskGroup() as group:
            for kind in OPTIONAL_KINDS:
                for namespace in namespaces or ("",):
                    group.create_task(self._watch(kind, namespace), name=f"{kind} {namespace}")

    async def _watch(self, kind: str, namespace: str) -> None:
        since, failures = "", 0
        while True:
            if kind in self.discovery.lacking:
                await self.discovery.found(kind)
                self.listener.controller.stir_all()  # whose objects could not be made
                since = ""
            pause = _PAUSE
            try:
                async for event in self.kube.watch(kind, namespace, labels=OWNED_SELECTOR, since=since):
                    since, failures = event["object"]["metadata"]["resourceVersion"], 0
                    if event["type"] != "BOOKMARK":
                        self.listener.take(kind, event["type"], event["object"])
            except NotServedError:
                self.discovery.note_lost(kind)
                self.listener.watched.forget_all(kind)
                self.listener.controller.stir_all()  # whose objects are gone
            except GoneError:
                since = ""
            except KubeError as error:
                failures += 1
                pause = RECONCILES.pause(failures, key=kind)
                logger.warning("a watch failed", extra={"kind": kind, "error": error.message, "again_in": pause})
            await asyncio.sleep(pause)
