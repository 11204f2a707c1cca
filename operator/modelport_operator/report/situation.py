"""What a report is made from: the plan, and what came of carrying it out."""

import msgspec

from modelport.api.resource import ModelConversion
from modelport.api.status import Failure
from modelport_operator.facts import Deployment
from modelport_operator.plan import Plan, answers
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
    def queued(self) -> str:
        """What is waited for before a Job runs, where nothing but that is in the way."""
        state, failure = self.progress.job_state, self.failure
        if self.resource.spec.suspend or (failure and not failure.retryable):
            return ""
        return state.queued.told if state and state.queued else ""

    @property
    def wanted(self) -> int:
        """How many pods are asked for: by the spec, or by what scales the Deployment."""
        serving, live = self.resource.spec.serving, self.deployment
        if serving is None:
            return 0
        return live.wanted if serving.autoscaling and live else serving.least_replicas

    @property
    def serves(self) -> bool:
        """Whether what the spec asks for answers, by one pod at least, and nothing older does."""
        return answers(self.plan.rollout, self.deployment)

    @property
    def is_at_zero(self) -> bool:
        """Whether nothing answers because nothing shall; where that may change, by what would change it."""
        live, rollout, serving = self.deployment, self.plan.rollout, self.resource.spec.serving
        if not (live and rollout and serving) or serving.least_replicas or live.serving_key != rollout.key:
            return False
        wakes = self.plan.autoscaled is None or self.plan.autoscaled.holds is True
        return wakes and live.rolled_out and live.wanted == 0

    @property
    def has_answered(self) -> bool:
        """Whether a pod of what the Deployment serves has ever been ready."""
        live, before = self.deployment, self.resource.status.serving
        if live is None or before is None or not before.has_answered:
            return self.serves
        return self.serves or (before.artifact_digest, before.image) == (live.artifact_digest, live.image)

    @property
    def answers(self) -> bool:
        """Whether any artifact answers requests."""
        return bool(self.deployment and self.deployment.available)

    @property
    def is_as_asked(self) -> bool:
        """Whether what is stored and served is what the spec asks for."""
        if self.failure or not self.progress.verified:
            return False
        return self.serves or self.is_at_zero if self.resource.spec.serving else self.deployment is None

    @property
    def waits(self) -> str:
        """The end of a message, where something that is about to go has the name of what is to be created."""
        names = " and ".join(self.plan.waits_for)
        return f"; waits until {names}, about to be deleted, is gone" if names else ""

    @property
    def old_serves(self) -> str:
        """The end of a message, where the artifact before this one answers meanwhile."""
        live, artifact = self.deployment, self.progress.artifact
        if live is None or not self.answers or self.serves or self.resource.spec.serving is None:
            return ""
        is_same = artifact is not None and artifact.digest == live.artifact_digest
        return f"; the {'pods' if is_same else 'artifact'} before it {'go' if is_same else 'goes'} on serving"
