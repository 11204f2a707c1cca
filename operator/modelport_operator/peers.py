"""Which other resources of a namespace may have a source or an artifact that is needed: a hint from watch events.

A missing entry costs a conversion, a wrong one costs a read: what is reused is always read live.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from modelport.api.resource import ModelConversion
from modelport.api.spec import Role
from modelport.jobs.keys import source_key
from modelport_operator.facts import Job
from modelport_operator.plan.job_states import results_of


class PeerIndex:
    """Names of resources by namespace and digest of their source."""

    def __init__(self) -> None:
        self._names: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._digests: dict[tuple[str, str], str] = {}

    def note(self, namespace: str, name: str, body: Any) -> None:
        """Note what a resource's status says."""
        source = (body.get("status") or {}).get("source") or {}
        self.forget(namespace, name)
        digest = (source.get("digests") or {}).get("source")
        if digest:
            self._digests[namespace, name] = digest
            self._names[namespace, digest].add(name)

    def forget(self, namespace: str, name: str) -> None:
        """Keep nothing about a resource that is gone."""
        digest = self._digests.pop((namespace, name), None)
        if digest is None:
            return
        others = self._names[namespace, digest]
        others.discard(name)
        if not others:
            del self._names[namespace, digest]

    def names(self, namespace: str, digests: Iterable[str], *, besides: str) -> list[str]:
        """Return the resources that have one of the sources, in order of their names."""
        found: set[str] = set()
        for digest in digests:
            found |= self._names.get((namespace, digest), set())
        return sorted(found - {besides})


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
