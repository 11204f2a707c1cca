"""Which other resources of a namespace may have a source or an artifact that is needed: a hint from watch events.

A missing entry costs a conversion, a wrong one costs a read: what is reused is always read live.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from modelport.api.resource import ModelConversion
from modelport.api.spec import Role
from modelport.encoding import key_of
from modelport.jobs.keys import source_key
from modelport_operator.facts import Job
from modelport_operator.plan.job_states import results_of

_OF_THE_SAME = 2


class _Offer(NamedTuple):
    """What a resource has that others may take."""

    digest: str
    """Of its source,"""
    key: str
    """and hash of all that tells it from other sources, artifacts and evidence."""


class PeerIndex:
    """Names of resources by namespace, digest of their source, and what else they have to give."""

    def __init__(self) -> None:
        self._names: defaultdict[tuple[str, str], dict[_Offer, dict[str, None]]] = defaultdict(dict)
        self._offers: dict[tuple[str, str], _Offer] = {}

    def note(self, namespace: str, name: str, body: Any) -> None:
        """Note what a resource's status says."""
        offer = _offer(body.get("status") or {})
        if offer == self._offers.get((namespace, name)):
            return
        self.forget(namespace, name)
        if offer:
            self._offers[namespace, name] = offer
            self._names[namespace, offer.digest].setdefault(offer, {})[name] = None

    def forget(self, namespace: str, name: str) -> None:
        """Keep nothing about a resource that is gone."""
        offer = self._offers.pop((namespace, name), None)
        if offer is None:
            return
        by_offer = self._names[namespace, offer.digest]
        del by_offer[offer][name]
        if not by_offer[offer]:
            del by_offer[offer]
        if not by_offer:
            del self._names[namespace, offer.digest]

    def names(self, namespace: str, digests: Iterable[str], *, besides: str) -> list[str]:
        """Return the resources that have one of the sources, in order of their names; of those that have the same, two.

        A thousand resources of one model are read once, and one that goes meanwhile makes nobody convert again.
        """
        found: set[str] = set()
        for digest in digests:
            for others in self._names.get((namespace, digest), {}).values():
                found.update(islice((name for name in others if name != besides), _OF_THE_SAME))
        return sorted(found)


def _offer(status: Mapping[str, Any]) -> _Offer | None:
    """Return what a resource has to give, or None if it has nothing."""
    source, artifact, evidence = (status.get(part) or {} for part in ("source", "artifact", "verification"))
    digests = source.get("digests") or {}
    if not digests.get("source"):
        return None
    measured = [evidence.get(part) for part in ("key", "outputs", "truncated")]
    # what is whole is judged anew by whoever takes it
    judged = evidence.get("judged") if evidence.get("truncated") else None
    more = key_of([digests, source.get("format"), artifact.get("key"), artifact.get("digest"), measured, judged])
    return _Offer(digests["source"], more)


def useful_digests(resource: ModelConversion, jobs: Iterable[Job]) -> set[str]:
    """Return the digests of sources by which another resource could help; none once the resource has what it needs."""
    status = resource.status
    ready = any(each.type == "Ready" and each.status == "True" for each in status.conditions)
    if ready and status.observed_generation == resource.metadata.generation:
        return set()
    digests = {resource.spec.source.digest} if resource.spec.source.digest else set()
    if status.source and status.source.key == source_key(resource):
        digests.update(_sources(status.source.digests))
    for job in jobs:
        for pod in job.pods:
            results = results_of(pod, "Import") if job.stage == "import" and pod.succeeded else None
            if results and results["keep"].source:
                digests.update(_sources(results["keep"].source.digests))
    return digests


def _sources(digests: Mapping[Role, str]) -> set[str]:
    return {digest for role, digest in digests.items() if role == "source"}
