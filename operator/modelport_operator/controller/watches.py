"""Turn watch events into keys. This module only decides which resource to look at again, and never writes.

Beside `__main__` the only one that knows kopf. Only `on.event` is used: it writes nothing on the object, while every
other handler of kopf leaves annotations or a finalizer there.
"""

from collections.abc import Iterator
from typing import Any

import kopf

from modelport.api.base import GROUP, PLURAL, VERSION
from modelport_operator.controller.controller import Controller, Key
from modelport_operator.controller.noticing import Noticed
from modelport_operator.kube.kinds import KINDS
from modelport_operator.names import OWNED_SELECTOR, RESOURCE_LABEL
from modelport_operator.peers import PeerIndex
from modelport_operator.plan.serving.objects import OBJECTS


def _owned_kinds() -> Iterator[tuple[str, str, str]]:
    """Yield group, version and plural of what the operator owns and every cluster has."""
    for name in ("Job", "Pod", *(each.kind for each in OBJECTS if not each.is_optional)):
        group, _, version = KINDS[name].api_version.rpartition("/")
        yield group, version, KINDS[name].plural


OWNED_KINDS = tuple(_owned_kinds())


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up; each line is a decision."""
    settings.posting.enabled = False  # Events are posted after the status, by kube.events
    settings.scanning.disabled = True  # no cluster-wide watch of CRDs and namespaces
    settings.peering.standalone = True  # one replica, no KopfPeering
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 290  # an int: it is sent as text
    settings.watching.client_timeout = 310
    settings.watching.chunk_size = 500  # not 10,000 objects in one response
    for kind in OWNED_KINDS:  # only our own children, filtered by the API server
        settings.watching.label_selectors[kind] = OWNED_SELECTOR
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.persistence.finalizer = f"{GROUP}/kopf"  # never set by us, never shared with another operator either
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, v1=False)
    # queueing.worker_limit stays None: kopf's limit is none of concurrency, the controller's workers are


def register(registry: kopf.OperatorRegistry, controller: Controller, peers: PeerIndex, *, stuck: float) -> None:
    """Register the only handlers of the operator."""

    async def resource_changed(type: str | None, namespace: str | None, name: str, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        if type == "DELETED":
            peers.forget(namespace or "", name)
        else:
            peers.note(namespace or "", name, body)
        controller.stirred(Key(namespace or "", name))

    noticed = Noticed()

    async def child_changed(type: str | None, namespace: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        name = body.metadata.labels.get(RESOURCE_LABEL)  # a pod's owner is a Job: only the label leads here
        if name and noticed.is_new(body.get("kind", ""), type, body):
            controller.stirred(Key(namespace or "", name))

    async def is_alive(**_: Any) -> str:
        complaint = controller.complaint(stuck=stuck)
        if complaint:
            raise kopf.PermanentError(complaint)
        return "alive"

    kopf.on.event(GROUP, VERSION, PLURAL, id="resource_changed", registry=registry)(resource_changed)
    for group, version, plural in OWNED_KINDS:
        kopf.on.event(group, version, plural, id=f"{plural}_changed", registry=registry)(child_changed)
    # PERMANENT: with the default kopf repeats a failing probe inside the request until the client times out
    kopf.on.probe(id="alive", errors=kopf.ErrorsMode.PERMANENT, registry=registry)(is_alive)

    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # not kopf's own choice, which would load the whole synchronous client
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    kopf.on.login(id="login", registry=registry)(login)
