"""Takes what the watches bring: keeps it, and says which resources are to be looked at again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modelport.api.base import KIND
from modelport_operator.controller.controller import Controller, Key
from modelport_operator.kube.client import Address, Version
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.peers import PeerIndex
from modelport_operator.plan.serving.objects import OBJECTS

_WORTH_TELLING = {each.kind: each.worth_telling for each in OBJECTS if each.worth_telling}


class Listener(NamedTuple):
    """Knows what was seen, and stirs the controller."""

    controller: Controller
    peers: PeerIndex
    watched: Watched
    metrics: Metrics

    def take(self, kind: str, change: str | None, body: Mapping[str, Any]) -> None:
        """Keep an object, and have its resource looked at again if there is news; `change` is None in a listing."""
        address, resource = Address.of(body), Version.of(kind, body).resource
        gone = change == "DELETED"
        if self.watched.has_successor(kind, body, gone=gone):
            return
        if change:
            self.metrics.changed(kind, self.watched.seen(kind, address) if kind == "Job" else None, body)
        if kind == KIND:
            self.peers.forget(*address) if gone else self.peers.note(*address, body)
        is_news = self._is_news(kind, address, body, gone=gone)
        if is_news and resource:
            self.controller.stirred(Key(address.namespace, resource))

    def missed(self, kind: str, address: Address, resource: str) -> None:
        """Drop an object of which no event told how it is, and have its resource looked at again, by a live read."""
        self.watched.forget(kind, address)
        if kind == KIND:
            self.peers.forget(*address)
        self.controller.stirred(Key(address.namespace, resource))

    def _is_news(self, kind: str, address: Address, body: Mapping[str, Any], *, gone: bool) -> bool:
        """Keep an object, and return whether the change is one to act on: autoscalers write what they measured for ever."""
        if gone:
            self.watched.forget(kind, address)
            return True
        worth_telling = _WORTH_TELLING.get(kind)
        before = self.watched.seen(kind, address) if worth_telling else None
        if not self.watched.note(kind, body):
            return False
        return worth_telling is None or before is None or worth_telling(before) != worth_telling(body)
