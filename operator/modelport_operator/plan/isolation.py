"""What the pods of Jobs may connect to: NetworkPolicies that are there as long as Jobs are."""

from collections.abc import Iterable, Iterator
from typing import Any

from modelport.encoding import key_of
from modelport_operator import names
from modelport_operator.plan.bodies.comparison import contains
from modelport_operator.plan.bodies.metadata import metadata
from modelport_operator.plan.bodies.network_policies import needed, network_policy, sources
from modelport_operator.plan.progress import Case, Stage
from modelport_operator.plan.serving.wanted import Difference

KIND = "NetworkPolicy"
_STAGES = {Stage.IMPORT: (Stage.IMPORT,), Stage.CONVERT: (Stage.CONVERT, Stage.VERIFY)}
"""Whose Jobs reach the same, by the stage that their policy is named after: Import alone fetches."""


def policies_of_jobs(case: Case, created: Iterable[dict[str, Any]]) -> Iterator[Difference]:
    """Yield the policies to be created, changed or deleted, for Jobs that are there or are about to be created."""
    labels = (body["metadata"]["labels"] for body in created)
    stages = case.observed.stages | {each[names.STAGE_LABEL] for each in labels}
    live = {each.body["metadata"]["name"]: each for each in case.observed.job_policies}
    wanted = {body["metadata"]["name"]: body for body in _policies(case, stages)}
    for name in {**live, **wanted}:
        found, body = live.get(name), wanted.get(name)
        if not (found and body and contains(found.body, body)):
            yield Difference(KIND, name, found, body)


def _policies(case: Case, at_work: frozenset[str]) -> Iterator[dict[str, Any]]:
    network, meta = case.platform.network, case.resource.metadata
    for stage, alike in _STAGES.items():
        selected = [each.lower() for each in alike]
        if network is None or at_work.isdisjoint(selected):
            continue
        # no name that another resource, and what it serves, could have
        name = names.child_name(meta.name, stage.lower(), key_of([KIND, meta.name, stage]))
        selector = {
            "matchLabels": {names.RESOURCE_LABEL: meta.name},
            "matchExpressions": [{"key": names.STAGE_LABEL, "operator": "In", "values": selected}],
        }
        fetched = [sources(network)] if stage == Stage.IMPORT else []
        egress = [*needed(network, meta.namespace), *fetched]
        yield network_policy(metadata(case.resource, name=name, stage=stage), selector, egress=egress)
