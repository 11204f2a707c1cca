"""What a report is made from: the plan, and what came of carrying it out."""

import msgspec

from modelport.api.resource import ModelConversion
from modelport.api.status import Failure
from modelport_operator.facts import Deployment
from modelport_operator.plan import Plan
from modelport_operator.plan.progress import Progress


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that there is to tell."""

    resource: ModelConversion
    plan: Plan
    deployment: Deployment | None = None
    """As it is after the plan was carried out."""
    refused: Failure | None = None
    """Why the API server, or a foreign object with a child's name, kept the plan from being carried out."""

    @property
    def progress(self) -> Progress:
        """How far the resource has come."""
        return self.plan.progress

    @property
    def failure(self) -> Failure | None:
        """What is wrong."""
        return self.refused or self.progress.failure

    @property
    def rolled_out(self) -> bool:
        """Whether all pods serve what the spec asks for, and as many as it asks for."""
        live, rollout, serving = self.deployment, self.plan.rollout, self.resource.spec.serving
        if not (live and rollout and serving) or live.serving_key != rollout.key:
            return False
        return live.rolled_out and live.wanted == serving.replicas

    @property
    def answers(self) -> bool:
        """Whether any artifact answers requests."""
        return bool(self.deployment and self.deployment.available)

    @property
    def is_as_asked(self) -> bool:
        """Whether what is stored and served is what the spec asks for."""
        if self.failure or not self.progress.verified:
            return False
        return self.rolled_out if self.resource.spec.serving else self.deployment is None

    @property
    def old_serves(self) -> str:
        """The end of a message, where the artifact before this one answers meanwhile."""
        if not self.answers or self.rolled_out or self.resource.spec.serving is None:
            return ""
        return "; the artifact before it goes on serving"
