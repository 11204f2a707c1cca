"""What the objects of serving are made from."""

from typing import Any, NamedTuple

from modelport.api.resource import ModelConversion
from modelport.api.spec import Serving
from modelport_operator import names
from modelport_operator.facts import Deployment
from modelport_operator.plan.bodies.metadata import metadata
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.rollout import Rollout
from modelport_operator.platforms import Platform

Body = dict[str, Any]


class Served(NamedTuple):
    """What is asked for, what is to be served, and what serves."""

    resource: ModelConversion
    serving: Serving
    platform: Platform
    rollout: Rollout | None
    deployment: Deployment | None

    @property
    def name(self) -> str:
        """The name of all the objects: that of the resource."""
        return self.resource.metadata.name

    @property
    def selector(self) -> dict[str, str]:
        """The labels that the pods are found by."""
        return names.selector(self.name, Stage.SERVE)

    def body(self, api_version: str, kind: str, spec: Body) -> Body:
        """Return an object with this spec."""
        meta = metadata(self.resource, name=self.name, stage=Stage.SERVE)
        return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
