"""Turn watch events into keys. This module only decides which resource to look at again, and never writes.

Beside `__main__` the only one that knows kopf. Only `on.event` is used: it writes nothing on the object, while every
other handler of kopf leaves annotations or a finalizer there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from modelport.api.base import GROUP, KIND
from modelport_operator.kube.client import PAGE
from modelport_operator.kube.kinds import KINDS
from modelport_operator.names import OWNED_SELECTOR
from modelport_operator.plan.serving.objects import OBJECTS
from modelport_operator.watching.listener import Listener

OWNED_KINDS = ("Job", "Pod", *(each.kind for each in OBJECTS if not each.is_optional))
"""What the operator owns and every cluster has."""


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up; each line is a decision."""
    settings.posting.enabled = False  # Events are posted after the status, by kube.events
    settings.scanning.disabled = True  # no cluster-wide watch of CRDs and namespaces
    settings.peering.standalone = True  # a Lease says who works (leading/), no KopfPeering
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 290  # an int: it is sent as text
    settings.watching.client_timeout = 310
    settings.watching.chunk_size = PAGE  # not 10,000 objects in one response
    for kind in OWNED_KINDS:  # only our own children, filtered by the API server
        settings.watching.label_selectors[KINDS[kind].group_version_plural] = OWNED_SELECTOR
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.persistence.finalizer = f"{GROUP}/kopf"  # never set by us, never shared with another operator either
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, v1=False)
    # queueing.worker_limit stays None: kopf's limit is none of concurrency, the controller's workers are


def register(registry: kopf.OperatorRegistry, listener: Listener) -> None:
    """Register the only handlers of the operator."""

    def handler(kind: str) -> Callable[..., Awaitable[None]]:
        async def changed(event: kopf.RawEvent, **_: Any) -> None:
            listener.take(kind, event["type"], event["object"])

        return changed

    for kind in (KIND, *OWNED_KINDS):
        group, version, plural = KINDS[kind].group_version_plural
        kopf.on.event(group, version, plural, id=f"{plural}_changed", registry=registry)(handler(kind))

    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # not kopf's own choice, which would load the whole synchronous client
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    kopf.on.login(id="login", registry=registry)(login)
