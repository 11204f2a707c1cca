"""How far a resource has come: the value that the stages hand on, and the one that the report is made from."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.spec import Conversion
from modelport.api.status import ArtifactStatus, Failure, RefusedPath, SourceStatus, VerificationStatus
from modelport.jobs.refusals import name_path
from modelport.jobs.requests import Hop, JobRequest
from modelport_operator.facts import Observed
from modelport_operator.names import child_name
from modelport_operator.plan.job_states import JobState
from modelport_operator.platforms import Platform

_OF_SPEC = frozenset({Reason.INVALID_SPEC, Reason.IMAGE_NOT_CONFIGURED})


class Stage(StrEnum):
    """Where the work stands, as `status.failure.stage` names it."""

    IMPORT = "Import"
    CONVERT = "Convert"
    VERIFY = "Verify"
    SERVE = "Serve"


class Case(NamedTuple):
    """What a stage decides about."""

    resource: ModelConversion
    observed: Observed
    platform: Platform

    @property
    def conversion(self) -> Conversion:
        """How Jobs are to run."""
        return self.resource.spec.conversion


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The Job that a stage needs."""

    stage: Stage
    key: str
    """Hash of everything that its outcome follows from."""
    name: str
    request: JobRequest
    image: str
    """Server image of a Job that verifies, mover image of the others."""
    inputs: str = ""
    """The key without the images, of what converts or verifies."""


class Renewal(NamedTuple):
    """A Job beside what serves, which verifies it by a newer server image."""

    work: Work
    job_state: JobState


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a resource has come with its current spec."""

    stage: Stage = Stage.IMPORT
    source: SourceStatus | None = None
    paths: tuple[tuple[Hop, ...], ...] = ()
    """The ways there are, the best first,"""
    refused: tuple[RefusedPath, ...] = ()
    """those of them that failed,"""
    hops: tuple[Hop, ...] = ()
    """and the one that is taken."""
    inputs_key: str = ""
    artifact: ArtifactStatus | None = None
    verification: VerificationStatus | None = None
    verified: bool = False
    failure: Failure | None = None
    work: Work | None = None
    """The Job that is waited for,"""
    job_state: JobState | None = None
    """and what has become of it."""
    renewal: Renewal | None = None
    waits_to_reverify: bool = False
    """Whether a newer server image is to be tried once others are done with it."""
    current: frozenset[str] = frozenset()
    """Names of the Jobs that are about the current spec."""

    @property
    def halted(self) -> bool:
        """Whether the next stage has to wait."""
        return self.failure is not None or self.work is not None

    @property
    def is_about_spec(self) -> bool:
        """Whether nothing can be done by this spec, so that nobody knows what of before it asks for."""
        return self.failure is not None and self.failure.reason in _OF_SPEC

    @property
    def path(self) -> list[str]:
        """The formats on the way."""
        return name_path(self.hops)


def work_name(resource: ModelConversion, stage: Stage, key: str) -> str:
    """Return the name of a stage's Job."""
    return child_name(resource.metadata.name, stage.lower(), key)
