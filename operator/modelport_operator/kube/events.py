"""Events, posted after the status was written; one that cannot be posted is logged, because it only repeats the status."""

import datetime as dt
import logging
import secrets

from modelport.api.base import API_VERSION, KIND
from modelport.api.resource import Metadata
from modelport_operator.kube.client import Kube
from modelport_operator.kube.errors import KubeError
from modelport_operator.names import MANAGER
from modelport_operator.report import Event

logger = logging.getLogger(__name__)
_MAX_NOTE = 1000


async def post(kube: Kube, meta: Metadata, event: Event, *, instance: str, now: float) -> None:
    """Post one Event about a resource."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{meta.name}.{secrets.token_hex(8)}", "namespace": meta.namespace},
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"modelport.dev/{MANAGER}",
        "reportingInstance": instance,
        "action": "Reconcile",
        "type": event.type,
        "reason": event.reason,
        "note": event.note[:_MAX_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
    }
    try:
        await kube.create("Event", meta.namespace, body, manager=MANAGER)
    except KubeError as error:
        logger.warning(
            "posting an Event failed",
            extra={"namespace": meta.namespace, "resource": meta.name, "reason": event.reason, "error": error.message},
        )
