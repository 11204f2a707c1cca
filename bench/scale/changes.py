"""All that happens to objects of a kind, over as many watches as that takes."""

import asyncio
from collections.abc import AsyncIterator

from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import GoneError, UnavailableError


async def changes(kube: Kube, kind: str, namespace: str, *, labels: str = "") -> AsyncIterator[Object]:
    """Yield events, first of what there is, until cancelled; after a gap, what there is comes once more."""
    since = ""
    while True:
        try:
            async for event in kube.watch(kind, namespace, labels=labels, since=since):
                since = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield event
        except GoneError:
            since = ""
        except UnavailableError:
            await asyncio.sleep(0.5)
